package pusher_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sumu-live/sumu"
)

// outage is a dependency that answers nothing for a while.
type outage struct{ until time.Time }

func (o *outage) err() error {
	if time.Now().Before(o.until) {
		return &sumu.Error{Op: "dial", Kind: sumu.ErrUnavailable}
	}
	return nil
}

// sqsLike is a queue as SQS is, with a redrive policy, and with a consumer that
// has what failed come again after a back-off of a second, doubling.
type sqsLike struct {
	down        outage
	maxReceives int

	mu       sync.Mutex
	messages []*sqsMessage
	dead     []*sqsMessage
	sent     int
}

type sqsMessage struct {
	id        string
	n         sumu.Notification
	visibleAt time.Time
	receives  int
}

func (q *sqsLike) send(n sumu.Notification, delay time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.sent++
	q.messages = append(q.messages, &sqsMessage{id: fmt.Sprint("m", q.sent), n: n, visibleAt: time.Now().Add(delay)})
}

func (q *sqsLike) Requeue(_ context.Context, n sumu.Notification, delay time.Duration) error {
	if err := q.down.err(); err != nil {
		return err
	}
	q.send(n, delay)
	return nil
}

// receive takes up to ten messages. It reports false when the queue is empty.
func (q *sqsLike) receive() (batch []*sqsMessage, more bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, m := range slices.Clone(q.messages) {
		if len(batch) == 10 || m.visibleAt.After(time.Now()) {
			continue
		}
		if m.receives++; m.receives > q.maxReceives {
			q.dead = append(q.dead, m)
			q.remove(m)
			continue
		}
		batch = append(batch, m)
	}
	return batch, len(q.messages) > 0
}

func (q *sqsLike) remove(m *sqsMessage) {
	q.messages = slices.DeleteFunc(q.messages, func(o *sqsMessage) bool { return o == m })
}

// serve has the worker of b handle what is in the queue until it is empty, or
// some time has passed.
func (q *sqsLike) serve(t *testing.T, b *bench, longest time.Duration) {
	for end, rounds := time.Now().Add(longest), 0; time.Now().Before(end); {
		batch, more := q.receive()
		if rounds += len(batch); rounds > 20_000 {
			t.Fatal("nothing waits for the end of the outage")
		}
		if !more {
			return
		}
		if len(batch) == 0 {
			time.Sleep(100 * time.Millisecond)
			continue
		}
		q.handle(t, b, batch)
	}
}

func (q *sqsLike) handle(t *testing.T, b *bench, batch []*sqsMessage) {
	ds := make([]sumu.Delivery, len(batch))
	for i, m := range batch {
		ds[i] = deliver(t, m.id, m.n)
		ds[i].Receives = m.receives
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for i, out := range b.worker.Handle(ctx, ds...) {
		q.mu.Lock()
		if m := batch[i]; out.Err == nil {
			q.remove(m)
		} else {
			m.visibleAt = time.Now().Add(max(out.RetryAfter, time.Second<<(m.receives-1)))
		}
		q.mu.Unlock()
	}
}

// outageBench is a bench whose worker serves the queue; the store, its records
// included, is down for a while.
func outageBench(t *testing.T, store time.Duration, optFns ...any) (*bench, *sqsLike) {
	q := &sqsLike{maxReceives: 5}
	b := newBench(t, optFns...)
	down := outage{time.Now().Add(store)}
	b.faulty.byUser = func(string) error { return down.err() }
	b.faulty.all = func(int) error { return down.err() }
	b.faulty.get = func(sumu.ConnectionRef) error { return down.err() }
	b.records.save = func(sumu.Record, string) error { return down.err() }
	b.requeue = q
	b.worker = b.another(t, optFns...)
	return b, q
}

// Found by use: two nodes, a table that was unreachable for 50 s while 146
// notifications were accepted, and all of them in the dead letters after it.
func TestAnOutageOfTheStoreFailsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, q := outageBench(t, 50*time.Second)
		fill(t, b.store, 1, 10)
		for i := range 146 {
			q.send(to(fmt.Sprint("n", i), "u0"), time.Duration(i)*340*time.Millisecond)
		}
		q.serve(t, b, time.Hour)
		if len(q.dead) > 0 || len(b.dead) > 0 || len(q.messages) > 0 || b.sender.total() != 1460 {
			t.Errorf("%d messages are in the dead-letter queue, %d were given up, %d are left; %d of 1,460 posts delivered",
				len(q.dead), len(b.dead), len(q.messages), b.sender.total())
		}
	})
}
