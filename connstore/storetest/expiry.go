package storetest

import (
	"fmt"
	"time"

	"github.com/sumu-live/sumu"
)

var expiryCases = []testCase{
	{"Get of an expired row is ErrGone", func(e *env) {
		c := e.expired("u1", "c1")
		e.put(c)
		e.wantAbsent(c.Ref())
	}},

	{"HasLive does not count expired rows", func(e *env) {
		e.put(e.expired("u1", "a"), e.expired("u1", "b"))
		e.wantLive("u1", false)
	}},

	{"HasLive finds the live row behind many expired ones", func(e *env) {
		// More than a page of them: a limit of one before the filter fails
		// here, and so does reading the first page only.
		rows := e.crowd("u1", e.f.crowd)
		for i := range rows {
			rows[i].DeleteAt = e.f.Now().Add(-time.Hour)
		}
		e.put(rows...)
		e.wantLive("u1", false)
		e.put(e.conn("u1", "z"))
		e.wantLive("u1", true)
	}},

	{"ByUser does not yield expired rows", func(e *env) {
		a, c := e.conn("u1", "a"), e.conn("u1", "c")
		e.put(a, e.expired("u1", "b"), c, e.expired("u1", "d"), e.expired("u2", "a"))
		e.wantByUser("u1", a, c)
		e.wantByUser("u2")
	}},

	{"All does not yield expired rows", func(e *env) {
		c := e.conn("u1", "b")
		e.put(e.expired("u1", "a"), c, e.expired("u1", "c"), e.expired("u2", "a"))
		e.wantAll(sumu.Segment{}, []sumu.Connection{c})
	}},

	{"A row with the zero DeleteAt does not expire", func(e *env) {
		c := e.conn("u1", "c1")
		c.DeleteAt = time.Time{}
		e.put(c)
		e.wantRow(c)
		e.wantLive("u1", true)
		e.wantByUser("u1", c)
		e.wantAll(sumu.Segment{}, []sumu.Connection{c})
	}},

	{"An expired token does not make the row expire", func(e *env) {
		c := e.conn("u1", "c1")
		c.AuthExpiresAt = e.f.Now().Add(-time.Hour).Truncate(time.Second)
		e.put(c)
		e.wantRow(c)
		e.wantLive("u1", true)
	}},

	{"Delete of an expired row is no error", func(e *env) {
		c := e.expired("u1", "c1")
		e.put(c)
		if err := e.store.Delete(e.ctx, c.Ref()); err != nil {
			e.Errorf("Delete: %v", err)
		}
		e.wantAbsent(c.Ref())
	}},

	{"Put replaces an expired row", func(e *env) {
		e.put(e.expired("u1", "c1"))
		c := e.conn("u1", "c1")
		e.put(c)
		e.wantRow(c)
		e.wantLive("u1", true)
		e.wantByUser("u1", c)
	}},

	{"Put of an expired row replaces a live one", func(e *env) {
		e.put(e.conn("u1", "c1"))
		c := e.expired("u1", "c1")
		e.put(c)
		e.wantAbsent(c.Ref())
		e.wantLive("u1", false)
		e.wantByUser("u1")
	}},
}

var advanceCases = []testCase{
	{"A row is absent from its DeleteAt on", func(e *env) {
		rows := make([]sumu.Connection, 5)
		at := e.f.Now().Truncate(time.Second).Add(time.Hour)
		for i := range rows {
			rows[i] = e.conn(fmt.Sprint("u", i), "c1")
			rows[i].DeleteAt = at
		}
		stays := e.conn("u0", "c2")
		e.put(append(rows, stays)...)
		e.f.Advance(at.Add(-time.Minute).Sub(e.f.Now()))
		for _, c := range rows {
			e.wantRow(c)
			e.wantLive(c.UserID, true)
		}
		e.wantAll(sumu.Segment{}, append(rows[:5:5], stays))
		e.f.Advance(at.Sub(e.f.Now()))
		for _, c := range rows {
			e.wantAbsent(c.Ref())
		}
		for _, c := range rows[1:] {
			e.wantLive(c.UserID, false)
			e.wantByUser(c.UserID)
		}
		e.wantLive("u0", true)
		e.wantByUser("u0", stays)
		e.wantAll(sumu.Segment{}, []sumu.Connection{stays})
	}},

	{"A scan resumes behind a row that expired meanwhile", func(e *env) {
		rows := e.table()
		at := e.f.Now().Truncate(time.Second).Add(time.Hour)
		for i := range rows {
			if i%2 == 0 {
				rows[i].DeleteAt = at
			}
		}
		e.put(rows...)
		e.wantAll(sumu.Segment{}, rows)
		order := e.order(sumu.Segment{})
		e.f.Advance(2 * time.Hour)
		live := e.order(sumu.Segment{})
		if len(live) != len(rows)/2 {
			e.Fatalf("All yields %d rows, want %d", len(live), len(rows)/2)
		}
		for _, ref := range order {
			if len(live) > 0 && live[0] == ref {
				live = live[1:]
			}
			e.wantOrder("after "+name(ref), e.order(sumu.Segment{After: ref}), live)
		}
	}},
}
