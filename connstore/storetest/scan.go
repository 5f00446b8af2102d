package storetest

import (
	"fmt"

	"github.com/sumu-live/sumu"
)

var scanCases = []testCase{
	{"A loop may be left at any row", func(e *env) {
		rows := e.crowd("u1", 300)
		e.put(rows...)
		e.wantAll(sumu.Segment{}, rows)
		e.wantByUser("u1", rows...)
		for _, n := range []int{1, 2, 100, 299, 300} {
			if got := e.some(sumu.Segment{}, n); len(got) != n {
				e.Errorf("All yields %d rows, want %d", len(got), n)
			}
			seen := 0
			for _, err := range e.store.ByUser(e.ctx, "u1") {
				if err != nil {
					e.Fatalf("ByUser: %v", err)
				}
				if seen++; seen == n {
					break
				}
			}
			if seen != n {
				e.Errorf("ByUser yields %d rows, want %d", seen, n)
			}
			// No lock may be left behind.
			e.put(rows[0])
		}
	}},

	{"An iterator can be ranged over twice", func(e *env) {
		rows := e.crowd("u1", 10)
		e.put(rows...)
		e.wantAll(sumu.Segment{}, rows)
		e.wantByUser("u1", rows...)
		all, byUser := e.store.All(e.ctx, sumu.Segment{}), e.store.ByUser(e.ctx, "u1")
		for range 2 {
			if o := count(all); o.rows != len(rows) || o.errs != nil {
				e.Errorf("All yields %d rows, want %d; errors: %v", o.rows, len(rows), o.errs)
			}
			if o := count(byUser); o.rows != len(rows) || o.errs != nil {
				e.Errorf("ByUser yields %d rows, want %d; errors: %v", o.rows, len(rows), o.errs)
			}
		}
	}},

	{"The body of a loop may read and write the store", func(e *env) {
		rows := e.table()
		e.put(rows...)
		e.wantAll(sumu.Segment{}, rows)
		seen := make(map[sumu.ConnectionRef]int)
		for c, err := range e.store.All(e.ctx, sumu.Segment{}) {
			if err != nil {
				e.Fatalf("All: %v", err)
			}
			seen[c.Ref()]++
			e.wantRow(c)
			e.wantLive(c.UserID, true)
			removed, err := e.store.Prune(e.ctx, c.Ref(), e.f.Now())
			if err != nil || !removed {
				e.Fatalf("Prune reports %t, %v", removed, err)
			}
		}
		for _, c := range rows {
			if n := seen[c.Ref()]; n != 1 {
				e.Errorf("All yields %s %d times while rows are pruned", name(c.Ref()), n)
			}
		}
		e.wantAll(sumu.Segment{}, nil)
	}},

	{"The body of a loop over a user may prune the user's rows", func(e *env) {
		rows := e.crowd("u1", 300)
		e.put(rows...)
		e.wantByUser("u1", rows...)
		seen := 0
		for c, err := range e.store.ByUser(e.ctx, "u1") {
			if err != nil {
				e.Fatalf("ByUser: %v", err)
			}
			if c.ID != rows[seen].ID {
				e.Fatalf("row %d is %s, want %s", seen, c.ID, rows[seen].ID)
			}
			seen++
			if _, err := e.store.Prune(e.ctx, c.Ref(), e.f.Now()); err != nil {
				e.Fatalf("Prune: %v", err)
			}
		}
		if seen != len(rows) {
			e.Errorf("ByUser yields %d rows, want %d", seen, len(rows))
		}
		e.wantLive("u1", false)
	}},

	{"A row that is there from beginning to end is yielded once, whatever comes and goes", func(e *env) {
		var stay, leave []sumu.Connection
		for i := range 200 {
			user := fmt.Sprint("user-", i%70)
			stay = append(stay, e.conn(user, fmt.Sprint("stay-", i)))
			leave = append(leave, e.conn(user, fmt.Sprint("go-", i)))
		}
		e.put(stay...)
		e.put(leave...)
		e.wantAll(sumu.Segment{}, append(stay[:len(stay):len(stay)], leave...))
		for _, n := range []int{1, 3} {
			seen, step := make(map[sumu.ConnectionRef]int), 0
			for i := range n {
				for c, err := range e.store.All(e.ctx, sumu.Segment{Index: i, Count: n}) {
					if err != nil {
						e.Fatalf("All: %v", err)
					}
					seen[c.Ref()]++
					if step < len(leave) {
						if err := e.store.Delete(e.ctx, leave[step].Ref()); err != nil {
							e.Fatalf("Delete: %v", err)
						}
						e.put(e.conn(fmt.Sprint("user-", step%90), fmt.Sprint("come-", n, step)))
					}
					step++
				}
			}
			for _, c := range stay {
				if seen[c.Ref()] != 1 {
					e.Errorf("All in %d segments yields %s %d times", n, name(c.Ref()), seen[c.Ref()])
				}
			}
		}
	}},
}
