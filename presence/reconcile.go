package presence

import (
	"context"
	"errors"
	"iter"

	"github.com/sumu-live/sumu"
)

// Reconcile finds the users whose presence and connections disagree, or whose
// last event was not accepted yet, and checks them. It repairs what lost
// changes left behind: a stream keeps its records for a day only. [Watcher.Run]
// does it by itself; elsewhere run it now and then, from a schedule.
//
// It returns how many users it checked, and the errors of those that failed
// and of the scans, joined.
//
// If the store is a [sumu.Store], it costs one scan of the connections and one
// of the presence rows, and memory for the ids of the connected users. If not,
// it asks for the connections of every user that has a presence row, and does
// not find those who have none.
func (w *Watcher) Reconcile(ctx context.Context) (checked int, err error) {
	const batch = 256
	var errs []error
	users := make([]string, 0, batch)
	flush := func() {
		_, err := w.Check(ctx, users...)
		errs = append(errs, err)
		checked += len(users)
		users = users[:0]
	}
	for user, err := range w.disagreeing(ctx) {
		if err != nil {
			errs = append(errs, err)
			break
		}
		if users = append(users, user); len(users) == batch {
			flush()
		}
	}
	flush()
	return checked, errors.Join(errs...)
}

// disagreeing yields the users that an evaluation would, by the look of it,
// change. The scans may be of different moments and lag behind: the evaluation
// decides. A disagreement that lasts is always found. After an error it yields
// nothing more.
func (w *Watcher) disagreeing(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		live, rowless, err := w.liveUsers(ctx)
		if err != nil {
			yield("", err)
			return
		}
		for row, err := range w.store.PresenceRows(ctx, sumu.Segment{}) {
			disagrees := row.Announced < row.Version
			if err == nil && !disagrees {
				var isLive bool
				isLive, err = live(row.UserID)
				disagrees = isLive != (row.Status == sumu.Online)
			}
			if err != nil {
				yield("", &sumu.Error{Op: "reconcile", Err: err})
				return
			}
			delete(rowless, row.UserID)
			if disagrees && !yield(row.UserID, nil) {
				return
			}
		}
		for user := range rowless {
			if !yield(user, nil) {
				return
			}
		}
	}
}

// liveUsers returns a func that tells whether a user is connected, and the
// connected users to strike out those who have a presence row. A read for each
// row costs some forty times what a scan does, and most rows are of users who
// are away.
func (w *Watcher) liveUsers(ctx context.Context) (live func(string) (bool, error), rowless map[string]struct{}, err error) {
	store, ok := w.store.(sumu.Store)
	if !ok {
		return func(user string) (bool, error) { return w.store.HasLive(ctx, user) }, nil, nil
	}
	users := make(map[string]struct{})
	for c, err := range store.All(ctx, sumu.Segment{}) {
		if err != nil {
			return nil, nil, &sumu.Error{Op: "reconcile", Err: err}
		}
		users[c.UserID] = struct{}{}
	}
	// The struck-out set is asked before it is struck: each user has one row.
	return func(user string) (bool, error) { _, ok := users[user]; return ok, nil }, users, nil
}
