package storetest

import (
	"fmt"
	"sync"
	"time"

	"github.com/sumu-live/sumu"
)

// wantPrune fails unless Prune reports what is wanted.
func (e *env) wantPrune(ref sumu.ConnectionRef, notAfter time.Time, want bool) {
	e.Helper()
	removed, err := e.store.Prune(e.ctx, ref, notAfter)
	if err != nil {
		e.Fatalf("Prune of %s: %v", name(ref), err)
	}
	if removed != want {
		e.Errorf("Prune of %s reports %t, want %t", name(ref), removed, want)
	}
}

var pruneCases = []testCase{
	{"Prune removes a row that was accepted before notAfter", func(e *env) {
		for _, by := range []time.Duration{time.Millisecond, time.Second, time.Hour} {
			c := e.conn("u1", "c1")
			e.put(c)
			e.wantPrune(c.Ref(), c.ConnectedAt.Add(by), true)
			e.wantAbsent(c.Ref())
			e.wantLive("u1", false)
			e.wantByUser("u1")
		}
	}},

	{"Prune keeps a row that was accepted at notAfter", func(e *env) {
		c := e.conn("u1", "c1")
		e.put(c)
		e.wantPrune(c.Ref(), c.ConnectedAt, false)
		e.wantRow(c)
	}},

	{"Prune keeps a row that was accepted after notAfter", func(e *env) {
		c := e.conn("u1", "c1")
		e.put(c)
		for _, by := range []time.Duration{time.Millisecond, time.Second, time.Hour} {
			e.wantPrune(c.Ref(), c.ConnectedAt.Add(-by), false)
			e.wantRow(c)
		}
	}},

	{"Prune removes a row without ConnectedAt", func(e *env) {
		c := e.conn("u1", "c1")
		c.ConnectedAt = time.Time{}
		for _, notAfter := range []time.Time{e.f.Now(), time.Unix(0, 0), {}} {
			e.put(c)
			e.wantPrune(c.Ref(), notAfter, true)
			e.wantAbsent(c.Ref())
		}
	}},

	{"Prune of an absent row reports false and is no error", func(e *env) {
		c := e.conn("u1", "c1")
		e.wantPrune(c.Ref(), e.f.Now(), false)
		e.put(c)
		e.wantPrune(c.Ref(), e.f.Now(), true)
		e.wantPrune(c.Ref(), e.f.Now(), false)
	}},

	{"Prune removes one row and no other", func(e *env) {
		rows := []sumu.Connection{e.conn("u1", "a"), e.conn("u1", "b"), e.conn("u2", "b")}
		e.put(rows...)
		e.wantPrune(rows[1].Ref(), e.f.Now(), true)
		e.wantAll(sumu.Segment{}, []sumu.Connection{rows[0], rows[2]})
	}},

	{"Prune of an expired row is no error", func(e *env) {
		// Whether it reports the removal of what counts as absent is open.
		c := e.expired("u1", "c1")
		e.put(c)
		if _, err := e.store.Prune(e.ctx, c.Ref(), e.f.Now()); err != nil {
			e.Errorf("Prune: %v", err)
		}
		e.wantAbsent(c.Ref())
		e.wantByUser("u1")
	}},

	{"Prune never removes the row of a connection that was just accepted", func(e *env) {
		// The row is replaced by a younger one while it is pruned: whichever
		// comes first, the younger one stays.
		for round := range e.f.rounds {
			old := e.conn("u1", fmt.Sprint("c", round))
			young := old
			young.ConnectedAt = e.f.Now().Truncate(time.Second)
			e.put(old)
			race(round, func() {
				if _, err := e.store.Prune(e.ctx, old.Ref(), young.ConnectedAt); err != nil {
					e.Errorf("Prune: %v", err)
				}
			}, func() {
				if err := e.store.Put(e.ctx, young); err != nil {
					e.Errorf("Put: %v", err)
				}
			})
			e.wantRow(young)
		}
	}},

	{"Of many that prune a row exactly one is told that it removed it", func(e *env) {
		for round := range e.f.rounds / 10 {
			c := e.conn("u1", fmt.Sprint("c", round))
			e.put(c)
			var wg sync.WaitGroup
			removed := make([]bool, 8)
			for i := range removed {
				wg.Go(func() {
					var err error
					if removed[i], err = e.store.Prune(e.ctx, c.Ref(), e.f.Now()); err != nil {
						e.Errorf("Prune: %v", err)
					}
				})
			}
			wg.Wait()
			if n := countTrue(removed); n != 1 {
				e.Errorf("%d of %d calls report the removal", n, len(removed))
			}
		}
	}},
}

func countTrue(flags []bool) (n int) {
	for _, f := range flags {
		if f {
			n++
		}
	}
	return n
}
