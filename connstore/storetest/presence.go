package storetest

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sumu-live/sumu"
)

func (e *env) presence() sumu.PresenceStore { return power[sumu.PresenceStore](e) }

// presenceRow returns a row with every field set.
func (e *env) presenceRow(user string, seq int64) sumu.PresenceRow {
	at := e.f.Now().Truncate(time.Second)
	return sumu.PresenceRow{
		UserID:      user,
		Status:      sumu.Online,
		Version:     10 + seq,
		At:          at.Add(-time.Minute + 123*time.Millisecond),
		Announced:   9 + seq,
		Seq:         seq,
		AbsentSince: at.Add(-time.Second + 456*time.Millisecond),
	}
}

func (e *env) savePresence(rows ...sumu.PresenceRow) {
	e.Helper()
	p := e.presence()
	if err := parallel(len(rows), func(i int) error { return p.SavePresence(e.ctx, rows[i]) }); err != nil {
		e.Fatalf("SavePresence: %v", err)
	}
}

func (e *env) wantPresence(want sumu.PresenceRow) {
	e.Helper()
	got, err := e.presence().Presence(e.ctx, want.UserID)
	if err != nil {
		e.Fatalf("Presence of %q: %v", short(want.UserID), err)
	}
	if diff := presenceDifference(got, want); diff != "" {
		e.Errorf("Presence of %q: %s", short(want.UserID), diff)
	}
}

func presenceDifference(got, want sumu.PresenceRow) string {
	g, w := got, want
	g.At, g.AbsentSince, w.At, w.AbsentSince = time.Time{}, time.Time{}, time.Time{}, time.Time{}
	if g == w && sameTime(got.At, want.At, time.Time.UnixMilli) &&
		sameTime(got.AbsentSince, want.AbsentSince, time.Time.UnixMilli) {
		return ""
	}
	return fmt.Sprintf("is %+v, want %+v", got, want)
}

func noPresence(user string) sumu.PresenceRow {
	return sumu.PresenceRow{UserID: user, Status: sumu.Offline}
}

var presenceCases = []testCase{
	{"Presence of an unknown user is the zero row with UserID and status Offline", func(e *env) {
		e.wantPresence(noPresence("u1"))
		e.put(e.conn("u1", "c1"))
		e.savePresence(e.presenceRow("u2", 1))
		e.wantPresence(noPresence("u1"))
	}},

	{"Presence returns the row that SavePresence wrote", func(e *env) {
		row := e.presenceRow("u1", 1)
		e.savePresence(row)
		e.wantPresence(row)
	}},

	{"SavePresence writes the row whole", func(e *env) {
		e.savePresence(e.presenceRow("u1", 1))
		row := sumu.PresenceRow{UserID: "u1", Status: sumu.Offline, Seq: 2}
		e.savePresence(row)
		e.wantPresence(row)
		row = e.presenceRow("u1", 3)
		e.savePresence(row)
		e.wantPresence(row)
	}},

	{"SavePresence is ErrConflict unless the stored Seq is the one before", func(e *env) {
		for _, seq := range []int64{-1, 0, 2, 3} {
			e.wantKind(fmt.Sprintf("SavePresence of Seq %d without a row", seq),
				e.presence().SavePresence(e.ctx, e.presenceRow("u1", seq)), sumu.ErrConflict)
			e.wantPresence(noPresence("u1"))
		}
		row := e.presenceRow("u1", 1)
		e.savePresence(row)
		for _, seq := range []int64{-1, 0, 1, 3, 4} {
			other := e.presenceRow("u1", seq)
			other.Version = 77
			e.wantKind(fmt.Sprintf("SavePresence of Seq %d after 1", seq),
				e.presence().SavePresence(e.ctx, other), sumu.ErrConflict)
			e.wantPresence(row)
		}
		row = e.presenceRow("u1", 2)
		e.savePresence(row)
		e.wantPresence(row)
	}},

	{"Of many that save the same Seq exactly one wins", func(e *env) {
		p := e.presence()
		for seq := int64(1); seq <= 20; seq++ {
			won := make([]bool, 16)
			var wg sync.WaitGroup
			for i := range won {
				wg.Go(func() {
					row := e.presenceRow("u1", seq)
					row.Version = int64(i)
					switch err := p.SavePresence(e.ctx, row); {
					case err == nil:
						won[i] = true
					case !errors.Is(err, sumu.ErrConflict):
						e.Errorf("SavePresence: %v, want ErrConflict", err)
					}
				})
			}
			wg.Wait()
			if n := countTrue(won); n != 1 {
				e.Fatalf("%d of %d calls with Seq %d win", n, len(won), seq)
			}
			row, err := e.presence().Presence(e.ctx, "u1")
			if err != nil || row.Seq != seq || !won[row.Version] {
				e.Fatalf("the row is %+v, %v; it is not the winner's", row, err)
			}
		}
	}},

	{"MarkAnnounced sets Announced and leaves Seq and all else alone", func(e *env) {
		row := e.presenceRow("u1", 1)
		e.savePresence(row)
		for range 2 {
			if err := e.presence().MarkAnnounced(e.ctx, "u1", row.Version); err != nil {
				e.Fatalf("MarkAnnounced: %v", err)
			}
			row.Announced = row.Version
			e.wantPresence(row)
		}
		// An evaluation that read before the mark can still save.
		next := e.presenceRow("u1", 2)
		e.savePresence(next)
		e.wantPresence(next)
	}},

	{"MarkAnnounced is ErrConflict unless the stored Version is the one", func(e *env) {
		row := e.presenceRow("u1", 1)
		e.savePresence(row)
		for _, version := range []int64{row.Version - 1, row.Version + 1, -1} {
			e.wantKind(fmt.Sprintf("MarkAnnounced of version %d at %d", version, row.Version),
				e.presence().MarkAnnounced(e.ctx, "u1", version), sumu.ErrConflict)
		}
		e.wantPresence(row)
	}},

	{"MarkAnnounced without a row is ErrConflict and writes none", func(e *env) {
		e.wantKind("MarkAnnounced", e.presence().MarkAnnounced(e.ctx, "u1", 1), sumu.ErrConflict)
		e.wantPresence(noPresence("u1"))
		e.wantPresenceRows(sumu.Segment{}, nil)
	}},

	{"Presence rows of users whose ids resemble each other are kept apart", func(e *env) {
		var rows []sumu.PresenceRow
		for i, user := range oddIDs {
			row := e.presenceRow(user, 1)
			row.Version = int64(i)
			rows = append(rows, row)
		}
		e.savePresence(rows...)
		for _, row := range rows {
			e.wantPresence(row)
		}
		e.wantPresenceRows(sumu.Segment{}, rows)
	}},

	{"Connections and presence rows do not meet", func(e *env) {
		row := e.presenceRow("u1", 1)
		e.savePresence(row)
		e.wantLive("u1", false)
		e.wantByUser("u1")
		e.wantAll(sumu.Segment{}, nil)
		c := e.conn("u1", "c1")
		e.put(c)
		e.wantPresenceRows(sumu.Segment{}, []sumu.PresenceRow{row})
		if err := e.store.Delete(e.ctx, c.Ref()); err != nil {
			e.Fatalf("Delete: %v", err)
		}
		e.wantPresence(row)
	}},
}
