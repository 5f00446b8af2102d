package pusher_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/pusher"
)

// What is the message's own fault spends its receives; what is not does not.
func TestOutcomeFault(t *testing.T) {
	saving := func(state string, err error) func(*bench) {
		return func(b *bench) {
			b.records.save = func(_ sumu.Record, s string) error {
				if s == state {
					return err
				}
				return nil
			}
		}
	}
	stored := func(value string) func(*bench) {
		return func(b *bench) {
			r := sumu.Record{Kind: "push", Key: "n/", Value: []byte(value), Rev: 1, DeleteAt: time.Now().Add(time.Hour)}
			if err := b.store.SaveRecord(context.Background(), r); err != nil {
				panic(err)
			}
		}
	}
	queue := func(err error) func(*bench) {
		return func(b *bench) {
			b.sender.respond = func(context.Context, sumu.Connection, int) error { return sumu.ErrThrottled }
			b.queue.fail = func(sumu.Notification) error { return err }
		}
	}
	for name, tc := range map[string]struct {
		set   func(*bench)
		fault bool
	}{
		"lease: unavailable":  {saving("lease", sumu.ErrUnavailable), true},
		"lease: throttled":    {saving("lease", sumu.ErrThrottled), true},
		"lease: forbidden":    {saving("lease", sumu.ErrForbidden), true},
		"lease: no answer":    {saving("lease", context.DeadlineExceeded), true},
		"lease: invalid":      {saving("lease", sumu.ErrInvalid), false},
		"lease: panic":        {func(b *bench) { b.records.save = func(sumu.Record, string) error { panic("boom") } }, false},
		"settle: unavailable": {saving("done", sumu.ErrUnavailable), true},
		"unreadable record":   {stored(`{"state":"?"}`), false},
		"piece of a record is missing": {func(b *bench) {
			queue(sumu.ErrUnavailable)(b)
			b.worker.SetInline(10)
			var pieces []sumu.Record
			b.records.save = func(r sumu.Record, _ string) error {
				if r.Kind == "push.rest" {
					pieces = append(pieces, r)
				}
				return nil
			}
			b.worker.Handle(context.Background(), sumu.Delivery{Body: []byte(`{"id":"n","users":["ann"],"data":{"n":1}}`), Receives: 1})
			for _, r := range pieces {
				if err := b.store.DeleteRecord(context.Background(), r.Kind, r.Key, r.Rev); err != nil {
					panic(err)
				}
			}
			b.queue.fail = nil
		}, false},
		"requeue: unavailable": {queue(sumu.ErrUnavailable), true},
		"requeue: too large":   {queue(sumu.ErrTooLarge), false},
		"requeue: panic":       {func(b *bench) { queue(nil)(b); b.queue.fail = func(sumu.Notification) error { panic("boom") } }, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				put(t, b.store, "ann", "c")
				tc.set(b)
				out := b.one(t, deliver(t, "m", to("n", "ann")))
				if out.Err == nil || out.Fault != tc.fault {
					t.Errorf("%+v; want an error, and Fault %v", out, tc.fault)
				}
			})
		})
	}
}

func TestOutcomeFaultOfAGroup(t *testing.T) {
	for _, tc := range []struct {
		kind  error
		fault bool
	}{{sumu.ErrUnavailable, true}, {sumu.ErrThrottled, false}} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t)
			put(t, b.store, "ann", "c")
			down := tc.kind
			b.sender.respond = func(context.Context, sumu.Connection, int) error { return down }
			batch := make([]sumu.Delivery, 2)
			for i := range batch {
				batch[i] = deliver(t, fmt.Sprint("m", i), to(fmt.Sprint("n", i), "ann"))
				batch[i].Group, batch[i].Receives = "g", 4
			}
			// The first is held in its record, the second waits for it; too early
			// the first is still held.
			for _, out := range append(b.worker.Handle(t.Context(), batch...), b.one(t, batch[0])) {
				if out.Err == nil || out.Fault != tc.fault {
					t.Errorf("%v: %+v; want an error, and Fault %v", tc.kind, out, tc.fault)
				}
			}
			if len(b.queue.sent) > 0 {
				t.Errorf("%d messages of a group were moved out of their order", len(b.queue.sent))
			}
			down = nil
			time.Sleep(time.Minute)
			for _, out := range b.worker.Handle(t.Context(), batch...) {
				if out.Err != nil {
					t.Errorf("%v", out.Err)
				}
			}
			b.checkCounted(t, 2, 0, 0)
		})
	}
}

func TestWorkerProbe(t *testing.T) {
	b := newBench(t)
	if err := b.worker.Probe(t.Context()); err != nil {
		t.Errorf("all works: %v", err)
	}
	live := error(nil)
	b.faulty.hasLive = func() error { return live }
	live = sumu.ErrUnavailable
	wantErr(t, "the store does not answer", b.worker.Probe(t.Context()), sumu.ErrUnavailable)
	live = nil
	b.records.save = func(r sumu.Record, _ string) error {
		if left := time.Until(r.DeleteAt); left > time.Minute || left < time.Second {
			t.Errorf("a probe's record lives for %v", left)
		}
		return sumu.ErrThrottled
	}
	wantErr(t, "no record can be written", b.worker.Probe(t.Context()), sumu.ErrThrottled)
	b.records.save = func(sumu.Record, string) error { panic("boom") }
	wantErr(t, "a panic", b.worker.Probe(t.Context()), sumu.ErrUnavailable)

	b.records.save = func(sumu.Record, string) error { return sumu.ErrThrottled }
	bare := b.another(t, func(o *pusher.WorkerOptions) { o.Records = nil })
	if err := bare.Probe(t.Context()); err != nil {
		t.Errorf("without records: %v", err)
	}
}

func TestWorkerMoves(t *testing.T) {
	old := to("old", "ann")
	old.Since = time.Now().Add(-97 * time.Hour)
	waiting := to("waiting", "ann")
	waiting.Since = time.UnixMilli(time.Now().Add(-time.Hour).UnixMilli())
	for name, tc := range map[string]struct {
		n        sumu.Notification
		receives int
		group    string
		moved    bool
	}{
		"topic":                      {to("n", "ann"), 0, "", true},
		"first receive":              {to("n", "ann"), 1, "", false},
		"second":                     {to("n", "ann"), 2, "", false},
		"third":                      {to("n", "ann"), 3, "", true},
		"sixth":                      {to("n", "ann"), 6, "", true},
		"a group":                    {to("n", "ann"), 4, "g", false},
		"a group of a stream":        {to("n", "ann"), 0, "g", false},
		"without an id":              {to("", "ann"), 3, "", true},
		"since an hour":              {waiting, 3, "", true},
		"since longer than it keeps": {old, 3, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			put(t, b.store, "ann", "c")
			b.records.save = func(sumu.Record, string) error { return sumu.ErrForbidden }
			begin := time.Now().Truncate(time.Millisecond)
			d := sumu.Delivery{Body: deliver(t, "", tc.n).Body, MessageID: "message-1", Receives: tc.receives, Group: tc.group}
			out := b.one(t, d)
			if moved := out.Err == nil; moved != tc.moved || len(b.queue.sent) > 0 != tc.moved || !moved && !out.Fault {
				t.Fatalf("%+v, %d in the queue; want it moved: %v", out, len(b.queue.sent), tc.moved)
			}
			if !tc.moved {
				return
			}
			s := b.queue.sent[0]
			id := tc.n.ID
			if id == "" {
				id = "message-1"
			}
			if s.n.Key() != id+"/" || s.delay < 150*time.Second || s.delay > 300*time.Second {
				t.Errorf("sent %s in %v; want %s/ in half of 5m to 5m", s.n.Key(), s.delay, id)
			}
			if since := tc.n.Since; !since.IsZero() && !s.n.Since.Equal(since) || since.IsZero() && s.n.Since.Before(begin) {
				t.Errorf("it waits since %v; began %v", s.n.Since, begin)
			}
			// There may be both of them: the record makes one of it.
			b.records.save = nil
			for _, d := range append(b.queue.take(t), d) {
				if out := b.one(t, d); out.Err != nil {
					t.Errorf("afterwards: %v", out.Err)
				}
			}
			b.checkOnce(t, 1)
		})
	}
}

func TestWorkerMovesNothingInvalid(t *testing.T) {
	b := newBench(t, func(o *pusher.WorkerOptions) {
		o.Reject = func(context.Context, sumu.Delivery, error) error { return sumu.ErrUnavailable }
	})
	out := b.one(t, sumu.Delivery{Body: []byte(`{"id":"n","users":["ann"]}`), MessageID: "m"})
	if out.Err == nil || !out.Rejected || len(b.queue.sent) > 0 {
		t.Errorf("%+v, %d sent; want it rejected", out, len(b.queue.sent))
	}
}

// What was posted and could not be settled has a lease: its copy comes after.
func TestWorkerMovesBehindTheLease(t *testing.T) {
	b := newBench(t, func(o *pusher.WorkerOptions) { o.Lease = 10 * time.Minute })
	put(t, b.store, "ann", "c")
	b.records.save = func(_ sumu.Record, state string) error {
		if state == "done" {
			return sumu.ErrUnavailable
		}
		return nil
	}
	d := deliver(t, "m", to("n", "ann"))
	d.Receives = 3
	if out := b.one(t, d); out.Err != nil || len(b.queue.sent) != 1 || b.queue.sent[0].delay < 9*time.Minute {
		t.Errorf("%+v, sent %+v; want it behind 10m", out, b.queue.sent)
	}
}
