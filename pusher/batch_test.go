package pusher_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/internal/leak"
	"github.com/sumu-live/sumu/pusher"
)

// batchSender takes batches for every endpoint but "alone". decide, when set,
// says the outcome of each connection of a batch.
type batchSender struct {
	sender
	most   int
	decide func(ctx context.Context, request int, c sumu.Connection) error
	before func(request int) // each request

	batchMu  sync.Mutex
	requests []batchRequest
}

type batchRequest struct {
	endpoint, payload string
	ids               []string
}

func (s *batchSender) MaxBatch(c sumu.Connection) int {
	if c.Endpoint == "alone" {
		return 0
	}
	return s.most
}

func (s *batchSender) PostBatch(ctx context.Context, conns []sumu.Connection, p *sumu.Payload) []error {
	r := batchRequest{endpoint: conns[0].Endpoint, payload: string(p.Bytes())}
	for _, c := range conns {
		if c.Endpoint != r.endpoint {
			panic("a batch of several endpoints")
		}
		r.ids = append(r.ids, c.ID)
	}
	s.batchMu.Lock()
	s.requests = append(s.requests, r)
	n := len(s.requests)
	s.batchMu.Unlock()
	if s.before != nil {
		s.before(n)
	}
	outcomes := make([]error, len(conns))
	for i, c := range conns {
		if s.decide != nil {
			outcomes[i] = s.decide(ctx, n, c)
		}
		if outcomes[i] == nil {
			outcomes[i] = s.Post(ctx, c, p)
		}
	}
	return outcomes
}

func newBatchSender() *batchSender { return &batchSender{most: 10_000} }

// at writes a user's connection at an endpoint.
func at(t testing.TB, store sumu.Store, endpoint, id string) {
	t.Helper()
	err := store.Put(t.Context(), sumu.Connection{UserID: "u-" + id, ID: id, Endpoint: endpoint, ConnectedAt: time.Now().Add(-time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
}

func fillNodes(t testing.TB, store sumu.Store, endpoints, per int) {
	t.Helper()
	for e := range endpoints {
		for i := range per {
			at(t, store, fmt.Sprintf("node-%d", e), fmt.Sprintf("c%d-%d", e, i))
		}
	}
}

// A node gets one request for a payload, and others get a post each.
func TestBatchPerEndpoint(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		store := new(memstore.Store)
		fillNodes(t, store, 3, 300)
		for i := range 5 {
			at(t, store, "alone", fmt.Sprint("a", i))
		}
		s := newBatchSender()
		r := push(t, newPusher(t, store, s), everyone)
		if r.Targets != 905 || r.Delivered != 905 || r.Err != nil || s.total() != 905 || s.posts() != 905 {
			t.Errorf("result %+v, %d posts; want 905 delivered, each once", r, s.posts())
		}
		if len(s.requests) != 3 {
			t.Errorf("%d requests for 3 nodes", len(s.requests))
		}
		for _, b := range s.requests {
			if len(b.ids) != 300 || b.payload != "1" {
				t.Errorf("%s got %d connections and %q", b.endpoint, len(b.ids), b.payload)
			}
		}
	})
}

func TestBatchSizes(t *testing.T) {
	for name, tt := range map[string]struct{ option, most, requests, posts int }{
		"the sender's":        {0, 40, 3, 100},
		"the option's":        {30, 10_000, 4, 100},
		"the default":         {0, 10_000, 1, 100},
		"none, by option":     {-1, 10_000, 0, 100},
		"none, by option 1":   {1, 10_000, 0, 100},
		"none, by the sender": {0, 1, 0, 100},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := new(memstore.Store)
				fillNodes(t, store, 1, 100)
				s := newBatchSender()
				s.most = tt.most
				r := push(t, newPusher(t, store, s, func(o *pusher.Options) { o.Batch = tt.option }), everyone)
				if r.Delivered != 100 || len(s.requests) != tt.requests || s.posts() != tt.posts {
					t.Errorf("result %+v, %d requests, %d posts; want %+v", r, len(s.requests), s.posts(), tt)
				}
			})
		})
	}
}

// Each connection of a batch has an outcome of its own, and only what may yet
// succeed is tried again.
func TestBatchOutcomes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := new(memstore.Store)
		for _, id := range []string{"fine", "gone", "gone2", "slow", "bad", "single"} {
			at(t, store, "node", id)
		}
		s := newBatchSender()
		s.decide = func(_ context.Context, request int, c sumu.Connection) error {
			switch c.ID {
			case "gone", "gone2":
				return &sumu.Error{Op: "post " + c.ID, Kind: sumu.ErrGone}
			case "slow":
				if request == 1 {
					return &sumu.Error{Op: "post slow", Kind: sumu.ErrThrottled}
				}
			case "bad":
				return &sumu.Error{Op: "post bad", Kind: sumu.ErrInvalid}
			case "single":
				return &sumu.Error{Op: "post single", Kind: sumu.ErrUnsupported}
			}
			return nil
		}
		var posted []error
		p := newPusher(t, store, s, func(o *pusher.Options) {
			o.Concurrency = 1
			o.Observer.Posted = func(_ context.Context, _ sumu.ConnectionRef, _ string, err error) { posted = append(posted, err) }
		})
		r := push(t, p, everyone)
		if r.Targets != 6 || r.Delivered != 3 || r.Gone != 2 || r.Failed != 1 || len(r.Remainder) != 0 {
			t.Errorf("result %+v", r)
		}
		if len(r.Failures) != 1 || !errors.Is(r.Failures[0].Err, sumu.ErrInvalid) || r.Failures[0].Target.ConnectionID != "bad" {
			t.Errorf("failures %+v", r.Failures)
		}
		if len(s.requests) != 2 || !slices.Equal(s.requests[1].ids, []string{"slow"}) {
			t.Errorf("requests %+v; want a second one for slow alone", s.requests)
		}
		if len(posted) != 7 { // The one that no batch takes was not tried twice.
			t.Errorf("the observer is told of %d posts: %v", len(posted), posted)
		}
		if n := rows(t, store); n != 4 {
			t.Errorf("%d rows are left; want 4", n)
		}
		if got := s.got("u-single", "single"); len(got) != 1 {
			t.Errorf("single got %q", got)
		}
	})
}

// What a batch does not post is no try: it does not end in the remainder.
func TestBatchUnsupportedIsNoTry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := new(memstore.Store)
		fillNodes(t, store, 2, 50)
		s := newBatchSender()
		s.decide = func(context.Context, int, sumu.Connection) error { return sumu.ErrUnsupported }
		r := push(t, newPusher(t, store, s, func(o *pusher.Options) { o.Tries, o.Attempts = 1, 1 }), everyone)
		if r.Delivered != 100 || s.posts() != 100 || len(s.requests) != 2 {
			t.Errorf("result %+v, %d posts, %d requests; want 100 delivered after 2 requests", r, s.posts(), len(s.requests))
		}
		// A Post that is not supported is an end.
		s.respond = func(context.Context, sumu.Connection, int) error { return sumu.ErrUnsupported }
		if r := push(t, newPusher(t, store, s), everyone); r.Failed != 100 {
			t.Errorf("result %+v; want 100 failed", r)
		}
	})
}

// Without outcomes nobody knows: all of the batch is tried again.
func TestBatchWithoutOutcomes(t *testing.T) {
	for name, fault := range map[string]func(context.Context, *batchSender) []error{
		"a panic":  func(context.Context, *batchSender) []error { panic("oops") },
		"too few":  func(context.Context, *batchSender) []error { return []error{nil} },
		"too many": func(context.Context, *batchSender) []error { return make([]error, 11) },
		"none in time": func(ctx context.Context, _ *batchSender) []error {
			<-ctx.Done()
			return slices.Repeat([]error{ctx.Err()}, 10)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := new(memstore.Store)
				fillNodes(t, store, 1, 10)
				s := &faultyBatch{batchSender: newBatchSender(), fault: fault}
				r := push(t, newPusher(t, store, s), everyone)
				if r.Delivered != 10 || s.calls != 2 {
					t.Errorf("result %+v after %d requests; want all delivered by the second", r, s.calls)
				}
				s.calls = 0
				r = push(t, newPusher(t, store, s, func(o *pusher.Options) { o.Tries = 1 }), everyone)
				if r.Requeued != 10 || len(r.Remainder) != 1 || len(r.Remainder[0].Connections) != 10 {
					t.Errorf("result %+v; want all in the remainder", r)
				}
			})
		})
	}
}

// faultyBatch fails in its first request.
type faultyBatch struct {
	*batchSender
	fault func(context.Context, *batchSender) []error
	calls int
}

func (s *faultyBatch) PostBatch(ctx context.Context, conns []sumu.Connection, p *sumu.Payload) []error {
	if s.calls++; s.calls == 1 {
		return s.fault(ctx, s.batchSender)
	}
	return s.batchSender.PostBatch(ctx, conns, p)
}

// The notifications of a batch reach each connection in their order, also when
// the first is throttled.
func TestBatchKeepsOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := new(memstore.Store)
		fillNodes(t, store, 2, 20)
		s := newBatchSender()
		s.decide = func(_ context.Context, request int, c sumu.Connection) error {
			if request <= 2 && c.ID[len(c.ID)-1] == '7' {
				return sumu.ErrThrottled
			}
			return nil
		}
		p := newPusher(t, store, s)
		var batch []sumu.Notification
		for i := range 3 {
			batch = append(batch, sumu.Notification{ID: fmt.Sprint(i), Everyone: true, Data: fmt.Append(nil, i)})
		}
		results, err := p.Push(t.Context(), batch...)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range results {
			if r.Delivered != 40 {
				t.Errorf("result %+v", r)
			}
		}
		for c, err := range store.All(t.Context(), sumu.Segment{}) {
			if got := s.got(c.UserID, c.ID); err != nil || !slices.Equal(got, []string{"0", "1", "2"}) {
				t.Errorf("%s got %q", c.ID, got)
			}
		}
		if n := len(s.requests); n > 12 {
			t.Errorf("%d requests for 3 payloads and 2 nodes", n)
		}
	})
}

// A refused sender stops the batch; what is held is left, and prunes nothing.
func TestBatchForbidden(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := new(memstore.Store)
		fillNodes(t, store, 3, 10)
		s := newBatchSender()
		s.decide = func(context.Context, int, sumu.Connection) error { return sumu.ErrForbidden }
		r := push(t, newPusher(t, store, s, func(o *pusher.Options) { o.Concurrency = 1 }), everyone)
		if len(s.requests) != 1 || r.Requeued != 30 || r.Delivered+r.Gone+r.Failed != 0 || rows(t, store) != 30 {
			t.Errorf("result %+v after %d requests; want all 30 in the remainder after one", r, len(s.requests))
		}
	})
}

// inTurn spares the clock of a bubble, which stands while a goroutine waits for
// a lock.
func inTurn(o *pusher.Options) { o.Concurrency = 1 }

// slowStore yields a connection, and then waits.
type slowStore struct {
	sumu.Store
	pause time.Duration
}

func (s slowStore) All(ctx context.Context, seg sumu.Segment) iter.Seq2[sumu.Connection, error] {
	return func(yield func(sumu.Connection, error) bool) {
		for c, err := range s.Store.All(ctx, seg) {
			if !yield(c, err) {
				return
			}
			select {
			case <-time.After(s.pause):
			case <-ctx.Done():
				yield(sumu.Connection{}, ctx.Err())
				return
			}
		}
	}
}

// A target does not wait for others of its batch until the deadline.
func TestBatchDoesNotWaitLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := new(memstore.Store)
		fillNodes(t, store, 1, 20)
		s := newBatchSender()
		begin := time.Now()
		var first time.Duration
		s.before = func(request int) {
			if request == 1 {
				first = time.Since(begin)
			}
		}
		r := push(t, newPusher(t, slowStore{store, 100 * time.Millisecond}, s, inTurn), everyone)
		if r.Delivered != 20 || len(s.requests) < 3 || len(s.requests) > 5 || first > time.Second {
			t.Errorf("result %+v by %d requests, the first after %v; want some 5 in each", r, len(s.requests), first)
		}
	})
}

// What is held when the time is over is left to the remainder, and not posted.
func TestBatchAtTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := new(memstore.Store)
		fillNodes(t, store, 1, 20)
		s := newBatchSender()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		// The second connection comes when it is too late.
		results, _ := newPusher(t, slowStore{store, 20 * time.Second}, s, inTurn).Push(ctx, everyone)
		r := results[0]
		checkCounts(t, r)
		if r.Targets != 1 || r.Requeued != 1 || len(s.requests) != 0 || len(r.Remainder) != 2 {
			t.Fatalf("result %+v after %d requests; want one target in the remainder", r, len(s.requests))
		}
		left := 0
		p := newPusher(t, store, s)
		for _, n := range r.Remainder {
			left += push(t, p, n).Delivered
		}
		if left != 20 || s.posts() != 20 {
			t.Errorf("%d delivered of the remainder by %d posts; want 20", left, s.posts())
		}
	})
}

// The number of nodes does not matter, and neither that of targets: only so
// many are held.
func TestBatchManyNodes(t *testing.T) {
	leak.Check(t)
	store := new(memstore.Store)
	const nodes, per = 600, 50
	fillNodes(t, store, nodes, per)
	s := newBatchSender()
	var refused sync.Map
	s.decide = func(_ context.Context, _ int, c sumu.Connection) error {
		if _, twice := refused.LoadOrStore(c.ID, true); c.ID[len(c.ID)-2:] == "17" && !twice {
			return sumu.ErrThrottled
		}
		return nil
	}
	r := push(t, newPusher(t, store, s, func(o *pusher.Options) { o.Backoff = time.Millisecond }), everyone)
	if r.Delivered != nodes*per || s.total() != nodes*per {
		t.Errorf("result %+v, %d deliveries; want %d", r, s.total(), nodes*per)
	}
	t.Logf("%d requests for %d targets on %d nodes", len(s.requests), nodes*per, nodes)
	if n := len(s.requests); n > nodes*per/5 {
		t.Errorf("%d requests for %d targets on %d nodes", n, nodes*per, nodes)
	}
}
