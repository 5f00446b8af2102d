package presence

import (
	"context"
	"iter"
	"sync"
	"time"

	"github.com/sumu-live/sumu"
)

// Run is the loop for one process: it follows the feed, evaluates the users,
// tries those again whose evaluation failed, keeps the timers of Grace, sweeps
// expired rows if the store is a [sumu.Sweeper], and reconciles, at first when
// it starts. One user's failure holds up nobody else, and none is given up.
//
// It returns nil when ctx ends, after everything it started has ended. An
// evaluation that was cut short is finished by the next Run's reconciliation.
// ErrInvalid is returned without a feed or while another Run of the same
// Watcher is active, ErrClosed when the feed ends before ctx does.
func (w *Watcher) Run(ctx context.Context, feed sumu.ChangeFeed) error {
	if feed == nil {
		return invalid("Run needs a ChangeFeed")
	}
	l := &loop{w: w, tasks: make(map[string]*task), wake: make(chan struct{}, 1)}
	if !w.run.CompareAndSwap(nil, l) {
		return invalid("Run is active already")
	}
	defer w.run.Store(nil)

	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer l.end()
	defer cancel()

	// Before the reconciliation: what changes after it must not be missed.
	changes := feed.Changes(ctx)
	feedEnded := make(chan struct{})
	wg.Go(func() {
		defer close(feedEnded)
		l.follow(changes)
	})
	if sweeper, ok := w.store.(sumu.Sweeper); ok && w.opts.SweepEvery > 0 {
		wg.Go(func() { every(ctx, w.opts.SweepEvery, func() { l.sweep(ctx, sweeper) }) })
	}
	if w.opts.ReconcileEvery > 0 {
		wg.Go(func() {
			l.reconcile(ctx)
			every(ctx, w.opts.ReconcileEvery, func() { l.reconcile(ctx) })
		})
	}
	return l.evaluate(ctx, &wg, feedEnded)
}

// loop is one Run.
type loop struct {
	w    *Watcher
	wake chan struct{} // capacity 1: something has changed below

	mu      sync.Mutex
	tasks   map[string]*task // by user: those waiting and those being evaluated
	waiting taskHeap
	busy    int // tasks being evaluated
	peak    int // the most tasks since tasks was made
	ended   bool
}

// end refuses further tasks: nobody would see to them.
func (l *loop) end() {
	l.mu.Lock()
	l.ended = true
	l.mu.Unlock()
}

func (l *loop) follow(changes iter.Seq[sumu.Change]) {
	for c := range changes {
		l.add(c.UserID, 0, true)
	}
}

// evaluate starts the tasks that are due until ctx or the feed ends.
func (l *loop) evaluate(ctx context.Context, wg *sync.WaitGroup, feedEnded <-chan struct{}) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		if ctx.Err() != nil {
			return nil
		}
		t, wait := l.take()
		if t != nil {
			wg.Go(func() { l.perform(ctx, t) })
			continue
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return nil
		case <-feedEnded:
			if ctx.Err() != nil {
				return nil
			}
			return &sumu.Error{Op: "presence: the feed of changes ended", Kind: sumu.ErrClosed}
		case <-l.wake:
		case <-timer.C:
		}
	}
}

func (l *loop) perform(ctx context.Context, t *task) {
	err := l.w.evaluateOne(ctx, t.user, t.restart)
	pause := l.done(t, err)
	if err != nil && ctx.Err() == nil {
		l.w.opts.Logger.WarnContext(ctx, "presence: evaluation failed, will try again",
			"user_id", t.user, "pause", pause, "error", err)
	}
}

// sweep removes expired rows. Their removal comes back through the feed.
func (l *loop) sweep(ctx context.Context, sweeper sumu.Sweeper) {
	const limit = 1000 // A bound for the store's work at a time, not for ours.
	for {
		removed, err := sweeper.SweepExpired(ctx, limit)
		if err != nil && ctx.Err() == nil {
			l.w.opts.Logger.WarnContext(ctx, "presence: sweep failed", "error", err)
		}
		if err != nil || removed < limit || ctx.Err() != nil {
			return
		}
	}
}

func (l *loop) reconcile(ctx context.Context) {
	for user, err := range l.w.disagreeing(ctx) {
		if err != nil {
			if ctx.Err() == nil {
				l.w.opts.Logger.WarnContext(ctx, "presence: reconciliation failed", "error", err)
			}
			return
		}
		l.add(user, 0, false)
	}
}

// every calls do each time that the interval has passed, until ctx ends.
func every(ctx context.Context, interval time.Duration, do func()) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			do()
		}
	}
}
