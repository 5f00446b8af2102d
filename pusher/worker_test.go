package pusher_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/leak"
	"github.com/sumu-live/sumu/pusher"
)

func TestWorkerDeliversOnce(t *testing.T) {
	leak.Check(t)
	b := newBench(t)
	fill(t, b.store, 3, 2)
	d := deliver(t, "m1", to("n", "u0", "u1"))
	out := b.one(t, d)
	if out.Err != nil || out.Result.Delivered != 4 || out.Result.ID != "n" {
		t.Fatalf("outcome %+v; want 4 delivered", out)
	}
	if got := strings.Join(b.records.saves, " "); got != "lease done" {
		t.Errorf("records written: %s; want a lease and its end", got)
	}
	for range 3 { // Redelivered, also to another worker.
		again := b.another(t).Handle(t.Context(), d)[0]
		if again.Err != nil || again.Result.Targets != 0 {
			t.Errorf("redelivery: %+v; want it acknowledged and nothing counted", again)
		}
	}
	b.checkOnce(t, 4)
	b.checkCounted(t, 4, 0, 0)
}

func TestWorkerWithoutID(t *testing.T) {
	b := newBench(t)
	fill(t, b.store, 1, 1)
	for _, id := range []string{"m1", "m1", "m2", strings.Repeat("ä", 200), strings.Repeat("ä", 200)} {
		if out := b.one(t, raw(id, `{"users":["u0"],"data":1}`)); out.Err != nil {
			t.Fatal(out.Err)
		}
	}
	if got := b.sender.total(); got != 3 {
		t.Errorf("%d deliveries of 3 messages", got)
	}
	// Its children go by the same id, so that they are not posted twice either.
	b.faulty.byUser = func(string) error { return errDown }
	b.one(t, raw("m3", `{"users":["u0"],"data":1}`))
	if len(b.queue.sent) != 1 || b.queue.sent[0].n.Key() != "m3/r" {
		t.Errorf("children %+v; want m3/r", b.queue.sent)
	}
}

func TestWorkerWithoutRecords(t *testing.T) {
	b := newBench(t, func(o *pusher.WorkerOptions) { o.Records = nil })
	fill(t, b.store, 2, 1)
	b.faulty.byUser = func(u string) error {
		if u == "u1" {
			return errDown
		}
		return nil
	}
	for range 2 { // At least once: a redelivery is posted again.
		if out := b.one(t, raw("", `{"users":["u0","u1"],"data":1}`)); out.Err != nil || out.Result.Delivered != 1 {
			t.Fatalf("outcome %+v", out)
		}
	}
	if b.sender.total() != 2 || len(b.queue.sent) != 2 {
		t.Errorf("%d deliveries, %d children; want 2 and 2", b.sender.total(), len(b.queue.sent))
	}
	b.queue.fail = func(sumu.Notification) error { return sumu.ErrUnavailable }
	wantErr(t, "a requeue that fails", b.one(t, raw("m", `{"id":"x","users":["u1"],"data":1}`)).Err, sumu.ErrUnavailable)
}

// TestWorkerWithoutRecordsKeepsChildrenApart: each push of a message leaves
// another remainder, and a queue that deduplicates must take both.
func TestWorkerWithoutRecordsKeepsChildrenApart(t *testing.T) {
	b := newBench(t, func(o *pusher.WorkerOptions) { o.Records = nil })
	fill(t, b.store, 2, 1)
	keys := map[string]bool{}
	for i := range 2 {
		b.faulty.byUser = func(u string) error {
			if u == fmt.Sprint("u", i) {
				return errDown
			}
			return nil
		}
		b.one(t, deliver(t, "m", to("n", "u0", "u1")))
	}
	for _, s := range b.queue.sent {
		keys[s.n.Key()] = true
		if err := s.n.Validate(); err != nil {
			t.Error(err)
		}
	}
	if len(keys) != 2 {
		t.Errorf("keys %v; want two", keys)
	}
	b.faulty.byUser = nil // Both in one batch, and neither is taken for the other.
	before := b.sender.total()
	for _, out := range b.worker.Handle(t.Context(), b.queue.take(t)...) {
		if out.Err != nil || out.Result.Delivered != 1 {
			t.Errorf("child: %+v", out)
		}
	}
	if got := b.sender.total() - before; got != 2 {
		t.Errorf("%d deliveries; want 2", got)
	}
}

func TestWorkerSegments(t *testing.T) {
	b := newBench(t, func(o *pusher.WorkerOptions) { o.Segments = 4 })
	fill(t, b.store, 100, 1)
	if out := b.one(t, deliver(t, "m", toAll("n"))); out.Err != nil || len(b.queue.sent) != 4 || b.sender.posts() != 0 {
		t.Fatalf("outcome %+v, %d children, %d posts; want 4 and none", out, len(b.queue.sent), b.sender.posts())
	}
	keys := map[string]bool{}
	for _, s := range b.queue.sent {
		keys[s.n.Key()] = true
		if s.delay != 0 || s.n.Attempt != 0 || s.n.Segment.Count != 4 {
			t.Errorf("segment %+v after %v", s.n, s.delay)
		}
	}
	if len(keys) != 4 {
		t.Errorf("keys %v; want 4", keys)
	}
	b.drain(t)
	b.checkOnce(t, 100)
}

func TestWorkerKeepsOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		fill(t, b.store, 2, 1)
		down := true
		b.sender.respond = func(_ context.Context, c sumu.Connection, _ int) error {
			if c.UserID == "u1" && down {
				return sumu.ErrThrottled
			}
			return nil
		}
		var batch []sumu.Delivery
		for i := range 4 {
			n := toAll(fmt.Sprint("n", i))
			n.Data = []byte(fmt.Sprint(i))
			d := deliver(t, fmt.Sprint("m", i), n)
			d.Group = "g"
			batch = append(batch, d)
		}
		batch[3].Group = "other"
		outs := b.worker.Handle(t.Context(), batch...)
		for i := range 3 {
			if outs[i].Err == nil {
				t.Errorf("message %d is acknowledged, though u1 lacks the first", i)
			}
		}
		if outs[0].RetryAfter < 2*time.Second || len(b.queue.sent) > 1 {
			t.Errorf("first: %+v, %d children; want a pause, and no child of a group", outs[0], len(b.queue.sent))
		}
		wantErr(t, "too early", b.one(t, batch[0]).Err, sumu.ErrUnavailable)
		time.Sleep(outs[0].RetryAfter)
		down = false
		for i, out := range b.worker.Handle(t.Context(), batch[:3]...) {
			if out.Err != nil {
				t.Errorf("message %d: %v", i, out.Err)
			}
		}
		for _, user := range []string{"u0", "u1"} {
			got := strings.Join(b.sender.got(user, "c0"), "")
			if got = strings.ReplaceAll(got, "3", ""); got != "012" {
				t.Errorf("%s got %s; want 012", user, got)
			}
		}
	})
}

func TestWorkerManyAtOnce(t *testing.T) {
	leak.Check(t)
	b := newBench(t)
	fill(t, b.store, 20, 1)
	var batch []sumu.Delivery
	for i := range 50 {
		batch = append(batch, deliver(t, fmt.Sprint("m", i), sumu.Notification{
			ID: fmt.Sprint("n", i), Users: []string{fmt.Sprint("u", i%20)}, Data: []byte(fmt.Sprint(i)),
		}))
	}
	var wg sync.WaitGroup
	for range 8 { // All have all of it; each message is posted by one of them.
		w := b.another(t)
		wg.Go(func() { w.Handle(t.Context(), batch...) })
	}
	wg.Wait()
	seen := map[string]int{}
	for _, texts := range b.sender.delivered {
		for _, text := range texts {
			seen[text]++
		}
	}
	if len(seen) != 50 || b.sender.total() != 50 {
		t.Errorf("%d deliveries of %d messages; want 50 of 50", b.sender.total(), len(seen))
	}
	b.checkCounted(t, 50, 0, 0)
}

func TestWorkerOptions(t *testing.T) {
	_, err := pusher.NewWorker(nil, nil, func(o *pusher.WorkerOptions) {
		o.Lease, o.Keep, o.Segments, o.Backoff = time.Millisecond, time.Second, -1, time.Hour
	})
	wantErr(t, "options", err, sumu.ErrInvalid)
	for _, name := range []string{"Pusher", "Requeuer", "Lease", "Keep", "Segments", "Backoff"} {
		if !strings.Contains(fmt.Sprint(err), name) {
			t.Errorf("the error does not name %s: %v", name, err)
		}
	}
	if outs := newBench(t).worker.Handle(t.Context()); len(outs) != 0 {
		t.Errorf("an empty batch has outcomes %v", outs)
	}
}
