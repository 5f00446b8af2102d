package pusher

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/sumu-live/sumu"
)

const (
	probeKind = "push.probe"
	probeName = "sumu.probe" // of a user, connected or not
	probeKeep = time.Minute
	// refusedFor is longer than a consumer waits between two probes: only to send
	// once more shows whether the queue takes it, and there is nothing to send but
	// what is held.
	refusedFor = 45 * time.Second

	// moveReceives is from which receive on a message that a fault keeps from
	// being handled is moved: two are left of the five that a redrive policy
	// should allow at least.
	moveReceives = 3
	moveDelay    = 5 * time.Minute
)

// Probe returns nil when what any message needs works: a record can be written,
// if there are Records, and the store be read. Ask it whether an outage is over,
// which [sumu.Outcome]'s Fault tells of: it costs a write and a read. It does
// not post, and asks nothing of the queue for remainders; but for 45 s after that
// has failed it returns why.
func (w *Worker) Probe(ctx context.Context) error {
	if f := w.refused.Load(); f != nil && w.p.opts.Now().Sub(f.at) < refusedFor {
		return &sumu.Error{Op: "probe", Err: f.err}
	}
	var saved error
	if w.opts.Records != nil {
		saved = safely(func() error {
			return w.opts.Records.SaveRecord(ctx, sumu.Record{
				Kind: probeKind, Key: sumu.NewID(), Value: []byte("{}"), Rev: 1,
				DeleteAt: w.p.opts.Now().Add(probeKeep).Truncate(time.Second),
			})
		})
	}
	read := safely(func() error {
		_, err := w.p.store.HasLive(ctx, probeName)
		return err
	})
	if err := errors.Join(saved, read); err != nil {
		return &sumu.Error{Op: "probe", Err: err}
	}
	return nil
}

// moveAll moves what a fault keeps from being handled and the transport may
// soon drop.
func (w *Worker) moveAll(ctx context.Context, items []*item) {
	if !slices.ContainsFunc(items, w.moves) {
		return
	}
	moving := slices.DeleteFunc(slices.Clone(items), func(it *item) bool { return !w.moves(it) })
	w.spread(moving, func(it *item) { w.move(ctx, it) })
}

// moves reports whether a message is to be moved. One of a group is not: it
// would come out of its order. One without a name could not be told from its
// copy.
func (w *Worker) moves(it *item) bool {
	budget := it.d.Receives > 0 && it.d.Receives < moveReceives // The transport's, not spent yet.
	return it.out.Fault && !it.out.Rejected && !budget &&
		it.d.Group == "" && it.n.ID != "" && !w.p.outlasted(&it.n)
}

// move sends the same message to the queue that remainders go to, where nothing
// is counted of it, and has the transport take this one for handled. It goes by
// the same record, so that there may be both of them.
func (w *Worker) move(ctx context.Context, it *item) {
	n := it.n
	n.Since = faultSince(&n, w.p.opts.Now())
	delay := min(max(w.jitter(moveDelay), it.out.RetryAfter), maxDelay)
	if w.enqueue(ctx, n, delay) == nil {
		it.out = sumu.Outcome{Result: it.out.Result}
	}
}

// refusal is that of the queue for remainders.
type refusal struct {
	err error
	at  time.Time
}

// enqueue sends to the queue for remainders, and takes note of its faults for Probe.
func (w *Worker) enqueue(ctx context.Context, n sumu.Notification, delay time.Duration) error {
	err := safely(func() error { return w.requeue.Requeue(ctx, n, delay) })
	switch {
	case isFault(err):
		w.refused.Store(&refusal{err, w.p.opts.Now()})
	case err == nil:
		w.refused.Store(nil)
	}
	return err
}
