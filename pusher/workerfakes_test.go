package pusher_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/pusher"
)

// line is a queue that holds what workers send to it.
type line struct {
	fail func(n sumu.Notification) error

	mu   sync.Mutex
	sent []sent
}

type sent struct {
	n     sumu.Notification
	delay time.Duration
}

func (l *line) Requeue(_ context.Context, n sumu.Notification, delay time.Duration) error {
	if l.fail != nil {
		if err := l.fail(n); err != nil {
			return err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent = append(l.sent, sent{n, delay})
	return nil
}

// take empties the queue, as the deliveries of a transport.
func (l *line) take(t testing.TB) []sumu.Delivery {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []sumu.Delivery
	for i, s := range l.sent {
		out = append(out, deliver(t, fmt.Sprintf("child-%s-%d", s.n.Part, i), s.n))
	}
	l.sent = nil
	return out
}

func deliver(t testing.TB, id string, n sumu.Notification) sumu.Delivery {
	t.Helper()
	body, err := n.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return sumu.Delivery{Body: body, MessageID: id, Receives: 1}
}

func raw(id, body string) sumu.Delivery {
	return sumu.Delivery{Body: []byte(body), MessageID: id, Receives: 1}
}

// faultyRecords fails as told.
type faultyRecords struct {
	sumu.StateStore
	save func(r sumu.Record, state string) error

	mu    sync.Mutex
	saves []string // the states that were asked for
}

func (f *faultyRecords) SaveRecord(ctx context.Context, r sumu.Record) error {
	state := stateOf(r.Value)
	f.mu.Lock()
	f.saves = append(f.saves, state)
	f.mu.Unlock()
	if f.save != nil {
		if err := f.save(r, state); err != nil {
			return err
		}
	}
	return f.StateStore.SaveRecord(ctx, r)
}

// bench is a worker and all that is around it.
type bench struct {
	store   *memstore.Store
	faulty  *faultyStore
	records *faultyRecords
	sender  *sender
	queue   *line
	requeue sumu.Requeuer // of the workers that are made; the queue, unless another is given
	push    *pusher.Pusher
	worker  *pusher.Worker

	mu      sync.Mutex
	counted []sumu.Result
	dead    []sumu.Notification
	reasons []error
}

func newBench(t testing.TB, optFns ...any) *bench {
	t.Helper()
	b := &bench{store: new(memstore.Store), sender: new(sender), queue: new(line)}
	b.faulty = &faultyStore{Store: b.store}
	b.records = &faultyRecords{StateStore: b.store}
	b.push = newPusher(t, b.faulty, b.sender, func(o *pusher.Options) {
		o.Tries = 1
		o.Observer.Pushed = func(_ context.Context, r sumu.Result) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.counted = append(b.counted, r)
		}
		for _, fn := range optFns {
			if fn, ok := fn.(func(*pusher.Options)); ok {
				fn(o)
			}
		}
	})
	b.worker = b.another(t, optFns...)
	return b
}

// another is one more worker over the same records.
func (b *bench) another(t testing.TB, optFns ...any) *pusher.Worker {
	t.Helper()
	requeue := b.requeue
	if requeue == nil {
		requeue = b.queue
	}
	w, err := pusher.NewWorker(b.push, requeue, func(o *pusher.WorkerOptions) {
		o.Records = b.records
		o.DeadLetter = func(_ context.Context, n sumu.Notification, reason error) error {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.dead, b.reasons = append(b.dead, n), append(b.reasons, reason)
			return nil
		}
		for _, fn := range optFns {
			if fn, ok := fn.(func(*pusher.WorkerOptions)); ok {
				fn(o)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// one handles a single message.
func (b *bench) one(t testing.TB, d sumu.Delivery) sumu.Outcome {
	t.Helper()
	return b.worker.Handle(t.Context(), d)[0]
}

// drain handles what the queue holds until it is empty, and again what failed.
func (b *bench) drain(t testing.TB) {
	t.Helper()
	for rounds := 0; ; rounds++ {
		batch := b.queue.take(t)
		if len(batch) == 0 {
			return
		}
		if rounds > 50 {
			t.Fatal("the queue never drains")
		}
		for i, out := range b.worker.Handle(t.Context(), batch...) {
			if out.Err != nil {
				t.Fatalf("child %s: %v", batch[i].Body, out.Err)
			}
		}
	}
}

// checkOnce checks that every connection got the notification n times.
func (b *bench) checkOnce(t testing.TB, targets int) {
	t.Helper()
	for ref, got := range b.sender.delivered {
		if len(got) != 1 {
			t.Errorf("%v got it %d times", ref, len(got))
		}
	}
	if len(b.sender.delivered) != targets {
		t.Errorf("%d connections got it; want %d", len(b.sender.delivered), targets)
	}
}

// checkCounted checks the sum of all that was told to the observer.
func (b *bench) checkCounted(t testing.TB, delivered, gone, failed int) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	var sum sumu.Result
	for _, r := range b.counted {
		checkCounts(t, r)
		sum.Delivered += r.Delivered
		sum.Gone += r.Gone
		sum.Failed += r.Failed
	}
	if sum.Delivered != delivered || sum.Gone != gone || sum.Failed != failed {
		t.Errorf("counted: %d delivered, %d gone, %d failed; want %d, %d, %d",
			sum.Delivered, sum.Gone, sum.Failed, delivered, gone, failed)
	}
}

func to(id string, users ...string) sumu.Notification {
	return sumu.Notification{ID: id, Users: users, Data: json.RawMessage(`{"n":1}`)}
}

func toAll(id string) sumu.Notification {
	return sumu.Notification{ID: id, Everyone: true, Data: json.RawMessage(`{"n":1}`)}
}

var errDown = &sumu.Error{Op: "store", Kind: sumu.ErrThrottled}

func wantErr(t testing.TB, what string, err, kind error) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Errorf("%s: error %v; want %v", what, err, kind)
	}
}
