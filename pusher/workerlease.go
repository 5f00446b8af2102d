package pusher

import (
	"context"
	"errors"
	"time"

	"github.com/sumu-live/sumu"
)

// acquireTries bounds how often a worker competes for one message.
const acquireTries = 4

// acquire makes a message ours, or finds out that it is done, settled, or
// another worker's. Most messages are new: so it writes before it reads.
func (w *Worker) acquire(ctx context.Context, it *item, lease time.Duration) {
	if it.key == "" {
		it.ours = true
		return
	}
	next := w.newLease(it, lease)
	rev := int64(1)
	for range acquireTries {
		stored, err := w.write(ctx, it.key, next, rev)
		switch {
		case err == nil:
			it.ours, it.rec, it.rev = true, next, rev
			if err := w.join(ctx, &it.rec); err != nil {
				it.fail("lease", err, lease)
				return
			}
			it.rest = it.rec.Rest
			return
		case !errors.Is(err, sumu.ErrConflict):
			it.fail("lease", err, 0)
			return
		}
		next = w.newLease(it, lease)
		rev = stored.Rev + 1
		if stored.Rev == 0 {
			continue // It has expired in between.
		}
		found, err := parseRecord(stored.Value)
		if err != nil {
			it.fail("lease", err, 0)
			return
		}
		if w.met(ctx, it, found, stored.Rev) {
			return
		}
		next.Rest, next.Pieces, next.At = found.Rest, found.Pieces, found.At
		next.Counts = found.Counts
	}
	it.fail("lease", errLeased, 0)
}

func (w *Worker) newLease(it *item, lease time.Duration) record {
	return record{
		State: leased,
		Token: sumu.NewID(),
		Until: w.p.opts.Now().Add(lease).UnixMilli(),
		Print: it.print,
	}
}

// met acts on a record that was there before. It reports false when the
// message may be taken over.
func (w *Worker) met(ctx context.Context, it *item, found record, rev int64) bool {
	if found.Print != it.print {
		it.err = errSameID
		return true
	}
	switch found.State {
	case done:
		it.acknowledge()
		return true
	case settled:
		if err := w.join(ctx, &found); err != nil {
			it.fail("resume", err, 0)
			return true
		}
		it.rec, it.rev, it.rest = found, rev, found.Rest
		return true
	}
	left := time.UnixMilli(found.Until).Sub(w.p.opts.Now())
	switch {
	case left <= 0:
		return false
	case found.State == held:
		it.hold(found.Fault, left)
	default:
		it.fail("lease", errLeased, left)
	}
	return true
}
