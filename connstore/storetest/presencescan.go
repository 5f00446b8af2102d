package storetest

import (
	"fmt"
	"time"

	"github.com/sumu-live/sumu"
)

// wantPresenceRows fails unless PresenceRows yields each of the rows exactly
// once and no others.
func (e *env) wantPresenceRows(seg sumu.Segment, want []sumu.PresenceRow) {
	e.Helper()
	got, err := collect(e.presence().PresenceRows(e.ctx, seg))
	if err != nil {
		e.Fatalf("PresenceRows: %v", err)
	}
	e.samePresence(got, want)
}

func (e *env) samePresence(got, want []sumu.PresenceRow) {
	e.Helper()
	byUser := make(map[string]sumu.PresenceRow, len(want))
	for _, row := range want {
		byUser[row.UserID] = row
	}
	for _, row := range got {
		w, ok := byUser[row.UserID]
		if !ok {
			e.Errorf("PresenceRows yields %q twice, or it is not among the rows", short(row.UserID))
			continue
		}
		if diff := presenceDifference(row, w); diff != "" {
			e.Errorf("PresenceRows: %q %s", short(row.UserID), diff)
		}
		delete(byUser, row.UserID)
	}
	for user := range byUser {
		e.Errorf("PresenceRows does not yield %q", short(user))
	}
}

func (e *env) presenceOrder(seg sumu.Segment) []sumu.ConnectionRef {
	e.Helper()
	rows, err := collect(e.presence().PresenceRows(e.ctx, seg))
	if err != nil {
		e.Fatalf("PresenceRows: %v", err)
	}
	refs := make([]sumu.ConnectionRef, len(rows))
	for i, row := range rows {
		refs[i].UserID = row.UserID
	}
	return refs
}

func (e *env) presenceTable(n int) []sumu.PresenceRow {
	rows := make([]sumu.PresenceRow, n)
	for i := range rows {
		rows[i] = e.presenceRow(fmt.Sprint("user-", i), 1)
		rows[i].Version = int64(i)
	}
	return rows
}

var presenceScanCases = []testCase{
	{"PresenceRows yields every row exactly once", func(e *env) {
		e.wantPresenceRows(sumu.Segment{}, nil)
		rows := e.presenceTable(1000)
		e.savePresence(rows...)
		e.put(e.table()...)
		e.wantPresenceRows(sumu.Segment{}, rows)
	}},

	{"Segments of presence rows are disjoint and cover the table", func(e *env) {
		rows := e.presenceTable(200)
		e.savePresence(rows...)
		for _, n := range []int{1, 3, 7} {
			var got []sumu.PresenceRow
			for i := range n {
				part, err := collect(e.presence().PresenceRows(e.ctx, sumu.Segment{Index: i, Count: n}))
				if err != nil {
					e.Fatalf("PresenceRows: %v", err)
				}
				got = append(got, part...)
			}
			e.samePresence(got, rows)
		}
	}},

	{"A scan of presence rows resumes behind any user", func(e *env) {
		e.savePresence(e.presenceTable(100)...)
		for _, n := range []int{1, 3} {
			for i := range n {
				order := e.presenceOrder(sumu.Segment{Index: i, Count: n})
				for j, ref := range order {
					seg := sumu.Segment{Index: i, Count: n, After: ref}
					e.wantOrder("PresenceRows after "+name(ref), e.presenceOrder(seg), order[j+1:])
				}
			}
		}
	}},

	{"The body of a loop over presence rows may save them", func(e *env) {
		rows := e.presenceTable(300)
		e.savePresence(rows...)
		seen := make(map[string]int)
		for row, err := range e.presence().PresenceRows(e.ctx, sumu.Segment{}) {
			if err != nil {
				e.Fatalf("PresenceRows: %v", err)
			}
			if seen[row.UserID]++; seen[row.UserID] > 1 {
				e.Fatalf("PresenceRows yields %q again", row.UserID)
			}
			row.Seq++
			e.savePresence(row)
		}
		if len(seen) != len(rows) {
			e.Errorf("PresenceRows yields %d rows, want %d", len(seen), len(rows))
		}
		seen = make(map[string]int)
		for row, err := range e.presence().PresenceRows(e.ctx, sumu.Segment{}) {
			if err != nil || row.Seq != 2 {
				e.Fatalf("the row is %+v, %v", row, err)
			}
			seen[row.UserID]++
			break
		}
		if len(seen) != 1 {
			e.Errorf("a loop that is left at once has seen %d rows", len(seen))
		}
	}},
}

var advancePresenceCases = []testCase{
	{"Presence rows do not expire", func(e *env) {
		row := e.presenceRow("u1", 1)
		e.savePresence(row)
		e.put(e.conn("u1", "c1"))
		e.f.Advance(10 * 365 * 24 * time.Hour)
		if e.f.Sweep {
			e.sweep(0)
		}
		e.wantLive("u1", false)
		e.wantPresence(row)
		e.wantPresenceRows(sumu.Segment{}, []sumu.PresenceRow{row})
	}},
}
