package pusher_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/pusher"
)

func TestWorkerDeadlineInABroadcast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(o *pusher.Options) { o.Concurrency = 10 })
		fill(t, b.store, 1000, 1)
		b.sender.respond = func(ctx context.Context, _ sumu.Connection, _ int) error {
			time.Sleep(100 * time.Millisecond)
			return ctx.Err()
		}
		batch := []sumu.Delivery{deliver(t, "m", toAll("n"))}
		for calls := 0; len(batch) > 0; calls++ {
			if calls > 10 {
				t.Fatal("it never ends")
			}
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			for _, out := range b.worker.Handle(ctx, batch...) {
				if out.Err != nil {
					t.Error(out.Err)
				}
			}
			if ctx.Err() != nil {
				t.Error("it did not stop before the deadline")
			}
			cancel()
			for _, s := range b.queue.sent {
				if s.delay != 0 || s.n.Attempt != 0 {
					t.Errorf("what was not reached waits %v, attempt %d", s.delay, s.n.Attempt)
				}
			}
			batch = b.queue.take(t)
		}
		b.checkOnce(t, 1000)
		b.checkCounted(t, 1000, 0, 0)
	})
}

// TestWorkerStopped: a server that ends settles what it has posted.
func TestWorkerStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(o *pusher.Options) { o.Concurrency = 2 })
		fill(t, b.store, 50, 1)
		ctx, cancel := context.WithCancel(t.Context())
		b.sender.respond = func(ctx context.Context, _ sumu.Connection, _ int) error {
			time.Sleep(100 * time.Millisecond)
			return nil
		}
		time.AfterFunc(time.Second+time.Millisecond, cancel)
		out := b.worker.Handle(ctx, deliver(t, "m", toAll("n")))[0]
		if out.Err != nil || out.Result.Delivered < 10 || out.Result.Delivered > 30 || len(b.queue.sent) == 0 {
			t.Errorf("outcome %+v, %d children; want what was posted settled, the rest in the queue", out, len(b.queue.sent))
		}
		b.drain(t)
		b.checkOnce(t, 50)

		b.records.save = func(sumu.Record, string) error { return errDown }
		start := time.Now()
		wantErr(t, "a call that has ended", b.worker.Handle(ctx, deliver(t, "m2", toAll("n2")))[0].Err, sumu.ErrUnavailable)
		if time.Since(start) > 0 {
			t.Error("it began nevertheless")
		}
	})
}

// TestWorkerLeaseBoundsPosts: no post is made after the lease has ended.
func TestWorkerLeaseBoundsPosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(o *pusher.Options) { o.Concurrency = 1 },
			func(o *pusher.WorkerOptions) { o.Lease = 10 * time.Second })
		fill(t, b.store, 60, 1)
		b.sender.respond = func(context.Context, sumu.Connection, int) error {
			time.Sleep(time.Second)
			return nil
		}
		start := time.Now()
		out := b.one(t, deliver(t, "m", toAll("n"))) // The context has no deadline.
		if took := time.Since(start); out.Err != nil || took >= 10*time.Second || out.Result.Delivered < 6 {
			t.Errorf("%+v after %v; want it cut short by its lease", out, took)
		}
		b.drain(t)
		b.checkOnce(t, 60)
	})
}

func TestWorkerRecordsFail(t *testing.T) {
	for _, tc := range []struct {
		name  string
		fails int    // how often
		state string // when this is written
		lost  bool   // it is written, and its answer lost
		ok    bool
		posts int
	}{
		{"lease, once", 1, "lease", false, true, 1},
		{"lease, for long", 9, "lease", false, false, 0},
		{"settle, once", 1, "done", false, true, 1},
		{"settle, for long", 9, "done", false, false, 1},
		{"the answer to the lease is lost", 1, "lease", true, true, 1},
		{"the answer to settling is lost", 1, "done", true, true, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				fill(t, b.store, 1, 1)
				left := tc.fails
				b.records.save = func(r sumu.Record, state string) error {
					if state != tc.state || left == 0 {
						return nil
					}
					left--
					if tc.lost {
						if err := b.store.SaveRecord(t.Context(), r); err != nil {
							t.Error(err)
						}
					}
					return errDown
				}
				d := deliver(t, "m", to("n", "u0"))
				out := b.one(t, d)
				if (out.Err == nil) != tc.ok || b.sender.posts() != tc.posts || (out.Result.Targets > 0) != tc.ok {
					t.Errorf("%+v, %d posts; want %+v", out, b.sender.posts(), tc)
				}
				if tc.ok {
					b.checkCounted(t, 1, 0, 0)
					return
				}
				b.checkCounted(t, 0, 0, 0)
				left = 0
				if tc.posts > 0 { // Its lease has to end first.
					again := b.one(t, d)
					wantErr(t, "while the lease lives", again.Err, sumu.ErrConflict)
					if again.RetryAfter <= 0 || again.RetryAfter > time.Minute {
						t.Errorf("retry after %v; want the rest of the lease", again.RetryAfter)
					}
					time.Sleep(again.RetryAfter)
				}
				if out := b.one(t, d); out.Err != nil || out.Result.Delivered != 1 {
					t.Errorf("taken over: %+v", out)
				}
				b.checkCounted(t, 1, 0, 0)
			})
		})
	}
}

// TestWorkerLongRemainder: it does not fit into one record, and neither the
// failure of a requeue nor another worker loses any of it.
func TestWorkerLongRemainder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		user := strings.Repeat("ü<", 300)
		const conns = 1200
		for i := range conns {
			put(t, b.store, user, fmt.Sprintf("%04d-%s", i, strings.Repeat("x", 200)))
		}
		down := true
		b.sender.respond = func(context.Context, sumu.Connection, int) error {
			if down {
				return sumu.ErrUnavailable
			}
			return nil
		}
		calls := 0
		b.queue.fail = func(sumu.Notification) error {
			if calls++; calls%4 == 3 {
				return sumu.ErrUnavailable
			}
			return nil
		}
		n := toAll("n")
		n.Data = json.RawMessage(`"` + strings.Repeat("d", 20_000) + `"`)
		d := deliver(t, "m", n)
		first := b.one(t, d)
		wantErr(t, "a requeue that fails", first.Err, sumu.ErrUnavailable)
		if first.Result.Requeued != conns {
			t.Fatalf("result %+v", first.Result)
		}
		size := 0
		for _, s := range b.queue.sent {
			body, err := s.n.MarshalJSON()
			if err != nil {
				t.Fatal(err)
			}
			size += len(body) - 20_000
			if len(body) > 128<<10 {
				t.Errorf("a child has %d bytes", len(body))
			}
		}
		if size < 4*sumu.MaxRecordValue {
			t.Fatalf("the remainder has %d bytes: too few to prove anything", size)
		}
		b.queue.fail = nil
		sentBefore := b.queue.take(t)
		down = false
		if out := b.another(t).Handle(t.Context(), d)[0]; out.Err != nil || b.sender.total() != 0 {
			t.Fatalf("resumed: %+v, %d deliveries; want the stored remainder sent and nothing posted", out, b.sender.total())
		}
		bodies := map[string]bool{}
		for _, s := range b.queue.sent {
			body, _ := s.n.MarshalJSON()
			bodies[string(body)] = true
		}
		for _, s := range sentBefore {
			if !bodies[string(s.Body)] {
				t.Errorf("a child that was sent before is not among those of the record: %.200s", s.Body)
			}
			if out := b.one(t, s); out.Err != nil {
				t.Error(out.Err)
			}
		}
		b.drain(t)
		b.checkOnce(t, conns)
		b.checkCounted(t, conns, 0, 0)

		// Without its pieces a record is of no use: nothing is acknowledged.
		down, b.queue.fail = true, func(sumu.Notification) error { return sumu.ErrUnavailable }
		d = deliver(t, "m2", sumu.Notification{ID: "n2", Everyone: true, Data: n.Data})
		wantErr(t, "requeue", b.one(t, d).Err, sumu.ErrUnavailable)
		b.queue.fail = nil
		r, err := b.store.LoadRecord(t.Context(), "push", "n2/")
		if err != nil {
			t.Fatal(err)
		}
		var v struct{ At string }
		if err := json.Unmarshal(r.Value, &v); err != nil || v.At == "" {
			t.Fatalf("record %s has no pieces: %v", r.Value, err)
		}
		if err := b.store.DeleteRecord(t.Context(), "push.rest", v.At+".1", 1); err != nil {
			t.Fatal(err)
		}
		wantErr(t, "a piece is lost", b.one(t, d).Err, sumu.ErrUnavailable)
	})
}

// FuzzWorker: whatever a body and a record hold, nothing panics, and a record
// that is not understood is never taken for one that is done.
func FuzzWorker(f *testing.F) {
	f.Add([]byte(`{"id":"n","users":["u0"],"data":1}`), []byte(`{"state":"done","token":"t","print":"x"}`))
	f.Add([]byte(`{"users":["u0"],"data":1}`), []byte(`{"state":"settled","print":"5K0LpFxFZ0bOx0o8","rest":[{"part":"r"}]}`))
	f.Add([]byte(`{`), []byte(`{"state":"lease","until":-1,"pieces":3}`))
	f.Add([]byte(`{"data":null,"segment":{"index":0,"count":2}}`), []byte(`null`))
	f.Fuzz(func(t *testing.T, body, value []byte) {
		b := newBench(t, func(o *pusher.WorkerOptions) { o.Segments = 2 })
		fill(t, b.store, 1, 1)
		id := "m"
		if n, err := sumu.ParseNotification(body); err == nil {
			key := n.Key()
			if n.ID == "" {
				key = id + "/" + n.Part
			}
			err := b.store.SaveRecord(t.Context(), sumu.Record{
				Kind: "push", Key: key, Value: value, Rev: 1, DeleteAt: time.Now().Add(time.Hour),
			})
			if err != nil && !errors.Is(err, sumu.ErrTooLarge) {
				t.Fatal(err)
			}
			if err != nil {
				return
			}
		}
		out := b.one(t, sumu.Delivery{Body: body, MessageID: id})
		if out.Err == nil && b.sender.posts() == 0 && len(b.queue.sent) == 0 && len(b.dead) == 0 &&
			stateOf(value) != "done" && out.Result.ID == "" {
			t.Errorf("acknowledged, and nothing done: body %q, record %q", body, value)
		}
	})
}
