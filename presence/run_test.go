package presence_test

import (
	"context"
	"iter"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/internal/leak"
	"github.com/sumu-live/sumu/presence"
)

// inBubble runs test on virtual time. Goroutines that are left in the bubble
// fail it, others are found by leak.
func inBubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	leak.Check(t)
	synctest.Test(t, test)
}

// run starts Run and returns a func that ends it and returns its error.
func run(t *testing.T, w *presence.Watcher, feed sumu.ChangeFeed) (end func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- w.Run(ctx, feed) }()
	synctest.Wait()
	return func() error {
		cancel()
		return <-result
	}
}

// after lets virtual time pass, then everything that is due happen.
func after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestRunFollowsFeed(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s, r := new(memstore.Store), new(recorder)
		w := newWatcher(t, s, r)
		end := run(t, w, s)
		connect(t, s, "u", "c")
		synctest.Wait()
		wantEvents(t, r, "u:1 ONLINE")
		disconnect(t, s, "u", "c")
		synctest.Wait()
		wantEvents(t, r, "u:1 ONLINE", "u:2 OFFLINE")

		wantKind(t, w.Run(t.Context(), s), sumu.ErrInvalid, "active already")
		if err := end(); err != nil {
			t.Errorf("Run returned %v at the end of its context, want nil", err)
		}
		connect(t, s, "u", "c")
		synctest.Wait()
		wantEvents(t, r, "u:1 ONLINE", "u:2 OFFLINE")

		end = run(t, w, s) // It can run again, and finds what it has missed.
		wantEvents(t, r, "u:1 ONLINE", "u:2 OFFLINE", "u:3 ONLINE")
		if err := end(); err != nil {
			t.Error(err)
		}
	})
}

func TestRunSweeps(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s, r := new(memstore.Store), new(recorder)
		w := newWatcher(t, s, r, func(o *presence.Options) {
			o.SweepEvery = time.Second
			o.ReconcileEvery = -1
		})
		defer run(t, w, s)()
		for i := range 3500 { // More than one call sweeps at a time.
			if err := s.Put(t.Context(), sumu.Connection{
				UserID: "u", ID: strconv.Itoa(i), DeleteAt: time.Now().Add(30 * time.Second),
			}); err != nil {
				t.Fatal(err)
			}
		}
		after(29 * time.Second)
		wantEvents(t, r, "u:1 ONLINE")
		after(1500 * time.Millisecond)
		wantEvents(t, r, "u:1 ONLINE", "u:2 OFFLINE")
		if n, err := s.SweepExpired(t.Context(), 0); n > 0 || err != nil {
			t.Errorf("%d expired rows were left (%v)", n, err)
		}
	})
}

func TestRunNeverSweepsNorReconciles(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s, r := new(memstore.Store), new(recorder)
		w := newWatcher(t, s, r, func(o *presence.Options) { o.SweepEvery, o.ReconcileEvery = -1, -1 })
		connect(t, s, "early", "c")
		defer run(t, w, s)()
		if err := s.Put(t.Context(), sumu.Connection{UserID: "u", ID: "c", DeleteAt: time.Now().Add(time.Second)}); err != nil {
			t.Fatal(err)
		}
		after(24 * time.Hour)
		wantEvents(t, r, "u:1 ONLINE")
	})
}

func TestRunKeepsGraceTimers(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s, r := new(memstore.Store), new(recorder)
		w := newWatcher(t, s, r, func(o *presence.Options) {
			o.Grace = 5 * time.Second
			o.ReconcileEvery = 2 * time.Second // It must not disturb them.
		})
		end := run(t, w, s)
		connect(t, s, "u", "c")
		synctest.Wait()
		disconnect(t, s, "u", "c")
		after(4 * time.Second)
		connect(t, s, "u", "d")
		after(4 * time.Second)
		disconnect(t, s, "u", "d")
		after(4900 * time.Millisecond)
		wantEvents(t, r, "u:1 ONLINE")
		after(200 * time.Millisecond)
		wantEvents(t, r, "u:1 ONLINE", "u:2 OFFLINE")

		// Observe uses the timers of Run too.
		connect(t, s, "v", "c")
		observe(t, w, "v")
		disconnect(t, s, "v", "c")
		observe(t, w, "v")
		after(5100 * time.Millisecond)
		wantEvents(t, r, "u:1 ONLINE", "u:2 OFFLINE", "v:1 ONLINE", "v:2 OFFLINE")
		if err := end(); err != nil {
			t.Error(err)
		}
		_, err := w.Observe(t.Context(), changesOf("v")...)
		wantKind(t, err, sumu.ErrUnavailable, "Run")
	})
}

func TestRunRestartsGraceOnChange(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s, r := new(memstore.Store), new(recorder)
		w := newWatcher(t, s, r, func(o *presence.Options) { o.Grace = 5 * time.Second })
		defer run(t, w, s)()
		connect(t, s, "u", "c")
		synctest.Wait()
		disconnect(t, s, "u", "c")
		after(4 * time.Second)
		connect(t, s, "u", "c") // Too short to be seen, but a change.
		disconnect(t, s, "u", "c")
		after(4900 * time.Millisecond)
		wantEvents(t, r, "u:1 ONLINE")
		after(200 * time.Millisecond)
		wantEvents(t, r, "u:1 ONLINE", "u:2 OFFLINE")
	})
}

func TestRunSeesWhatHappensMeanwhile(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := new(memstore.Store)
		release := make(chan struct{})
		r := &recorder{}
		w := newWatcher(t, s, presence.Several(r, sumu.PresencePublisherFunc(
			func(_ context.Context, e sumu.PresenceEvent) error {
				if e.UserID == "slow" {
					<-release
				}
				return nil
			})), func(o *presence.Options) { o.Concurrency = 2 })
		defer run(t, w, s)()
		connect(t, s, "slow", "c")
		synctest.Wait()
		disconnect(t, s, "slow", "c")
		connect(t, s, "quick", "c")
		synctest.Wait()
		wantEvents(t, r, "slow:1 ONLINE", "quick:1 ONLINE")
		close(release)
		synctest.Wait()
		wantEvents(t, r, "slow:1 ONLINE", "quick:1 ONLINE", "slow:2 OFFLINE")
	})
}

func TestRunReconciles(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s, r := new(memstore.Store), new(recorder)
		connect(t, s, "early", "c")
		w := newWatcher(t, s, r, func(o *presence.Options) { o.ReconcileEvery = time.Minute })
		defer run(t, w, silent{})()
		wantEvents(t, r, "early:1 ONLINE")
		disconnect(t, s, "early", "c")
		after(59 * time.Second)
		wantEvents(t, r, "early:1 ONLINE")
		after(2 * time.Second)
		wantEvents(t, r, "early:1 ONLINE", "early:2 OFFLINE")
	})
}

// silent is a feed that loses every change.
type silent struct{}

func (silent) Changes(ctx context.Context) iter.Seq[sumu.Change] {
	return func(func(sumu.Change) bool) { <-ctx.Done() }
}

func TestRunWithManyUsers(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := new(memstore.Store)
		var busy, most atomic.Int32
		r := &recorder{}
		w := newWatcher(t, s, presence.Several(r, sumu.PresencePublisherFunc(func(context.Context, sumu.PresenceEvent) error {
			most.Store(max(most.Load(), busy.Add(1)))
			time.Sleep(time.Millisecond)
			busy.Add(-1)
			return nil
		})), func(o *presence.Options) { o.Concurrency = 8 })
		defer run(t, w, s)()
		const users = 500
		for i := range users {
			connect(t, s, strconv.Itoa(i), "c")
		}
		after(time.Second)
		if n := len(r.got()); n != users {
			t.Errorf("%d events, want %d", n, users)
		}
		if n := most.Load(); n != 8 {
			t.Errorf("%d users were evaluated at once, want 8", n)
		}
	})
}
