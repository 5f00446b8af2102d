package storetest

import (
	"context"
	"fmt"
	"time"

	"github.com/sumu-live/sumu"
)

func (e *env) capper() sumu.Capper { return power[sumu.Capper](e) }

// putFits fails unless the row is written and nothing is evicted for it.
func (e *env) putFits(c sumu.Connection, most int, evict bool) {
	e.Helper()
	evicted, err := e.capper().PutCapped(e.ctx, c, most, evict)
	if err != nil {
		e.Fatalf("PutCapped of %s, at most %d: %v", name(c.Ref()), most, err)
	}
	if len(evicted) > 0 {
		e.Errorf("PutCapped of %s, at most %d, evicts %d rows, want none", name(c.Ref()), most, len(evicted))
	}
}

// putLimited fails unless the row is refused.
func (e *env) putLimited(c sumu.Connection, most int) {
	e.Helper()
	evicted, err := e.capper().PutCapped(e.ctx, c, most, false)
	e.wantKind(fmt.Sprintf("PutCapped of %s, at most %d", name(c.Ref()), most), err, sumu.ErrLimit)
	if len(evicted) > 0 {
		e.Errorf("PutCapped that is refused returns %d rows", len(evicted))
	}
}

var capCases = []testCase{
	{"PutCapped within the cap writes a row as Put does", func(e *env) {
		var rows []sumu.Connection
		for i, id := range []string{"a", "b", "c"} {
			c := e.conn("u1", id)
			e.putFits(c, 3, i%2 == 0)
			e.wantRow(c)
			e.wantLive("u1", true)
			rows = append(rows, c)
		}
		e.wantByUser("u1", rows...)
	}},

	{"PutCapped above the cap is ErrLimit and writes nothing", func(e *env) {
		for most := 1; most <= 3; most++ {
			user := fmt.Sprint("u", most)
			var rows []sumu.Connection
			for i := range most {
				rows = append(rows, e.conn(user, fmt.Sprint("c", i)))
			}
			e.put(rows...)
			refused := e.conn(user, "z")
			for lower := range most {
				e.putLimited(refused, lower+1)
				e.wantAbsent(refused.Ref())
				e.wantByUser(user, rows...)
			}
			e.putFits(refused, most+1, false)
		}
	}},

	{"A row that PutCapped replaces does not count twice", func(e *env) {
		a, b := e.conn("u1", "a"), e.conn("u1", "b")
		e.put(a, b)
		for i, evict := range []bool{false, true} {
			a.Endpoint = fmt.Sprint("https://node-", 7+i)
			a.ConnectedAt = a.ConnectedAt.Add(time.Minute)
			a.AuthExpiresAt = time.Time{}
			e.putFits(a, 2, evict)
			e.wantRow(a)
			e.wantByUser("u1", a, b)
		}
		// It does count once.
		e.putLimited(a, 1)
		e.wantByUser("u1", a, b)
	}},

	{"Expired rows do not count toward the cap", func(e *env) {
		past := e.crowd("u1", 40)
		for i := range past {
			past[i].DeleteAt = e.f.Now().Add(-time.Hour)
		}
		e.put(past...)
		a, b := e.conn("u1", "a"), e.conn("u1", "b")
		e.putFits(a, 2, false)
		e.putFits(b, 2, true)
		e.wantByUser("u1", a, b)
		// Nor does one that is replaced make room.
		revived := e.conn("u1", past[0].ID)
		e.putLimited(revived, 2)
		e.wantAbsent(revived.Ref())
		e.wantByUser("u1", a, b)
	}},

	{"PutCapped counts rows however they came and went", func(e *env) {
		rows := e.crowd("u1", 6)
		for _, c := range rows {
			e.putFits(c, 6, false)
		}
		refused := e.conn("u1", "z")
		for round := range 3 {
			e.putLimited(refused, 6)
			if err := e.store.Delete(e.ctx, rows[0].Ref()); err != nil {
				e.Fatalf("Delete: %v", err)
			}
			rows[0].ID = fmt.Sprint("a-", round)
			e.wantPrune(rows[1].Ref(), e.f.Now(), true)
			past := rows[2]
			past.DeleteAt = e.f.Now().Add(-time.Hour)
			e.put(past)
			if e.f.Sweep && round > 0 {
				e.settle()
				e.sweep(0)
			}
			e.putFits(rows[0], 6, false)
			e.put(rows[1])
			e.putLimited(refused, 5)
			e.putFits(rows[2], 6, false)
		}
		e.wantByUser("u1", rows...)
	}},

	{"PutCapped counts the rows of more than a page", func(e *env) {
		rows := e.crowd("guest", e.f.crowd)
		e.put(rows...)
		e.put(e.conn("gues", "c1"), e.conn("guest0", "c1"))
		c := e.conn("guest", "z")
		e.putLimited(c, len(rows)-1)
		e.putLimited(c, len(rows))
		e.wantAbsent(c.Ref())
		e.putFits(c, len(rows)+1, false)
		e.wantByUser("guest", append(rows, c)...)
	}},

	{"PutCapped counts the rows of one user", func(e *env) {
		byUser := make(map[string]sumu.Connection)
		for _, user := range oddIDs {
			c := e.conn(user, "c1")
			e.putFits(c, 1, true)
			byUser[user] = c
		}
		for user, c := range byUser {
			e.putLimited(e.conn(user, "c2"), 1)
			e.wantByUser(user, c)
		}
	}},

	{"PutCapped of what does not validate is ErrInvalid", func(e *env) {
		for _, ref := range badRefs {
			_, err := e.capper().PutCapped(e.ctx, e.conn(ref.UserID, ref.ConnectionID), 1, true)
			e.wantKind("PutCapped of "+name(ref), err, sumu.ErrInvalid)
		}
		e.wantAll(sumu.Segment{}, nil)
	}},

	{"PutCapped with a cap below 1 is ErrInvalid", func(e *env) {
		c := e.conn("u1", "c1")
		e.put(c)
		for _, most := range []int{0, -1} {
			for _, evict := range []bool{false, true} {
				_, err := e.capper().PutCapped(e.ctx, e.conn("u1", "c2"), most, evict)
				e.wantKind(fmt.Sprintf("PutCapped, at most %d", most), err, sumu.ErrInvalid)
			}
		}
		e.wantByUser("u1", c)
	}},

	{"PutCapped with a cancelled context fails with its error and writes nothing", func(e *env) {
		c := e.conn("u1", "c1")
		e.put(c)
		ctx, cancel := context.WithCancel(e.ctx)
		cancel()
		evicted, err := e.capper().PutCapped(ctx, e.conn("u1", "c2"), 1, true)
		e.wantKind("PutCapped", err, context.Canceled)
		if len(evicted) > 0 {
			e.Errorf("PutCapped returns %d rows", len(evicted))
		}
		e.wantByUser("u1", c)
	}},
}

var advanceCapCases = []testCase{
	{"A row makes room from its DeleteAt on", func(e *env) {
		now := e.f.Now().Truncate(time.Second)
		rows := e.crowd("u1", 10)
		for i := range rows {
			if i%2 == 0 {
				rows[i].DeleteAt = now.Add(time.Hour)
			}
			e.putFits(rows[i], 10, false)
		}
		first, second := e.conn("u1", "y"), e.conn("u1", "z")
		e.putLimited(first, 10)
		e.f.Advance(now.Add(time.Hour).Sub(e.f.Now()))
		e.putLimited(first, 5)
		e.putFits(first, 6, true)
		if e.f.Sweep {
			e.settle()
			e.wantSwept(0, 5)
		}
		e.putLimited(second, 6)
		e.putFits(second, 7, true)
		e.wantByUser("u1", rows[1], rows[3], rows[5], rows[7], rows[9], first, second)
	}},
}
