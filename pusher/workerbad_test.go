package pusher_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/leak"
	"github.com/sumu-live/sumu/pusher"
)

func TestWorkerBadBatch(t *testing.T) {
	leak.Check(t)
	b := newBench(t)
	fill(t, b.store, 2, 1)
	put(t, b.store, "many", "c")
	put(t, b.store, "ann", "gone")
	b.sender.respond = func(_ context.Context, c sumu.Connection, _ int) error {
		if c.ID == "gone" {
			return sumu.ErrGone
		}
		return nil
	}
	var users strings.Builder // 300 KB of names, of which one is connected
	for i := range 14_000 {
		fmt.Fprintf(&users, `"somebody-%011d",`, i)
	}
	batch := []struct {
		d    sumu.Delivery
		kind error // nil: acknowledged
		want int   // delivered
	}{
		{raw("1", `{"users":["u0"],"data":1`), sumu.ErrInvalid, 0},
		{raw("2", `{"users":["u0"]}`), sumu.ErrInvalid, 0},
		{raw("3", ``), sumu.ErrInvalid, 0},
		{raw("4", `{"connections":[],"data":1}`), sumu.ErrInvalid, 0},
		{raw("5", `{"Users":["u0"],"data":1}`), sumu.ErrInvalid, 0},
		{raw("6", `{"users":["u0"],"data":"`+strings.Repeat("x", sumu.MaxPayload)+`"}`), sumu.ErrTooLarge, 0},
		{raw("7", `{"channels":["room"],"data":1}`), sumu.ErrUnsupported, 0},
		{raw("8", `{"users":["u0"],"data":1,"deadline":1}`), nil, 0},
		{raw("9", `{"users":["u0"],"data":"good"}`), nil, 1},
		{raw("9", `{"users":["u0"],"data":"good"}`), nil, 0},
		{raw("10", `{"id":"big","users":[`+users.String()+`"many"],"data":"big"}`), nil, 1},
		{raw("11", `{"users":["ann","u1"],"data":"one"}`), nil, 1},
		{raw("12", `{"connections":[{"user_id":"ann","connection_id":"gone"}],"data":"two"}`), nil, 0},
		{sumu.Delivery{}, sumu.ErrInvalid, 0},
	}
	var ds []sumu.Delivery
	for _, m := range batch {
		ds = append(ds, m.d)
	}
	if n := len(batch[10].d.Body); n < 300_000 {
		t.Fatalf("the big list has %d bytes", n)
	}
	outs := b.worker.Handle(t.Context(), ds...)
	gone := 0
	for i, m := range batch {
		out := outs[i]
		if m.kind == nil && (out.Err != nil || out.Rejected || out.Result.Delivered != m.want) {
			t.Errorf("message %s: %+v; want %d delivered", m.d.MessageID, out, m.want)
		}
		if m.kind != nil && (!errors.Is(out.Err, m.kind) || !out.Rejected) {
			t.Errorf("message %s: %+v; want it rejected: %v", m.d.MessageID, out, m.kind)
		}
		gone += out.Result.Gone
	}
	if gone != 2 || b.sender.total() != 3 || b.sender.posts() != 4 {
		t.Errorf("%d gone, %d delivered by %d posts; want 2, 3 and 4", gone, b.sender.total(), b.sender.posts())
	}
	again := b.worker.Handle(t.Context(), ds...)
	for i := range batch {
		if (again[i].Err == nil) != (outs[i].Err == nil) {
			t.Errorf("message %s again: %v; before %v", batch[i].d.MessageID, again[i].Err, outs[i].Err)
		}
	}
	if b.sender.posts() != 4 {
		t.Error("a redelivery was posted again")
	}
	b.checkCounted(t, 3, 2, 0)
}

func TestWorkerRejects(t *testing.T) {
	var took []string
	var down error
	b := newBench(t, func(o *pusher.WorkerOptions) {
		o.Reject = func(_ context.Context, d sumu.Delivery, reason error) error {
			if down == nil {
				took = append(took, d.MessageID+" "+reason.Error())
			}
			return down
		}
	})
	out := b.one(t, raw("bad", `{}`))
	if out.Err != nil || !out.Rejected || len(took) != 1 || !strings.Contains(took[0], "data is missing") {
		t.Errorf("outcome %+v, sink has %q; want it taken with its reason", out, took)
	}
	wantErr(t, "the result", out.Result.Err, sumu.ErrInvalid)
	down = sumu.ErrThrottled
	wantErr(t, "a sink that fails", b.one(t, raw("bad", `{}`)).Err, sumu.ErrThrottled)
}

// TestWorkerSameID: whoever uses an id for two notifications hears of it.
func TestWorkerSameID(t *testing.T) {
	b := newBench(t)
	fill(t, b.store, 2, 1)
	outs := b.worker.Handle(t.Context(), deliver(t, "m1", to("n", "u0")), deliver(t, "m2", to("n", "u1")))
	if outs[0].Err != nil || !outs[1].Rejected {
		t.Errorf("in one batch: %+v", outs)
	}
	out := b.one(t, deliver(t, "m2", to("n", "u1")))
	if !out.Rejected {
		t.Errorf("later: %+v; want it rejected", out)
	}
	wantErr(t, "later", out.Err, sumu.ErrInvalid)
	later := to("n", "u0")
	later.Deadline = time.Now().Add(time.Hour)
	if out := b.one(t, deliver(t, "m3", later)); out.Err != nil {
		t.Errorf("the same with another deadline: %v; want it taken for the same", out.Err)
	}
}

func TestWorkerEveryAnswer(t *testing.T) {
	tests := []struct {
		answer                     error
		delivered, gone, failed, r int // r: requeued
	}{
		{nil, 2, 0, 0, 0},
		{sumu.ErrGone, 1, 1, 0, 0},
		{sumu.ErrThrottled, 1, 0, 0, 1},
		{sumu.ErrUnavailable, 1, 0, 0, 1},
		{errors.New("connection reset"), 1, 0, 0, 1},
		{context.DeadlineExceeded, 1, 0, 0, 1},
		{sumu.ErrForbidden, 1, 0, 0, 1},
		{sumu.ErrTooLarge, 1, 0, 1, 0},
		{sumu.ErrInvalid, 1, 0, 1, 0},
		{errAnswerLost, 1, 0, 0, 1},
	}
	for _, tc := range tests {
		t.Run(fmt.Sprint(tc.answer), func(t *testing.T) {
			b := newBench(t, func(o *pusher.Options) { o.Concurrency, o.Lookahead = 1, 1 })
			fill(t, b.store, 2, 1)
			b.sender.respond = func(_ context.Context, c sumu.Connection, try int) error {
				if c.UserID == "u1" && try == 1 {
					return tc.answer
				}
				return nil
			}
			d := deliver(t, "m", to("n", "u0", "u1"))
			out := b.one(t, d)
			r := out.Result
			if out.Err != nil || r.Delivered != tc.delivered || r.Gone != tc.gone || r.Failed != tc.failed || r.Requeued != tc.r {
				t.Errorf("outcome %+v; want %+v", out, tc)
			}
			children := tc.r
			if tc.answer == sumu.ErrForbidden {
				children++ // It stops, and has the rest looked up again.
			}
			if len(r.Failures) != tc.failed || len(b.queue.sent) != children {
				t.Errorf("failures %v, %d children", r.Failures, len(b.queue.sent))
			}
			b.drain(t)
			repeats := 0
			if tc.answer == errAnswerLost {
				repeats = 1
			}
			if got, want := b.sender.total(), 2-tc.gone-tc.failed+repeats; got != want {
				t.Errorf("%d deliveries; want %d", got, want)
			}
		})
	}
}

func TestWorkerStoreThrottled(t *testing.T) {
	b := newBench(t)
	fill(t, b.store, 40, 1)
	b.faulty.byUser = func(user string) error {
		if user != "u7" {
			return errDown
		}
		return nil
	}
	n := to("n")
	for i := range 40 {
		n.Users = append(n.Users, fmt.Sprint("u", i))
	}
	out := b.one(t, deliver(t, "m", n))
	if out.Err != nil || out.Result.Delivered != 1 || !errors.Is(out.Result.Err, sumu.ErrThrottled) {
		t.Fatalf("outcome %+v; want one delivered, and the reason", out)
	}
	if len(b.queue.sent) != 1 || len(b.queue.sent[0].n.Users) != 39 {
		t.Fatalf("%d children; want one for the 39 others", len(b.queue.sent))
	}
	b.faulty.byUser = nil
	b.drain(t)
	b.checkOnce(t, 40)
	b.checkCounted(t, 40, 0, 0)
}

// TestWorkerStoreRefuses: what cannot be looked up is not lost either.
func TestWorkerStoreRefuses(t *testing.T) {
	b := newBench(t)
	fill(t, b.store, 2, 1)
	for _, tc := range []struct {
		err            error
		children, dead int
	}{{sumu.ErrForbidden, 1, 0}, {sumu.ErrUnsupported, 0, 1}} {
		b.faulty.all = func(int) error { return tc.err }
		b.queue.sent, b.dead = nil, nil
		out := b.one(t, deliver(t, "m", toAll("n-"+fmt.Sprint(tc.children))))
		if out.Err != nil || len(b.queue.sent) != tc.children || len(b.dead) != tc.dead {
			t.Errorf("%v: %+v, %d children, %d dead letters", tc.err, out, len(b.queue.sent), len(b.dead))
		}
	}
}
