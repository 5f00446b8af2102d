package pusher

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/sumu-live/sumu"
)

// conclude settles what was posted, sends what remains, and marks the message
// done, in this order: whatever cannot be finished here is found in the record
// by whoever gets the message next.
func (w *Worker) conclude(ctx context.Context, it *item) {
	if it.ours {
		w.sum(it)
		if err := w.settle(ctx, it); err != nil {
			// Nothing is sent: it may be another worker's by now.
			it.fail("settle", err, time.UnixMilli(it.rec.Until).Sub(w.p.opts.Now()))
			return
		}
		it.out.Result = it.result
		w.p.observePushed(ctx, it.result)
		if it.result.Refused() { // It is past its deadline.
			w.p.observeDeadLetter(ctx, it.n, it.result.Err)
		}
		if it.rec.State == held {
			it.hold(it.rec.Fault, time.UnixMilli(it.rec.Until).Sub(w.p.opts.Now()))
			return
		}
	}
	if len(it.rest) > 0 {
		if err := w.send(ctx, it); err != nil {
			it.fail("requeue", err, 0)
			// Without a record each try posts again: it must be counted.
			it.out.Fault = it.out.Fault && (it.key != "" || it.result.Delivered == 0)
			return
		}
		if it.key != "" {
			// Its failure changes nothing: the children are in the queue, and
			// their own records stop a repetition.
			last := record{State: done, Token: it.rec.Token, Print: it.print, Counts: it.rec.Counts}
			_, _ = w.write(ctx, it.key, last, it.rev+1)
		}
	}
	it.acknowledge()
}

// sum makes one result of the plans, and one list of what remains.
func (w *Worker) sum(it *item) {
	res := &it.result
	res.ID, res.Part = it.n.ID, it.n.Part
	var errs []error
	for _, pl := range it.plans {
		r := &pl.result
		res.Targets += r.Targets
		res.Delivered += r.Delivered
		res.Gone += r.Gone
		res.Failed += r.Failed
		res.Requeued += r.Requeued
		for _, f := range r.Failures {
			if len(res.Failures) < sumu.MaxFailures {
				res.Failures = append(res.Failures, f)
			}
		}
		res.Remainder = append(res.Remainder, r.Remainder...)
		res.GivenUp = append(res.GivenUp, r.GivenUp...)
		errs = append(errs, r.Err)
		why := reason(r)
		if r.Refused() && !errors.Is(r.Err, sumu.ErrExpired) {
			// A remainder from a record that the pusher takes no more.
			r.GivenUp = append(r.GivenUp, *pl.n)
			res.GivenUp = append(res.GivenUp, *pl.n)
		}
		for i := range r.GivenUp {
			given := restOf(&r.GivenUp[i], clip(why.Error()))
			given.cause = why
			it.rest = append(it.rest, given)
		}
	}
	res.Err = errors.Join(errs...)
	if len(errs) == 1 {
		res.Err = errs[0]
	}
	for i := range res.Remainder {
		it.rest = append(it.rest, restOf(&res.Remainder[i], ""))
	}
}

var errGivenUp = errors.New("tried often enough")

// reason is why something of a result is given up.
func reason(r *sumu.Result) error {
	err := r.Err
	if err == nil && len(r.Failures) > 0 {
		err = r.Failures[0].Err
	}
	if err == nil {
		return errGivenUp
	}
	return &sumu.Error{Op: errGivenUp.Error(), Err: err}
}

// clip bounds what a record tells of a reason.
func clip(text string) string {
	const most = 300
	if len(text) > most {
		return text[:most]
	}
	return text
}

// settle writes what was posted, on the condition that the message is still
// ours. From then on nobody posts it again.
func (w *Worker) settle(ctx context.Context, it *item) error {
	if it.key == "" {
		return nil
	}
	res := &it.result
	next := record{State: done, Token: it.rec.Token, Print: it.print, Rest: it.rest}
	next.Counts = &[5]int{res.Targets, res.Delivered, res.Gone, res.Failed, res.Requeued}
	switch {
	case it.d.Group != "" && len(res.Remainder) > 0:
		next.State = held
		next.Until = w.p.opts.Now().Add(w.pause(it)).UnixMilli()
		next.Fault = !slices.ContainsFunc(res.Remainder, func(n sumu.Notification) bool { return n.Since.IsZero() })
	case len(it.rest) > 0:
		next.State = settled
	}
	if err := w.divide(ctx, &next); err != nil {
		return err
	}
	if _, err := w.write(ctx, it.key, next, it.rev+1); err != nil {
		return err
	}
	it.rec, it.rev = next, it.rev+1
	return nil
}

// pause is how long a remainder that waits in its record does so.
func (w *Worker) pause(it *item) time.Duration {
	longest := time.Duration(0)
	for i := range it.result.Remainder {
		longest = max(longest, w.delay(it, &it.result.Remainder[i]))
	}
	return longest
}

// send hands the remainder to the queue and what was given up to the dead
// letters: all that it can, because sending one twice does no harm.
func (w *Worker) send(ctx context.Context, it *item) error {
	var errs []error
	for i := range it.rest {
		r := &it.rest[i]
		child := r.child(&it.n)
		if it.key == "" {
			// Each push of the message leaves another remainder: a queue that
			// deduplicates must not take one for the other.
			child.Part = "x" + strings.ToLower(sumu.NewID()[:20])
		}
		var err error
		if r.GivenUp != "" {
			err = w.giveUp(ctx, child, r)
		} else {
			delay := w.delay(it, &child)
			err = w.enqueue(ctx, child, delay)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (w *Worker) giveUp(ctx context.Context, child sumu.Notification, r *rest) error {
	why := r.cause
	if why == nil {
		why = errors.New(r.GivenUp)
	}
	why = &sumu.Error{Op: "push " + child.ID, Err: why}
	if sink := w.opts.DeadLetter; sink != nil {
		if err := safely(func() error { return sink(ctx, child, why) }); err != nil {
			return err
		}
	}
	w.p.observeDeadLetter(ctx, child, why)
	return nil
}
