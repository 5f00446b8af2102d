package pusher

import (
	"context"
	"errors"
	"time"

	"github.com/sumu-live/sumu"
)

// begin refuses a message, or makes it ours, or finds out what became of it.
func (w *Worker) begin(posting, settling context.Context, it *item, lease time.Duration) {
	var first *plan
	if it.err == nil {
		first = w.p.newPlan(&it.n)
		if err := first.result.Err; !errors.Is(err, sumu.ErrExpired) {
			it.err = err // One past its deadline may have something to send.
		}
	}
	if it.err != nil {
		w.refuse(settling, it, it.err)
		return
	}
	w.acquire(posting, it, lease)
	if it.err != nil {
		w.refuse(settling, it, it.err)
		return
	}
	if it.over || !it.ours {
		return
	}
	switch {
	case it.rec.State == leased && len(it.rest) > 0:
		w.takeUp(it)
	case w.splits(it):
		w.split(it)
	default:
		it.plans = []*plan{first}
	}
}

// takeUp goes on with the remainder that waited in the record.
func (w *Worker) takeUp(it *item) {
	var givenUp []rest
	for i := range it.rest {
		r := &it.rest[i]
		if r.GivenUp != "" {
			givenUp = append(givenUp, *r)
			continue
		}
		child := r.child(&it.n)
		it.plans = append(it.plans, w.p.newPlan(&child))
	}
	it.rest = givenUp
}

// splits reports whether the message is divided before it is posted. One that
// must keep an order is not.
func (w *Worker) splits(it *item) bool {
	n := &it.n
	return w.opts.Segments > 1 && n.Everyone && n.Part == "" && n.Segment == (sumu.Segment{}) &&
		(it.d.Group == "" || it.key == "")
}

func (w *Worker) split(it *item) {
	for i := range w.opts.Segments {
		child := withoutTargets(&it.n)
		child.Part = childPart("", "s", i)
		child.Everyone = true
		child.Segment = sumu.Segment{Index: i, Count: w.opts.Segments}
		it.result.Remainder = append(it.result.Remainder, child)
	}
}

// refuse ends a message that is not valid.
func (w *Worker) refuse(ctx context.Context, it *item, reason error) {
	it.out.Rejected = true
	if w.opts.Reject == nil {
		it.fail("reject", reason, 0)
		return
	}
	if err := safely(func() error { return w.opts.Reject(ctx, it.d, reason) }); err != nil {
		it.fail("reject", err, 0)
		return
	}
	it.out.Result = sumu.Result{ID: it.n.ID, Part: it.n.Part, Err: reason}
	w.p.observePushed(ctx, it.out.Result)
	w.p.observeDeadLetter(ctx, it.n, reason)
	it.acknowledge()
}
