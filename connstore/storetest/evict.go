package storetest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/sumu-live/sumu"
)

// wantEvicted fails unless the row is written, the others are removed for it
// and come back whole, in any order.
func (e *env) wantEvicted(c sumu.Connection, most int, others ...sumu.Connection) {
	e.Helper()
	evicted, err := e.capper().PutCapped(e.ctx, c, most, true)
	what := fmt.Sprintf("PutCapped of %s, at most %d", name(c.Ref()), most)
	if err != nil {
		e.Fatalf("%s: %v", what, err)
	}
	if len(evicted) != len(others) {
		e.Errorf("%s evicts %d rows, want %d", what, len(evicted), len(others))
	}
	sorted(evicted)
	for i, want := range sorted(slices.Clone(others)) {
		if i < len(evicted) {
			if diff := difference(evicted[i], want); diff != "" {
				e.Errorf("%s: an evicted row: %s", what, diff)
			}
		}
		e.wantAbsent(want.Ref())
	}
	e.wantRow(c)
}

// aged returns rows whose ids are in no order, the oldest first.
func (e *env) aged(user string, n int) []sumu.Connection {
	rows := make([]sumu.Connection, n)
	for i := range rows {
		rows[i] = e.conn(user, fmt.Sprintf("c%03d", (i+1)*37%n))
		rows[i].ConnectedAt = rows[i].ConnectedAt.Add(time.Duration(i) * time.Millisecond)
		rows[i].Endpoint = fmt.Sprint("https://node-", i)
	}
	return rows
}

var evictCases = []testCase{
	{"PutCapped evicts the oldest by ConnectedAt, and returns it whole", func(e *env) {
		rows := e.aged("u1", 50)
		e.put(rows[:40]...)
		for i, c := range rows[40:] {
			e.wantEvicted(c, 40, rows[i])
		}
		e.wantByUser("u1", sorted(rows[10:])...)
		e.wantLive("u1", true)
	}},

	{"Of rows of one age PutCapped evicts the one with the lowest id", func(e *env) {
		rows := e.crowd("u1", 5)
		rows[0].ConnectedAt = rows[0].ConnectedAt.Add(time.Millisecond)
		e.put(rows...)
		e.wantEvicted(e.conn("u1", "z"), 5, rows[1])
		e.wantEvicted(e.conn("u1", "zz"), 4, rows[2], rows[3])
	}},

	{"A row without ConnectedAt is the first to be evicted", func(e *env) {
		rows := e.crowd("u1", 4)
		rows[1].ConnectedAt = time.Unix(0, 0)
		rows[2].ConnectedAt = time.Time{}
		rows[3].ConnectedAt = time.Unix(-1e9, 0)
		e.put(rows...)
		e.wantEvicted(e.conn("u1", "w"), 4, rows[2])
		e.wantEvicted(e.conn("u1", "x"), 4, rows[3])
		e.wantEvicted(e.conn("u1", "y"), 4, rows[1])
	}},

	{"PutCapped evicts as many as are too many", func(e *env) {
		rows := e.aged("u1", 100)
		other := e.conn("u2", "c1")
		e.put(rows...)
		e.put(other)
		c := e.conn("u1", "z")
		e.wantEvicted(c, 90, rows[:11]...)
		e.wantEvicted(c, 40, rows[11:61]...)
		c = e.conn("u1", "zz")
		c.ConnectedAt = c.ConnectedAt.Add(time.Minute)
		e.wantEvicted(c, 1, append(rows[61:], e.conn("u1", "z"))...)
		e.wantByUser("u1", c)
		e.wantRow(other)
	}},

	{"PutCapped evicts from more than a page", func(e *env) {
		rows := e.crowd("guest", e.f.crowd)
		n := len(rows)
		rows[n-1].ConnectedAt = rows[n-1].ConnectedAt.Add(-2 * time.Minute)
		rows[n/2].ConnectedAt = rows[n/2].ConnectedAt.Add(-time.Minute)
		e.put(rows...)
		e.wantEvicted(e.conn("guest", "z"), n-1, rows[n-1], rows[n/2])
	}},

	{"PutCapped never evicts the row that it writes, however old", func(e *env) {
		rows := e.aged("u1", 3)
		e.put(rows...)
		c := e.conn("u1", "new")
		c.ConnectedAt = time.Time{}
		e.wantEvicted(c, 3, rows[0])
		// Not when it replaces one either.
		c.Endpoint = "https://node-9.example.com"
		e.wantEvicted(c, 2, rows[1])
		e.wantByUser("u1", sorted([]sumu.Connection{c, rows[2]})...)
	}},

	{"PutCapped does not evict expired rows", func(e *env) {
		past := e.expired("u1", "a")
		past.ConnectedAt = time.Time{}
		rows := e.aged("u1", 3)
		e.put(past)
		e.put(rows...)
		e.wantEvicted(e.conn("u1", "z"), 3, rows[0])
		e.wantEvicted(e.conn("u1", "z"), 2, rows[1])
	}},

	{"PutCapped that evicts leaves the rows of others alone", func(e *env) {
		var others []sumu.Connection
		for _, user := range oddIDs {
			c := e.conn(user, "a")
			c.ConnectedAt = time.Time{}
			others = append(others, c)
		}
		rows := []sumu.Connection{e.conn("a:b:c", "a"), e.conn("a:b:c", "b")}
		e.put(others...)
		e.put(rows...)
		c := e.conn("a:b:c", "c")
		e.wantEvicted(c, 1, rows...)
		e.wantAll(sumu.Segment{}, append(others, c))
	}},

	{"The row that PutCapped writes and those that it evicts are changes", func(e *env) {
		if !e.f.Changes {
			return
		}
		old, c := e.conn("u1", "a"), e.conn("u1", "b")
		e.put(old)
		ctx, cancel := context.WithCancel(e.ctx)
		r := e.read(ctx, cancel, power[sumu.ChangeFeed](e).Changes(ctx))
		defer r.end(e)
		e.putFits(c, 2, true)
		r.want(e, "PutCapped", c.Ref())
		e.wantEvicted(c, 1, old)
		missing := map[string]bool{old.ID: true, c.ID: true}
		for len(missing) > 0 {
			change, ok := r.next(e)
			switch {
			case !ok:
				e.Errorf("PutCapped that evicts: no change for %v", missing)
				return
			case change.ConnectionID == "": // The two were joined into one.
				return
			}
			delete(missing, change.ConnectionID)
		}
	}},
}

// capRivals is how many put a row of one user at the same time.
const capRivals = 50

var capRaceCases = []testCase{
	{"PutCapped of many at the same time succeeds until the cap is reached, and not beyond", func(e *env) {
		for most := 1; most <= 31; most += 10 {
			user := fmt.Sprint("u", most)
			rows := e.aged(user, capRivals)
			won := e.winners(len(rows), "PutCapped", sumu.ErrLimit, func(i int) error {
				_, err := e.capper().PutCapped(e.ctx, rows[i], most, false)
				return err
			})
			if len(won) != most {
				e.Errorf("%d of %d calls succeed, want %d", len(won), len(rows), most)
			}
			var winners []sumu.Connection
			for _, i := range won {
				winners = append(winners, rows[i])
			}
			e.wantByUser(user, sorted(winners)...)
		}
	}},

	{"PutCapped of many at the same time evicts every row once, and no more than it must", func(e *env) {
		const most = 7
		rows := e.aged("u1", most+capRivals)
		e.put(rows[:most]...)
		var mu sync.Mutex
		left := make(map[sumu.ConnectionRef]sumu.Connection)
		for _, c := range rows {
			left[c.Ref()] = c
		}
		e.winners(capRivals, "PutCapped", nil, func(i int) error {
			evicted, err := e.capper().PutCapped(e.ctx, rows[most+i], most, true)
			mu.Lock()
			defer mu.Unlock()
			for _, c := range evicted {
				if want, ok := left[c.Ref()]; !ok {
					e.Errorf("%s is evicted twice", name(c.Ref()))
				} else if diff := difference(c, want); diff != "" {
					e.Errorf("an evicted row: %s", diff)
				}
				delete(left, c.Ref())
			}
			return err
		})
		if len(left) != most {
			e.Errorf("%d of %d rows were not evicted, want %d", len(left), len(rows), most)
		}
		var stay []sumu.Connection
		for _, c := range left {
			stay = append(stay, c)
		}
		e.wantByUser("u1", sorted(stay)...)
	}},
}
