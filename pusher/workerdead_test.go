package pusher_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/pusher"
)

func TestWorkerBackoffAndDeadLetter(t *testing.T) {
	b := newBench(t, func(o *pusher.Options) { o.Attempts = 4 },
		func(o *pusher.WorkerOptions) { o.Backoff = 10 * time.Second })
	fill(t, b.store, 3, 1)
	b.sender.respond = func(_ context.Context, c sumu.Connection, _ int) error {
		if c.UserID == "u1" {
			return sumu.ErrThrottled
		}
		return nil
	}
	n := toAll("n")
	n.ExcludeUsers = []string{"u2"}
	n.Deadline = time.Now().Add(time.Hour).Truncate(time.Millisecond)
	if out := b.one(t, deliver(t, "m", n)); out.Err != nil || out.Result.Requeued != 1 {
		t.Fatalf("outcome %+v", out)
	}
	for attempt := 1; attempt < 4; attempt++ {
		if len(b.queue.sent) != 1 {
			t.Fatalf("attempt %d: %d children", attempt, len(b.queue.sent))
		}
		s := b.queue.sent[0]
		longest := 10 * time.Second << (attempt - 1)
		if s.delay < longest/2 || s.delay > longest {
			t.Errorf("attempt %d is delayed by %v; want up to %v", attempt, s.delay, longest)
		}
		if s.n.Attempt != attempt || !s.n.Deadline.Equal(n.Deadline) || len(s.n.ExcludeUsers) != 1 ||
			string(s.n.Data) != string(n.Data) || len(s.n.Connections) != 1 {
			t.Errorf("child %+v", s.n)
		}
		if out := b.worker.Handle(t.Context(), b.queue.take(t)...)[0]; out.Err != nil {
			t.Fatal(out.Err)
		}
	}
	if len(b.queue.sent) != 0 || len(b.dead) != 1 || b.dead[0].Connections[0].UserID != "u1" {
		t.Fatalf("%d children, dead letters %+v; want u1 given up", len(b.queue.sent), b.dead)
	}
	wantErr(t, "the reason", b.reasons[0], sumu.ErrThrottled)
	b.checkOnce(t, 1)
	b.checkCounted(t, 1, 0, 1)
}

func TestWorkerDeadLetterIsNotLost(t *testing.T) {
	down := true
	var got []error
	b := newBench(t, func(o *pusher.Options) { o.Attempts = 1 }, func(o *pusher.WorkerOptions) {
		o.DeadLetter = func(_ context.Context, _ sumu.Notification, reason error) error {
			if down {
				return sumu.ErrUnavailable
			}
			got = append(got, reason)
			return nil
		}
	})
	fill(t, b.store, 1, 1)
	b.sender.respond = func(context.Context, sumu.Connection, int) error { return errors.New("reset by peer") }
	d := deliver(t, "m", to("n", "u0"))
	wantErr(t, "a dead letter that is not taken", b.one(t, d).Err, sumu.ErrUnavailable)
	down = false
	if out := b.one(t, d); out.Err != nil {
		t.Fatal(out.Err)
	}
	if b.sender.posts() != 1 || len(got) != 1 || !strings.Contains(got[0].Error(), "reset by peer") {
		t.Errorf("%d posts, dead letters %v; want one post, and its reason kept in the record", b.sender.posts(), got)
	}
	b.checkCounted(t, 0, 0, 1)
}

// TestWorkerDeadLetterOutlivesTheDeadline: what was given up before is still
// reported.
func TestWorkerDeadLetterOutlivesTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := true
		b := newBench(t, func(o *pusher.Options) { o.Attempts = 1 })
		b.worker = b.another(t, func(o *pusher.WorkerOptions) {
			keep := o.DeadLetter
			o.DeadLetter = func(ctx context.Context, n sumu.Notification, reason error) error {
				if down {
					return sumu.ErrUnavailable
				}
				return keep(ctx, n, reason)
			}
		})
		fill(t, b.store, 1, 1)
		b.sender.respond = func(context.Context, sumu.Connection, int) error { return sumu.ErrThrottled }
		n := to("n", "u0")
		n.Deadline = time.Now().Add(time.Minute)
		d := deliver(t, "m", n)
		wantErr(t, "the dead letter", b.one(t, d).Err, sumu.ErrUnavailable)
		time.Sleep(time.Hour)
		down = false
		if out := b.one(t, d); out.Err != nil || len(b.dead) != 1 {
			t.Errorf("outcome %+v, %d dead letters; want one", out, len(b.dead))
		}

		// And one that was never begun is counted once, as expired.
		for range 2 {
			d := deliver(t, "late", sumu.Notification{ID: "late", Everyone: true, Data: n.Data, Deadline: n.Deadline})
			if out := b.one(t, d); out.Err != nil {
				t.Error(out.Err)
			}
		}
		if last := b.counted[len(b.counted)-1]; len(b.counted) != 2 || !errors.Is(last.Err, sumu.ErrExpired) {
			t.Errorf("counted %+v; want the expired one once", b.counted)
		}
	})
}
