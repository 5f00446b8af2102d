package pusher

import (
	"context"
	"errors"
	"time"

	"github.com/sumu-live/sumu"
)

// isFault reports whether err is a fault of what any message needs: of the
// store, the records, or the queue. Such a fault spends time, never the
// attempts of a notification or the receives of a message, which are for bad
// targets and bad messages: so a panic is none, for a message may have caused
// it, and neither is a record that cannot be read.
func isFault(err error) bool {
	var panicked *sumu.PanicError
	switch {
	case err == nil, errors.As(err, &panicked), errors.Is(err, errNotOurs), errors.Is(err, sumu.ErrConflict):
		return false
	case errors.Is(err, sumu.ErrForbidden): // A right that is missing is one that somebody will add.
		return true
	case !sumu.Retryable(err):
		return false
	}
	return errors.Is(err, sumu.ErrUnavailable) || errors.Is(err, sumu.ErrThrottled) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// isPostFault reports whether a post failed for the sender's or its node's
// fault. ErrThrottled is none: one client that reads too slowly must not keep a
// message for ever.
func isPostFault(err error) bool { return isFault(err) && !errors.Is(err, sumu.ErrThrottled) }

// faulted reports whether the plan has found faults and nothing else: whether
// it has come no further than before.
func (pl *plan) faulted() bool { return pl.result.Targets == len(pl.left)+len(pl.down) }

// since is when the faults began that children of the plan are to outlast. Where
// something got through they begin anew.
func (pl *plan) since(now time.Time) time.Time {
	if pl.result.Delivered+pl.result.Gone > 0 {
		return now.Truncate(time.Millisecond)
	}
	return faultSince(pl.n, now)
}

// faultSince is when the faults began that keep a notification. A time that has
// not come yet, as of a clock that is ahead, is none: they would never be over.
func faultSince(n *sumu.Notification, now time.Time) time.Time {
	if n.Since.IsZero() || n.Since.After(now) {
		return now.Truncate(time.Millisecond)
	}
	return n.Since
}

// outlasted reports whether faults have kept a notification for so long that
// it is given up.
func (p *Pusher) outlasted(n *sumu.Notification) bool {
	return !n.Since.IsZero() && p.opts.Now().Sub(n.Since) > p.opts.MaxOutage
}
