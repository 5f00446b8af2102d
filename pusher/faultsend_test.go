package pusher_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/pusher"
)

// The pauses grow with the outage, without a counter, and end with it.
func TestWorkerDelayFollowsTheOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		put(t, b.store, "ann", "c")
		b.sender.respond = func(context.Context, sumu.Connection, int) error { return sumu.ErrUnavailable }
		begin := time.Now().Truncate(time.Millisecond)
		d, n := deliver(t, "m", to("n", "ann")), 0
		for ; time.Since(begin) < 50*time.Minute; n++ {
			if out := b.one(t, d); out.Err != nil || len(b.queue.sent) != 1 {
				t.Fatalf("%+v, %d children", out, len(b.queue.sent))
			}
			s := b.queue.sent[0]
			longest := min(max(time.Since(begin), 5*time.Second), 15*time.Minute)
			if s.delay < longest/2 || s.delay > longest+time.Millisecond || s.n.Attempt != 0 || !s.n.Since.Equal(begin) {
				t.Fatalf("try %d after %v: waits %v, attempt %d, since %v", n, time.Since(begin), s.delay, s.n.Attempt, s.n.Since)
			}
			d = b.queue.take(t)[0]
			time.Sleep(s.delay)
		}
		if n > 20 {
			t.Errorf("%d tries in 50 min", n)
		}
	})
}

// A node that never comes back, and whose rows nobody removes, ends as well.
func TestFaultsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(o *pusher.Options) { o.MaxOutage = time.Hour / 2 })
		fill(t, b.store, 2, 1)
		b.sender.respond = func(_ context.Context, c sumu.Connection, _ int) error {
			if c.UserID == "u0" {
				return sumu.ErrUnavailable
			}
			return nil
		}
		begin := time.Now()
		for batch := []sumu.Delivery{deliver(t, "m", toAll("n"))}; len(batch) > 0; batch = b.queue.take(t) {
			b.worker.Handle(t.Context(), batch...)
			time.Sleep(time.Minute)
		}
		if took := time.Since(begin); took < time.Hour/2 || took > time.Hour {
			t.Errorf("it ended after %v", took)
		}
		if len(b.dead) != 1 || !errors.Is(b.reasons[0], sumu.ErrUnavailable) {
			t.Errorf("dead letters %+v, because of %v", b.dead, b.reasons)
		}
		b.checkCounted(t, 1, 0, 1)
	})
}

// Faults that are over are forgotten: later ones have all the time again.
func TestFaultsBeginAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		fill(t, b.store, 2, 1)
		b.sender.respond = func(_ context.Context, c sumu.Connection, _ int) error {
			if c.UserID == "u0" {
				return sumu.ErrUnavailable
			}
			return nil
		}
		n := toAll("n")
		n.Since = time.Now().Add(-time.Hour)
		b.one(t, deliver(t, "m", n))
		if len(b.queue.sent) != 1 || time.Since(b.queue.sent[0].n.Since) > time.Second {
			t.Errorf("%+v; want it to wait since now: one was reached", b.queue.sent)
		}
	})
}

// Without a record, a message whose remainder the queue does not take has been
// posted already: to hold it and try again would post it again each time.
func TestWithoutARecordWhatWasPostedIsNoFault(t *testing.T) {
	b := newBench(t, func(o *pusher.WorkerOptions) { o.Records = nil })
	fill(t, b.store, 2, 1)
	b.queue.fail = func(sumu.Notification) error { return sumu.ErrUnavailable }
	slow := true
	b.sender.respond = func(_ context.Context, c sumu.Connection, _ int) error {
		if slow || c.UserID == "u0" {
			return sumu.ErrThrottled
		}
		return nil
	}
	if out := b.one(t, deliver(t, "m", toAll("n"))); out.Err == nil || !out.Fault {
		t.Errorf("nobody has it: %+v; want a fault", out)
	}
	slow = false
	if out := b.one(t, deliver(t, "m", toAll("n"))); out.Err == nil || out.Fault {
		t.Errorf("one has it: %+v; want no fault", out)
	}
}
