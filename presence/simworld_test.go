package presence_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/presence"
)

// world is everything that one walk of the model test has: a virtual clock, a
// real store, watchers over it, the change records on their way to them, and
// what was published. Whatever happens, happens in one step at a time.
type world struct {
	rng    *rand.Rand
	plan   plan
	broken rule
	stats  *stats
	trace  func(format string, args ...any) // nil: off

	store modelStore
	whole bool // the store keeps expiries to the second
	// trusting: what HasLive says is not checked, but what comes of it.
	trusting bool
	// missed, if set, reports whether a sweep has missed an expired row.
	missed func(c *conn) bool
	start  time.Time
	now    time.Time
	step   int
	calm   bool // the end of the walk: no more faults and changes

	users   []*user
	conns   []*conn
	bag     []record // of changes and delayed checks that wait to be delivered
	workers []*worker

	violation error // the first
}

// modelStore is what a walk needs of a store.
type modelStore interface {
	sumu.Store
	sumu.PresenceStore
	sumu.Toucher
	sumu.Sweeper
}

// newStore makes a walk's store, which has no rows, by the walk's clock.
type newStore func(now func() time.Time) (modelStore, error)

func inMemory(now func() time.Time) (modelStore, error) { return &memstore.Store{Now: now}, nil }

// plan is what a walk is like.
type plan struct {
	users, workers int
	steps          int // before the calm
	busy           int // of 100 steps are the world's, not a watcher's
	grace          time.Duration
	attempts       int
	faults         int  // of 100 calls
	crashes        int  // of 100 steps
	skewed         bool // the watchers' clocks differ
	lossy          bool // records get lost for good; reconciliation must find out
}

// user is a user, and what the consumers of events have seen of it.
type user struct {
	id     string
	events []sumu.PresenceEvent // the first publication of each version
	live   bool                 // by the connections
	since  int                  // the step at which live became so
	epoch  int                  // see presenceRowsExpire

	// graceFrom is when a grace period must have begun: when an evaluation of
	// a change found nobody, or the first one after somebody was there.
	graceFrom time.Time
}

// conn is a connection's row, as the store should have it.
type conn struct {
	ref      sumu.ConnectionRef
	deleteAt time.Time
	present  bool // perhaps expired, but not removed
}

func (c *conn) live(now time.Time) bool { return c.present && now.Before(c.deleteAt) }

// record is a change record, or a delayed check.
type record struct {
	user   *user
	check  bool
	insert bool      // of a change: a row was written
	due    time.Time // of a check
	seq    int64     // of a check: the row's when it was asked for
}

// stats prove that the walks go where they should.
type stats struct {
	steps, events, duplicates, conflicts, crashes, faults, swept, early, repaired int
}

func (s *stats) add(o stats) {
	s.steps += o.steps
	s.events += o.events
	s.duplicates += o.duplicates
	s.conflicts += o.conflicts
	s.crashes += o.crashes
	s.faults += o.faults
	s.swept += o.swept
	s.early += o.early
	s.repaired += o.repaired
}

var bg = context.Background()

func newWorld(seed uint64, broken rule, st *stats) *world {
	w := planWorld(seed, broken, st)
	w.start = time.UnixMilli(1_700_000_000_000).UTC()
	w.populate(inMemory)
	return w
}

// planWorld draws what a walk is like; populate makes it so.
func planWorld(seed uint64, broken rule, st *stats) *world {
	w := &world{
		rng:    rand.New(rand.NewPCG(seed*0x9e3779b97f4a7c15, seed)),
		broken: broken,
		stats:  st,
	}
	w.plan = plan{
		users:    []int{1, 1, 1, 2}[w.rng.IntN(4)],
		workers:  []int{1, 2, 3, 3}[w.rng.IntN(4)],
		steps:    10 + w.rng.IntN(180),
		busy:     10 + w.rng.IntN(40),
		grace:    []time.Duration{0, 0, 3 * time.Second, 10 * time.Second}[w.rng.IntN(4)],
		attempts: []int{2, 3, 10}[w.rng.IntN(3)],
		faults:   []int{0, 0, 5, 20}[w.rng.IntN(4)],
		crashes:  []int{0, 3, 10}[w.rng.IntN(3)],
		skewed:   w.rng.IntN(2) == 0,
		lossy:    w.rng.IntN(8) == 0,
	}
	return w
}

func (w *world) populate(newStore newStore) {
	w.now = w.start
	var err error
	w.store, err = newStore(func() time.Time { return w.now })
	w.must(err)
	for i := range w.plan.users {
		w.users = append(w.users, &user{id: string(rune('a' + i))})
	}
	for range w.plan.workers {
		w.workers = append(w.workers, newWorker(w))
	}
}

func (w *world) failf(format string, args ...any) {
	if w.violation == nil {
		w.violation = fmt.Errorf(format, args...)
		w.tracef("VIOLATION: %v", w.violation)
	}
}

func (w *world) tracef(format string, args ...any) {
	if w.trace != nil {
		w.trace("%4d %8v "+format, append([]any{w.step, w.now.Sub(w.start)}, args...)...)
	}
}

func (w *world) chance(percent int) bool { return w.rng.IntN(100) < percent }

// moved must be called after every step that can change who is connected.
func (w *world) moved() {
	for _, u := range w.users {
		if live := w.isLive(u); live != u.live {
			u.live, u.since = live, w.step
		}
	}
}

func (w *world) isLive(u *user) bool {
	for _, c := range w.conns {
		if c.ref.UserID == u.id && c.live(w.now) {
			return true
		}
	}
	return false
}

// wasSo reports whether the user was in a state at any time from a step to now.
func (u *user) wasSo(live bool, from int) bool { return u.live == live || u.since > from }

// rowOf is the name under which a user's presence row is stored.
func (w *world) rowOf(userID string) string {
	if epoch := w.users[userID[0]-'a'].epoch; epoch > 0 {
		return fmt.Sprintf("%s#%d", userID, epoch)
	}
	return userID
}

var (
	errFault     = errors.New("injected fault")
	errCrashed   = errors.New("crashed")
	errAbandoned = errors.New("abandoned")
)

var _ presence.Store = (*memstore.Store)(nil)
