package sweep_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/connstore/sweep"
)

// After an outage of the table every lease has expired, those of the living as
// well: they have a moment to take theirs again.
func TestAnOutageKillsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.Store = new(memstore.Store) // by the bubble's clock
		w.now = time.Now()
		w.hold(dead, 30*time.Second)
		w.hold(live, 30*time.Second)
		w.row("dead", dead, time.Minute)
		w.row("live", live, time.Minute)
		time.Sleep(time.Minute)
		w.now = time.Now()
		go func() {
			time.Sleep(10 * time.Second) // It waits for a call of the outage to end, and tries again.
			w.now = time.Now()
			w.hold(live, 30*time.Second)
		}()
		s := w.sweeper(func(o *sweep.Options) { o.Now, o.Takeover = time.Now, 0 })
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		r, _, err := s.Run(ctx, sumu.Segment{})
		if err != nil || !r.Complete || r.NodeDead != 1 {
			t.Errorf("report %+v, %v", r, err)
		}
		w.wantLeft("live")
		if rev := w.leaseRev(live); rev != 2 {
			t.Errorf("the living node's lease has rev %d", rev)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
	})
}
