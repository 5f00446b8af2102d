package storetest

import (
	"fmt"
	"sync"

	"github.com/sumu-live/sumu"
)

var concurrencyCases = []testCase{
	{"All methods are safe for concurrent use", func(e *env) {
		stay := e.table()
		e.put(stay...)
		e.wantAll(sumu.Segment{}, stay)
		var writers, readers sync.WaitGroup
		done := make(chan struct{})
		for g := range 6 {
			writers.Go(func() { e.churn(g, done) })
		}
		for g := range 2 {
			readers.Go(func() {
				for range 10 {
					e.watch(stay, g)
				}
			})
		}
		readers.Wait()
		close(done)
		writers.Wait()
		e.wantAll(sumu.Segment{}, stay)
		for _, c := range stay {
			e.wantRow(c)
		}
	}},

	{"Writers of one user do not lose each other's rows", func(e *env) {
		rows := e.crowd("guest", 400)
		e.put(rows...) // From many goroutines.
		e.wantByUser("guest", rows...)
		err := parallel(len(rows), func(i int) error {
			if i%2 == 0 {
				return e.store.Delete(e.ctx, rows[i].Ref())
			}
			return e.store.Put(e.ctx, rows[i])
		})
		if err != nil {
			e.Fatalf("%v", err)
		}
		var left []sumu.Connection
		for i, c := range rows {
			if i%2 == 1 {
				left = append(left, c)
			}
		}
		e.wantByUser("guest", left...)
	}},
}

// churn writes and removes rows of its own, among the users of table, until
// done is closed. It fails when it does not see what it wrote.
func (e *env) churn(g int, done <-chan struct{}) {
	for i := 0; ; i++ {
		select {
		case <-done:
			return
		default:
		}
		c := e.conn(fmt.Sprint("user-", i%32), fmt.Sprint("churn-", g, "-", i%7))
		if err := e.store.Put(e.ctx, c); err != nil {
			e.Errorf("Put: %v", err)
			return
		}
		if got, err := e.store.Get(e.ctx, c.Ref()); err != nil || difference(got, c) != "" {
			e.Errorf("Get after Put: %+v, %v", got, err)
		}
		if ok, err := e.store.HasLive(e.ctx, c.UserID); err != nil || !ok {
			e.Errorf("HasLive after Put: %t, %v", ok, err)
		}
		if i%2 == 0 {
			if err := e.store.Delete(e.ctx, c.Ref()); err != nil {
				e.Errorf("Delete: %v", err)
			}
		} else if removed, err := e.store.Prune(e.ctx, c.Ref(), e.f.Now()); err != nil || !removed {
			e.Errorf("Prune after Put: %t, %v", removed, err)
		}
		if _, err := e.store.Get(e.ctx, c.Ref()); err == nil {
			e.Errorf("Get after the removal finds %s", name(c.Ref()))
			return
		}
	}
}

// watch scans once and fails unless every row that stays comes exactly once.
func (e *env) watch(stay []sumu.Connection, g int) {
	seen := make(map[sumu.ConnectionRef]int)
	for i := range 1 + g {
		for c, err := range e.store.All(e.ctx, sumu.Segment{Index: i, Count: 1 + g}) {
			if err != nil {
				e.Errorf("All: %v", err)
				return
			}
			seen[c.Ref()]++
		}
	}
	for _, c := range stay {
		if n := seen[c.Ref()]; n != 1 {
			e.Errorf("All yields %s %d times while others write", name(c.Ref()), n)
			return
		}
	}
	last := ""
	for c, err := range e.store.ByUser(e.ctx, "guest") {
		if err != nil || c.ID <= last {
			e.Errorf("ByUser yields %s after %s, error %v", c.ID, last, err)
			return
		}
		last = c.ID
	}
}
