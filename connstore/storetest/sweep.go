package storetest

import (
	"fmt"
	"sync"
	"time"

	"github.com/sumu-live/sumu"
)

func (e *env) sweep(limit int) int {
	e.Helper()
	n, err := power[sumu.Sweeper](e).SweepExpired(e.ctx, limit)
	if err != nil {
		e.Fatalf("SweepExpired: %v", err)
	}
	return n
}

func (e *env) wantSwept(limit, want int) {
	e.Helper()
	if got := e.sweep(limit); got != want {
		e.Errorf("SweepExpired with limit %d removes %d rows, want %d", limit, got, want)
	}
}

var sweepCases = []testCase{
	{"SweepExpired removes the expired rows and leaves the others", func(e *env) {
		rows := e.table()
		forever := e.conn("forever", "c1")
		forever.DeleteAt = time.Time{}
		rows = append(rows, forever)
		past := e.expiredTable()
		e.put(rows...)
		e.put(past...)
		e.settle()
		e.wantSwept(0, len(past))
		e.settle()
		e.wantSwept(0, 0)
		e.wantAll(sumu.Segment{}, rows)
		for _, c := range rows {
			e.wantRow(c)
		}
	}},

	{"SweepExpired of an empty table removes nothing", func(e *env) {
		for _, limit := range []int{0, 1, -1} {
			e.wantSwept(limit, 0)
		}
	}},

	{"SweepExpired removes up to limit rows", func(e *env) {
		past := e.expiredTable()
		live := e.conn("user-0", "c1")
		e.put(past...)
		e.put(live)
		left := len(past)
		for _, limit := range []int{1, 7, 20} {
			e.settle()
			e.wantSwept(limit, limit)
			left -= limit
		}
		e.settle()
		e.wantSwept(1000, left)
		e.wantRow(live)
	}},

	{"SweepExpired with limit 0 or less removes all of them", func(e *env) {
		for _, limit := range []int{0, -1} {
			rows := e.crowd("guest", e.f.crowd)
			for i := range rows {
				rows[i].DeleteAt = e.f.Now().Add(-time.Hour)
			}
			live := e.conn("guest", "z")
			e.put(rows...)
			e.put(live)
			e.settle()
			e.wantSwept(limit, len(rows))
			e.wantByUser("guest", live)
		}
	}},

	{"SweepExpired finds rows whose DeleteAt was moved", func(e *env) {
		c := e.conn("u1", "c1")
		e.put(c)
		e.put(e.expired("u1", "c1"))
		e.put(e.expired("u2", "c1"))
		live := e.conn("u2", "c1")
		e.put(live)
		e.settle()
		e.wantSwept(0, 1)
		e.wantAbsent(c.Ref())
		e.wantRow(live)
	}},

	{"SweepExpired never removes a row that is being replaced by a live one", func(e *env) {
		for round := range e.f.rounds {
			c := e.conn("u1", fmt.Sprint("c", round))
			e.put(e.expired(c.UserID, c.ID))
			race(round, func() { e.sweepQuietly() }, func() {
				if err := e.store.Put(e.ctx, c); err != nil {
					e.Errorf("Put: %v", err)
				}
			})
			e.wantRow(c)
		}
	}},

	{"Sweeps at the same time count every row once", func(e *env) {
		past := e.expiredTable()
		e.put(past...)
		e.settle()
		removed := make([]int, 4)
		var wg sync.WaitGroup
		for i := range removed {
			wg.Go(func() { removed[i] = e.sweepQuietly() })
		}
		wg.Wait()
		sum := 0
		for _, n := range removed {
			sum += n
		}
		if sum != len(past) {
			e.Errorf("the sweeps report %v, %d in all, want %d", removed, sum, len(past))
		}
	}},
}

// sweepQuietly is sweep for goroutines, which must not end the test.
func (e *env) sweepQuietly() int {
	n, err := power[sumu.Sweeper](e).SweepExpired(e.ctx, 0)
	if err != nil {
		e.Errorf("SweepExpired: %v", err)
	}
	return n
}

var advanceSweepCases = []testCase{
	{"SweepExpired removes rows once their time has come, and no renewed one", func(e *env) {
		now := e.f.Now().Truncate(time.Second)
		var rows []sumu.Connection
		for i := range 100 {
			c := e.conn(fmt.Sprint("u", i%10), fmt.Sprint("c", i))
			c.DeleteAt = now.Add(time.Duration(1+i/50) * time.Hour)
			rows = append(rows, c)
		}
		e.put(rows...)
		e.settle()
		e.wantSwept(0, 0)
		// The first ten are renewed: by Touch where there is one, else by Put.
		for i := range 10 {
			rows[i].DeleteAt = now.Add(3 * time.Hour)
			if e.f.Touch {
				e.touch(rows[i].Ref(), rows[i].DeleteAt)
			} else {
				e.put(rows[i])
			}
		}
		e.f.Advance(now.Add(time.Hour).Sub(e.f.Now()))
		e.settle()
		e.wantSwept(0, 40)
		e.wantAll(sumu.Segment{}, append(rows[:10:10], rows[50:]...))
		e.f.Advance(time.Hour)
		e.settle()
		e.wantSwept(0, 50)
		e.wantAll(sumu.Segment{}, rows[:10])
		e.f.Advance(time.Hour)
		e.settle()
		e.wantSwept(0, 10)
		e.wantAll(sumu.Segment{}, nil)
	}},
}
