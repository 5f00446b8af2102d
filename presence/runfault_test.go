package presence_test

import (
	"bytes"
	"context"
	"iter"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/presence"
)

func TestRunTriesAgain(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := new(memstore.Store)
		var tries atomic.Int32
		r := &recorder{err: func(e sumu.PresenceEvent) error {
			if e.UserID == "bad" {
				tries.Add(1)
				return errDown
			}
			return nil
		}}
		var log bytes.Buffer
		w := newWatcher(t, s, r, func(o *presence.Options) {
			o.Concurrency = 1
			o.RetryMin, o.RetryMax = 100*time.Millisecond, 10*time.Second
			o.Logger = slog.New(slog.NewTextHandler(&log, nil))
		})
		defer run(t, w, s)()
		connect(t, s, "bad", "c")
		connect(t, s, "good", "c")
		synctest.Wait()
		wantEvents(t, r, "good:1 ONLINE") // Nobody waits for the other.
		if n := tries.Load(); n != 1 {
			t.Errorf("tried %d times at once, want 1", n)
		}
		connect(t, s, "bad", "d") // A change is no reason to hurry.
		synctest.Wait()
		if n := tries.Load(); n != 1 {
			t.Errorf("tried %d times, want the pause kept", n)
		}
		after(time.Minute)
		// Pauses of half to all of 0.1, 0.2, … 6.4, then 10 s.
		if n := tries.Load(); n < 11 || n > 22 {
			t.Errorf("tried %d times in a minute, want 11 to 22", n)
		}
		if text := log.String(); !strings.Contains(text, "user_id=bad") || !strings.Contains(text, "down") {
			t.Errorf("the log says nothing of it: %q", text)
		}
		disconnect(t, s, "bad", "c")
		disconnect(t, s, "bad", "d")
		r.setErr(nil)
		after(10 * time.Second)
		wantEvents(t, r, "good:1 ONLINE", "bad:1 ONLINE", "bad:2 OFFLINE")
	})
}

// over is a feed that ends by itself.
type over struct{}

func (over) Changes(context.Context) iter.Seq[sumu.Change] {
	return func(func(sumu.Change) bool) {}
}

func TestRunWithoutFeed(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWatcher(t, new(memstore.Store), new(recorder))
		wantKind(t, w.Run(t.Context(), nil), sumu.ErrInvalid, "ChangeFeed")
		wantKind(t, w.Run(t.Context(), over{}), sumu.ErrClosed, "ended")
	})
}

func TestRunEndsEvaluations(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := new(memstore.Store)
		var ended atomic.Bool
		w := newWatcher(t, s, sumu.PresencePublisherFunc(func(ctx context.Context, _ sumu.PresenceEvent) error {
			<-ctx.Done()
			time.Sleep(time.Second)
			ended.Store(true)
			return ctx.Err()
		}))
		end := run(t, w, s)
		connect(t, s, "u", "c")
		synctest.Wait()
		if err := end(); err != nil || !ended.Load() {
			t.Errorf("Run returned %v, the evaluation has ended: %v", err, ended.Load())
		}
		if p := row(t, s, "u"); p.Version != 1 || p.Announced != 0 {
			t.Fatalf("row is %+v, want an event that is not announced", p)
		}
		r := new(recorder)
		next := newWatcher(t, s, r)
		defer run(t, next, s)()
		wantEvents(t, r, "u:1 ONLINE") // The next Run finishes it.
	})
}

// failing is a store whose scans and sweeps fail while down.
type failing struct {
	*memstore.Store
	down atomic.Bool
}

func (f *failing) SweepExpired(ctx context.Context, limit int) (int, error) {
	if f.down.Load() {
		return 0, errDown
	}
	return f.Store.SweepExpired(ctx, limit)
}

func (f *failing) All(ctx context.Context, seg sumu.Segment) iter.Seq2[sumu.Connection, error] {
	if f.down.Load() {
		return func(yield func(sumu.Connection, error) bool) { yield(sumu.Connection{}, errDown) }
	}
	return f.Store.All(ctx, seg)
}

func TestRunOutlivesFailingScans(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s, r := &failing{Store: new(memstore.Store)}, new(recorder)
		s.down.Store(true)
		var log bytes.Buffer
		w := newWatcher(t, s, r, func(o *presence.Options) {
			o.Logger = slog.New(slog.NewTextHandler(&log, nil))
			o.ReconcileEvery = time.Minute
		})
		if err := s.Put(t.Context(), sumu.Connection{UserID: "u", ID: "c", DeleteAt: time.Now().Add(90 * time.Second)}); err != nil {
			t.Fatal(err)
		}
		end := run(t, w, s)
		after(30 * time.Second)
		wantEvents(t, r)
		s.down.Store(false)
		after(31 * time.Second)
		wantEvents(t, r, "u:1 ONLINE")
		after(time.Minute)
		wantEvents(t, r, "u:1 ONLINE", "u:2 OFFLINE")
		if err := end(); err != nil {
			t.Error(err)
		}
		for _, what := range []string{"sweep failed", "reconciliation failed"} {
			if !strings.Contains(log.String(), what) {
				t.Errorf("the log does not say %q", what)
			}
		}
	})
}
