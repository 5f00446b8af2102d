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

// failing is a table that cannot be read at first, at the second look.
type failing struct {
	*memstore.Store
	looks int
}

func (f *failing) LoadRecord(ctx context.Context, kind, key string) (sumu.Record, error) {
	if f.looks++; f.looks == 2 {
		return sumu.Record{}, errRefused
	}
	return f.Store.LoadRecord(ctx, kind, key)
}

// A run that has no time to wait leaves the node alone, and one during which the
// table was out of reach waits anew.
func TestNobodyIsTakenForDeadTooSoon(t *testing.T) {
	for name, tt := range map[string]struct {
		time, want time.Duration
		left       int // rows; the store has them in no particular order
	}{
		"no time":           {10 * time.Second, 8 * time.Second, 2},
		"an outage between": {time.Minute, 30 * time.Second, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.Store = new(memstore.Store)
				w.now = time.Now()
				w.row("dead-1", dead, time.Minute)
				w.row("dead-2", live, time.Minute)
				leases := &failing{Store: w.Store}
				s := w.sweeper(func(o *sweep.Options) { o.Now, o.Takeover, o.Leases = time.Now, 0, leases })
				ctx, cancel := context.WithTimeout(t.Context(), tt.time)
				defer cancel()
				start := time.Now()
				_, _, err := s.Run(ctx, sumu.Segment{})
				if took := time.Since(start); took != tt.want {
					t.Errorf("it took %v, want %v (%v)", took, tt.want, err)
				}
				if left := w.left(); len(left) != tt.left {
					t.Errorf("rows left: %q, want %d", left, tt.left)
				}
			})
		})
	}
}
