package presence_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/presence"
)

var errDown = errors.New("down")

// recorder is a destination that keeps what it accepts.
type recorder struct {
	mu     sync.Mutex
	events []string // "u1:1 ONLINE"
	tries  int
	err    func(e sumu.PresenceEvent) error // nil: accept everything
}

func (r *recorder) PublishPresence(_ context.Context, e sumu.PresenceEvent) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tries++
	if r.err != nil {
		if err := r.err(e); err != nil {
			return err
		}
	}
	r.events = append(r.events, e.ID()+" "+string(e.Status))
	return nil
}

func (r *recorder) setErr(f func(e sumu.PresenceEvent) error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err = f
}

func (r *recorder) got() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events)
}

func wantEvents(t *testing.T, r *recorder, want ...string) {
	t.Helper()
	if got := r.got(); !slices.Equal(got, want) {
		t.Errorf("events are %q, want %q", got, want)
	}
}

// spy is a store that counts its calls and can be made to fail.
type spy struct {
	*memstore.Store
	reads, counts, saves, marks atomic.Int32
	onRead                      func(userID string) error
	onCount                     func(userID string) error
	onSave                      func(row sumu.PresenceRow) error
}

func (s *spy) Presence(ctx context.Context, userID string) (sumu.PresenceRow, error) {
	s.reads.Add(1)
	if s.onRead != nil {
		if err := s.onRead(userID); err != nil {
			return sumu.PresenceRow{}, err
		}
	}
	return s.Store.Presence(ctx, userID)
}

func (s *spy) HasLive(ctx context.Context, userID string) (bool, error) {
	s.counts.Add(1)
	live, err := s.Store.HasLive(ctx, userID)
	if s.onCount != nil {
		err = errors.Join(err, s.onCount(userID))
	}
	return live, err
}

func (s *spy) SavePresence(ctx context.Context, row sumu.PresenceRow) error {
	s.saves.Add(1)
	if s.onSave != nil {
		if err := s.onSave(row); err != nil {
			return err
		}
	}
	return s.Store.SavePresence(ctx, row)
}

func (s *spy) MarkAnnounced(ctx context.Context, userID string, version int64) error {
	s.marks.Add(1)
	return s.Store.MarkAnnounced(ctx, userID, version)
}

// calls returns how many reads and writes there were since the last call of it.
func (s *spy) calls() (reads, writes int32) {
	return s.reads.Swap(0) + s.counts.Swap(0), s.saves.Swap(0) + s.marks.Swap(0)
}

func newWatcher(t *testing.T, store presence.Store, pub sumu.PresencePublisher, optFns ...func(*presence.Options)) *presence.Watcher {
	t.Helper()
	w, err := presence.New(store, pub, optFns...)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func connect(t *testing.T, s *memstore.Store, userID, id string) {
	t.Helper()
	if err := s.Put(t.Context(), sumu.Connection{UserID: userID, ID: id}); err != nil {
		t.Fatal(err)
	}
}

func disconnect(t *testing.T, s *memstore.Store, userID, id string) {
	t.Helper()
	if err := s.Delete(t.Context(), sumu.ConnectionRef{UserID: userID, ConnectionID: id}); err != nil {
		t.Fatal(err)
	}
}

func observe(t *testing.T, w *presence.Watcher, users ...string) {
	t.Helper()
	if _, err := w.Observe(t.Context(), changesOf(users...)...); err != nil {
		t.Fatal(err)
	}
}

func changesOf(users ...string) (changes []sumu.Change) {
	for _, u := range users {
		changes = append(changes, sumu.Change{UserID: u})
	}
	return changes
}

func row(t *testing.T, s *memstore.Store, userID string) sumu.PresenceRow {
	t.Helper()
	r, err := s.Presence(t.Context(), userID)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// clock is a clock that a test moves.
type clock struct{ ms atomic.Int64 }

func newClock() *clock {
	c := new(clock)
	c.ms.Store(1_700_000_000_000)
	return c
}

func (c *clock) now() time.Time          { return time.UnixMilli(c.ms.Load()).UTC() }
func (c *clock) advance(d time.Duration) { c.ms.Add(d.Milliseconds()) }

func wantKind(t *testing.T, err, kind error, text string) {
	t.Helper()
	if !errors.Is(err, kind) || !strings.Contains(err.Error(), text) {
		t.Errorf("error is %v, want %v with %q", err, kind, text)
	}
}
