package presence

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sumu-live/sumu"
)

// evaluate compares a user's presence row with the connections and brings it
// up to date. When it returns nil, every event of the user up to now has been
// accepted. Any number of evaluations of a user may run at once, and stop at
// any point: each step leaves a state from which the next evaluation goes on.
//
// restart says that a change was observed: a grace period begins anew.
func (w *Watcher) evaluate(ctx context.Context, userID string, restart bool) error {
	for range w.opts.Attempts {
		if err := ctx.Err(); err != nil {
			return err
		}
		row, err := w.store.Presence(ctx, userID)
		if err != nil {
			return err
		}
		if row.Announced < row.Version {
			// Whoever made the event has died, or is slow. A flip over an event
			// that is not out yet would leave a gap.
			if err := w.announce(ctx, row.Event()); err != nil {
				return err
			}
			continue
		}
		// After the row: a count from before it may be older than what the row
		// already tells of.
		live, err := w.store.HasLive(ctx, userID)
		if err != nil {
			return err
		}
		next := w.next(row, live, restart)
		// Also when nothing changes: the new Seq makes a slower evaluation with
		// an older count fail instead of overwriting this one's outcome.
		err = w.store.SavePresence(ctx, next)
		if errors.Is(err, sumu.ErrConflict) {
			continue // Its count may be old: never to be taken for done.
		}
		if err != nil {
			return err
		}
		if next.Version != row.Version {
			return w.announce(ctx, next.Event())
		}
		if absent(next) {
			return w.delay(ctx, userID, next.AbsentSince.Add(w.opts.Grace).Sub(w.now()))
		}
		return nil
	}
	return &sumu.Error{
		Op:   fmt.Sprintf("others were first %d times", w.opts.Attempts),
		Kind: sumu.ErrConflict,
	}
}

// next is the row that an evaluation ends with, given the row it read.
func (w *Watcher) next(row sumu.PresenceRow, live, restart bool) sumu.PresenceRow {
	now := w.now()
	next := row
	next.Seq++
	next.AbsentSince = time.Time{}
	online := row.Status == sumu.Online
	switch {
	case live && !online:
		flip(&next, sumu.Online, now)
	case !live && online:
		since := row.AbsentSince
		// One in the future was written by a clock that is ahead of this one,
		// and may be ahead by hours.
		if restart || since.IsZero() || since.After(now) {
			since = now
		}
		if now.Sub(since) < w.opts.Grace {
			next.AbsentSince = since
		} else {
			flip(&next, sumu.Offline, now)
		}
	}
	return next
}

// flip makes the user's next event. Its time is above the last one's, whatever
// the clocks say.
func flip(row *sumu.PresenceRow, status sumu.Status, now time.Time) {
	row.Status = status
	row.Version++
	if at := row.At.Add(time.Millisecond); at.After(now) {
		now = at
	}
	row.At = now
}

// absent reports whether a grace period is running.
func absent(row sumu.PresenceRow) bool { return !row.AbsentSince.IsZero() }

// announce publishes an event, then notes that it is out. The other way round a
// crash in between would lose it.
func (w *Watcher) announce(ctx context.Context, e sumu.PresenceEvent) error {
	if err := w.pub.PublishPresence(ctx, e); err != nil {
		return &sumu.Error{Op: "publish " + e.ID(), Err: err}
	}
	if f := w.opts.Observer.Presence; f != nil {
		f(ctx, e)
	}
	err := w.store.MarkAnnounced(ctx, e.UserID, e.Version)
	if errors.Is(err, sumu.ErrConflict) {
		return nil // A newer event exists, so another evaluation has marked this one.
	}
	return err
}

// delay sees to it that the user is checked again.
func (w *Watcher) delay(ctx context.Context, userID string, after time.Duration) error {
	after = max(after, 0)
	var err error
	if w.opts.Delay != nil {
		err = w.opts.Delay(ctx, userID, after)
	} else if l := w.run.Load(); l == nil || !l.add(userID, after, false) {
		err = errNoTimers
	}
	if err != nil {
		return &sumu.Error{Op: "delayed check", Err: err}
	}
	return nil
}

// errNoTimers may succeed later: when Run has been called.
var errNoTimers = &sumu.Error{
	Op:   "Grace needs Options.Delay, or Run to be active",
	Kind: sumu.ErrUnavailable,
}

// now is cut to what a row keeps, so that an event is the same when it is read again.
func (w *Watcher) now() time.Time { return w.opts.Now().UTC().Truncate(time.Millisecond) }
