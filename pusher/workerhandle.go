package pusher

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"sync"
	"time"

	"github.com/sumu-live/sumu"
)

// item is one delivery on its way through a call.
type item struct {
	d     sumu.Delivery
	n     sumu.Notification
	err   error  // why the body is refused
	key   string // of its record; "": there is none
	print string
	first *item // an earlier delivery of the same message in the same batch

	out  sumu.Outcome
	over bool // out is final

	ours   bool   // this worker is to post it
	rec    record // as it was read or written last
	rev    int64
	plans  []*plan
	rest   []rest // what is to be sent, or was given up before
	result sumu.Result
}

func (it *item) acknowledge() { it.over = true }

func (it *item) fail(op string, err error, after time.Duration) {
	if it.n.ID != "" {
		op += " " + it.n.ID
	}
	it.out.Err = &sumu.Error{Op: op, Err: err}
	it.out.RetryAfter = max(after, 0)
	it.out.Fault = isFault(err)
	it.over = true
}

// hold returns a message whose remainder waits in its record.
func (it *item) hold(fault bool, after time.Duration) {
	it.fail("push", errHeld, after)
	it.out.Fault = fault
}

// Handle pushes a batch of messages and returns what becomes of each, in their
// order. A message that is not valid, or fails, or makes something panic, never
// changes the outcome of another, but for the later ones of its group.
//
// It stops posting before the deadline of ctx, early enough to settle and to
// requeue what is left: a fifth of the time it was given, at most 2 s. When ctx
// ends before, it goes on for up to 2 s to settle what was posted.
func (w *Worker) Handle(ctx context.Context, batch ...sumu.Delivery) []sumu.Outcome {
	items := w.open(batch)
	blocked := make(map[string]*item) // groups, by which of their messages
	enough := w.enough(ctx)
	for pending := items; len(pending) > 0; {
		var now, later []*item
		taken := make(map[string]bool)
		for _, it := range pending {
			switch g := it.d.Group; {
			case it.first != nil:
			case g == "":
				now = append(now, it)
			case blocked[g] != nil:
				it.fail("push", errBlocked, 0)
				it.out.Fault = blocked[g].out.Fault
			case taken[g]:
				later = append(later, it)
			default:
				taken[g] = true
				now = append(now, it)
			}
		}
		if enough() {
			w.process(ctx, now)
		} else {
			fail(now, errNoTime)
		}
		for _, it := range now {
			if it.d.Group != "" && it.out.Err != nil {
				blocked[it.d.Group] = it
			}
		}
		pending = later
	}
	outcomes := make([]sumu.Outcome, len(items))
	for i, it := range items {
		if it.first != nil {
			it.out = it.first.out
			it.out.Result = sumu.Result{} // Counted once.
		}
		outcomes[i] = it.out
	}
	return outcomes
}

// enough reports whether there is time to begin with more messages: with too
// little the attempt would be wasted.
func (w *Worker) enough(ctx context.Context) func() bool {
	deadline, ok := ctx.Deadline()
	least := time.Until(deadline) / 4
	return func() bool { return !ok || time.Until(deadline) >= least }
}

func fail(items []*item, err error) {
	for _, it := range items {
		it.fail("push", err, 0)
	}
}

var (
	errBlocked = &sumu.Error{Op: "an earlier message of its group is not done", Kind: sumu.ErrUnavailable}
	errNoTime  = &sumu.Error{Op: "no time left to begin", Kind: sumu.ErrUnavailable}
	errLeased  = &sumu.Error{Op: "another worker has it", Kind: sumu.ErrConflict}
	errHeld    = &sumu.Error{Op: "what remains is tried again in its order", Kind: sumu.ErrUnavailable}
	errSameID  = &sumu.Error{Op: "another notification had the same id", Kind: sumu.ErrInvalid}
)

// open reads the bodies.
func (w *Worker) open(batch []sumu.Delivery) []*item {
	items := make([]*item, len(batch))
	first := make(map[string]*item, len(batch))
	for i, d := range batch {
		it := &item{d: d}
		items[i] = it
		it.err = safely(func() (err error) {
			it.n, err = sumu.ParseNotification(d.Body)
			return err
		})
		if it.err != nil {
			continue
		}
		if it.n.ID == "" && d.MessageID != "" {
			it.n.ID = idOf(d.MessageID)
		}
		if it.n.ID == "" {
			continue
		}
		key := it.n.Key()
		it.print = fingerprint(&it.n)
		if w.opts.Records != nil {
			it.key = key
		}
		switch f := first[key]; {
		case f == nil:
			first[key] = it
		case f.print == it.print:
			it.first = f
		case w.opts.Records != nil:
			it.err = errSameID
		}
	}
	return items
}

// idOf makes the transport's id of a message one of a notification.
func idOf(messageID string) string {
	n := sumu.Notification{ID: messageID, Everyone: true, Data: []byte("0")}
	if n.Validate() == nil {
		return messageID
	}
	sum := sha256.Sum256([]byte(messageID))
	return hex.EncodeToString(sum[:16])
}

// process takes messages that may be posted at once through all their steps.
func (w *Worker) process(ctx context.Context, items []*item) {
	if ctx.Err() != nil {
		fail(items, errors.Join(errNoTime, ctx.Err()))
		return
	}
	lease := w.lease(ctx)
	posting, cancel := w.posting(ctx, lease)
	defer cancel()
	settling, end := settling(ctx)
	defer end()

	w.each(items, func(it *item) { w.begin(posting, settling, it, lease) })
	var plans []*plan
	for _, it := range items {
		if it.ours && !it.over {
			plans = append(plans, it.plans...)
		}
	}
	if len(plans) > 0 {
		if err := safely(func() error { w.p.run(posting, plans); return nil }); err != nil {
			for _, it := range items {
				if it.ours && !it.over && len(it.plans) > 0 {
					it.fail("push", err, lease)
				}
			}
		}
	}
	w.each(items, func(it *item) { w.conclude(settling, it) })
	w.moveAll(settling, items)
}

// each runs a step of all items that are not over, several at once.
func (w *Worker) each(items []*item, step func(*item)) {
	w.spread(items, func(it *item) {
		if it.over {
			return
		}
		if err := safely(func() error { step(it); return nil }); err != nil {
			it.fail("push", err, 0)
		}
	})
}

// spread calls do for each item, for as many at once as are looked up ahead.
func (w *Worker) spread(items []*item, do func(*item)) {
	limit := min(w.p.opts.Lookahead, len(items))
	if limit <= 1 {
		for _, it := range items {
			do(it)
		}
		return
	}
	var wg sync.WaitGroup
	queue := make(chan *item)
	for range limit {
		wg.Go(func() {
			for it := range queue {
				do(it)
			}
		})
	}
	for _, it := range items {
		queue <- it
	}
	close(queue)
	wg.Wait()
}
