package pusher

import (
	"cmp"
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/sumu-live/sumu"
)

// WorkerOptions tune a [Worker]. The zero value of a field is its default.
type WorkerOptions struct {
	// Records keeps one small record per message, so that a message that the
	// queue delivers again is not posted again. Default: none. Then every
	// redelivery posts to all of its targets and counts them again.
	Records sumu.StateStore
	// Lease is how long a message belongs to the worker that has begun it;
	// nobody else posts it meanwhile, and no post of it is started after.
	// Choose more than a call may take, and at most the queue's visibility
	// timeout. Default: until 5 s after the deadline of the call's context, or
	// twice the time until then if that is less; 1 min without one. 1 s to 12 h.
	// Posts end a fifth of it early, at most 2 s: that much the clocks of workers
	// may differ.
	Lease time.Duration
	// Keep is how long a record lives. Choose at least the retention of the
	// queue and of its dead-letter queue together: a message that outlives its
	// record, as one that is redriven again and again can, is posted again. A
	// record takes about 120 bytes. Default 30 days, which is more than twice
	// SQS's longest retention (14 days, read 2026-11); 1 min to 400 days.
	Keep time.Duration

	// Segments is into how many messages a notification to everyone is split
	// before any of it is posted, so that several workers share it. Default 1:
	// it is not split. At most 1,000.
	Segments int
	// Backoff is the longest delay of a child that is tried again; it doubles
	// with each attempt, up to 15 min (SQS's longest delay, read 2026-11), and
	// the actual delay is random between half of it and all. Where a fault of
	// others is why, it is as long as those have lasted, within the same bounds.
	// What was not reached before the deadline is not delayed. Default 5 s;
	// 1 ms to 15 min.
	Backoff time.Duration

	// Reject takes a request that is not valid and never will be, such as into
	// a dead-letter queue; the message is acknowledged when it returns nil.
	// Default: the message is returned as failed, with [sumu.Outcome], so
	// that the queue's own dead-letter policy takes it. Set it where a failed
	// message would hold up others or be dropped: on streams and topics.
	Reject func(ctx context.Context, d sumu.Delivery, reason error) error
	// DeadLetter takes a notification that was tried often enough, and holds
	// the targets that it never reached; the message is acknowledged only once
	// it returns nil. It may be called again with the same one. Default: it is
	// only reported, to the pusher's [sumu.Observer].
	DeadLetter func(ctx context.Context, n sumu.Notification, reason error) error
}

// Worker handles the messages of a queue, a topic or a stream: it pushes each,
// hands what remains to a queue, and keeps a record that makes redeliveries
// harmless. It is safe for concurrent use, also by many processes that share
// the Records.
type Worker struct {
	p       *Pusher
	requeue sumu.Requeuer
	opts    WorkerOptions
	inline  int // bytes of a remainder in one record
	refused atomic.Pointer[refusal]
}

// NewWorker returns a Worker that pushes through p and sends what remains to
// requeue, which delivers to this worker again. Its attempts, clock and
// observer are those of p. ErrInvalid is returned with every option that
// cannot be.
func NewWorker(p *Pusher, requeue sumu.Requeuer, optFns ...func(*WorkerOptions)) (*Worker, error) {
	var o WorkerOptions
	for _, fn := range optFns {
		fn(&o)
	}
	o.Keep = cmp.Or(o.Keep, 30*24*time.Hour)
	o.Segments = cmp.Or(o.Segments, 1)
	o.Backoff = cmp.Or(o.Backoff, 5*time.Second)
	var errs []error
	if p == nil {
		errs = append(errs, invalid("a Worker needs a Pusher"))
	}
	if requeue == nil {
		errs = append(errs, invalid("a Worker needs a Requeuer"))
	}
	if o.Lease != 0 {
		errs = append(errs, inRange("Lease", o.Lease, time.Second, 12*time.Hour))
	}
	errs = append(errs,
		inRange("Keep", o.Keep, time.Minute, 400*24*time.Hour),
		inRange("Segments", o.Segments, 1, 1_000),
		inRange("Backoff", o.Backoff, time.Millisecond, maxDelay),
	)
	if o.Keep < o.Lease {
		errs = append(errs, invalid("Keep is %v, shorter than Lease", o.Keep))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return &Worker{p: p, requeue: requeue, opts: o, inline: maxInline}, nil
}

const (
	maxDelay     = 15 * time.Minute
	leaseMargin  = 5 * time.Second // beyond the deadline of a call, at most
	defaultLease = time.Minute
	maxReserve   = 2 * time.Second // kept of a call for settling and requeueing
)

// lease is how long the messages of a call belong to it.
func (w *Worker) lease(ctx context.Context) time.Duration {
	if w.opts.Lease != 0 {
		return w.opts.Lease
	}
	if deadline, ok := ctx.Deadline(); ok {
		left := max(time.Until(deadline), 0)
		return left + min(leaseMargin, left)
	}
	return defaultLease
}

// posting bounds the posts of a call, so that there is time left to settle
// them, and so that they end before the lease does.
func (w *Worker) posting(ctx context.Context, lease time.Duration) (context.Context, context.CancelFunc) {
	left := lease
	if w.opts.Records == nil {
		left = 0
	}
	if deadline, ok := ctx.Deadline(); ok {
		if d := max(time.Until(deadline), 1); left == 0 || d < left {
			left = d
		}
	}
	if left == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, left-reserve(left))
}

func reserve(left time.Duration) time.Duration { return min(left/5, maxReserve) }

// settling is a context that goes on for a moment when ctx has ended: what was
// posted is settled even then, or it would be posted again.
func settling(ctx context.Context) (context.Context, context.CancelFunc) {
	detached, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		grace := time.NewTimer(maxReserve)
		defer grace.Stop()
		select {
		case <-grace.C:
			cancel()
		case <-detached.Done():
		}
	})
	return detached, func() { stop(); cancel() }
}

// delay is how long a child waits: longer with each attempt, as long as the
// faults have lasted that it waits out, and not at all when it holds what was
// not reached.
func (w *Worker) delay(it *item, child *sumu.Notification) time.Duration {
	var d time.Duration
	switch {
	case !child.Since.IsZero():
		d = max(w.p.opts.Now().Sub(child.Since), w.opts.Backoff)
	case child.Attempt > it.n.Attempt:
		d = w.opts.Backoff << min(max(child.Attempt-1, 0), 20)
	default:
		return 0
	}
	if d <= 0 {
		d = maxDelay
	}
	return w.jitter(min(d, maxDelay))
}

// jitter is random between half of d and all.
func (w *Worker) jitter(d time.Duration) time.Duration { return d/2 + w.p.random(d/2+1) }
