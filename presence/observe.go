package presence

import (
	"context"
	"errors"
	"sync"

	"github.com/sumu-live/sumu"
)

// Observe evaluates the users of the changes, each user once. The first result
// has one outcome per change, nil when the user's presence is up to date and
// every event accepted; acknowledge those, and let the others come again. The
// second result joins the users' errors; it is nil when all outcomes are.
//
// Outcomes are ErrInvalid for a change without a proper user, ErrConflict when
// other evaluations of the user were first too often, else the error of the
// store, the publisher, Options.Delay or ctx. With a Grace but neither
// Options.Delay nor an active Run all outcomes are ErrUnavailable.
func (w *Watcher) Observe(ctx context.Context, changes ...sumu.Change) ([]error, error) {
	return w.evaluateAll(ctx, len(changes), func(i int) string { return changes[i].UserID }, true)
}

// Check is for delayed checks; see Options.Delay. It evaluates users as
// [Watcher.Observe] does, but lets a grace period that has begun run on. A
// check that comes too early asks for another one.
func (w *Watcher) Check(ctx context.Context, userIDs ...string) ([]error, error) {
	return w.evaluateAll(ctx, len(userIDs), func(i int) string { return userIDs[i] }, false)
}

// evaluateAll evaluates the users 0 to n-1 and returns their outcomes.
func (w *Watcher) evaluateAll(ctx context.Context, n int, user func(int) string, restart bool) ([]error, error) {
	if n == 1 { // The common case needs no maps.
		err := w.evaluateOne(ctx, user(0), restart)
		return []error{err}, err
	}
	place := make(map[string]int, n) // of a user in users and errs
	users := make([]string, 0, n)
	for i := range n {
		u := user(i)
		if _, seen := place[u]; !seen {
			place[u] = len(users)
			users = append(users, u)
		}
	}
	errs := make([]error, len(users))
	each(len(users), w.opts.Concurrency, func(i int) {
		errs[i] = w.evaluateOne(ctx, users[i], restart)
	})
	outcomes := make([]error, n)
	for i := range n {
		outcomes[i] = errs[place[user(i)]]
	}
	return outcomes, errors.Join(errs...)
}

func (w *Watcher) evaluateOne(ctx context.Context, userID string, restart bool) error {
	// There is no validation of a user alone in the root.
	if err := (sumu.ConnectionRef{UserID: userID, ConnectionID: "any"}).Validate(); err != nil {
		return &sumu.Error{Op: "presence", Err: err} // The id may be huge.
	}
	err := error(errNoTimers)
	if w.opts.Grace == 0 || w.opts.Delay != nil || w.run.Load() != nil {
		err = w.contained(ctx, userID, restart)
	}
	if err != nil {
		return &sumu.Error{Op: "presence of " + userID, Err: err}
	}
	return nil
}

// contained is evaluate; a panic of the store or the publisher is this user's
// failure alone.
func (w *Watcher) contained(ctx context.Context, userID string, restart bool) (err error) {
	defer sumu.RecoverTo(&err)
	return w.evaluate(ctx, userID, restart)
}

// each calls do with 0 to n-1, some at a time, and returns when all have.
// Not errgroup.WithContext: one user's failure must not end the others.
func each(n, concurrency int, do func(int)) {
	workers := min(n, concurrency)
	if workers <= 1 {
		for i := range n {
			do(i)
		}
		return
	}
	next := make(chan int, n)
	for i := range n {
		next <- i
	}
	close(next)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := range next {
				do(i)
			}
		})
	}
	wg.Wait()
}
