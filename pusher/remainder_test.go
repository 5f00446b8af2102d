package pusher_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/pusher"
)

// TestNothingIsLostOrRepeated pushes random notifications over a store, a
// sender and a clock that fail at random, hands every remainder back as a queue
// would, and checks that each live target got the notification exactly once, but
// for posts whose answer was lost, and that all counts add up.
func TestNothingIsLostOrRepeated(t *testing.T) {
	plans := 400
	if testing.Short() {
		plans = 50
	}
	for seed := range plans {
		synctest.Test(t, func(t *testing.T) {
			defer func() {
				if t.Failed() {
					t.Logf("seed %d", seed)
				}
			}()
			randomPush(t, uint64(seed))
		})
	}
}

func randomPush(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 1))
	base := new(memstore.Store)
	users := 1 + rng.IntN(60)
	fill(t, base, users, 1+rng.IntN(4))
	var lost atomic.Int64
	// Faults are drawn from the connection and the try, so that they do not
	// depend on which worker comes first.
	draw := func(c sumu.Connection, try int) int {
		h := rand.New(rand.NewPCG(seed^uint64(try), uint64(len(c.ID))<<32^hash(c.UserID+c.ID)))
		return h.IntN(100)
	}
	slow := time.Duration(rng.IntN(40)) * time.Millisecond
	s := &sender{respond: func(ctx context.Context, c sumu.Connection, try int) error {
		select {
		case <-time.After(slow):
		case <-ctx.Done():
			return ctx.Err()
		}
		switch d := draw(c, try); {
		case d < 10 && try < 4:
			return sumu.ErrThrottled
		case d < 15 && try < 4:
			return errors.New("reset")
		case d < 18 && try < 4:
			lost.Add(1)
			return errAnswerLost
		}
		return nil
	}}
	store := &faultyStore{Store: base}
	if rng.IntN(2) == 0 {
		var calls atomic.Uint64
		fault := func(percent uint64) error {
			if r := rand.New(rand.NewPCG(seed, calls.Add(1))); r.Uint64N(100) < percent {
				return &sumu.Error{Op: "look up", Kind: sumu.ErrUnavailable}
			}
			return nil
		}
		store.byUser = func(string) error { return fault(10) }
		store.all = func(int) error { return fault(3) }
		store.get = func(sumu.ConnectionRef) error { return fault(5) }
	}
	p := newPusher(t, store, s, func(o *pusher.Options) {
		o.Concurrency = 1 + rng.IntN(8)
		o.Lookahead = 1 + rng.IntN(5)
		o.Attempts = 100
	})

	data := json.RawMessage(`"x"`)
	var batch []sumu.Notification
	want := make(map[sumu.ConnectionRef]int)
	for i := range 1 + rng.IntN(3) {
		n := sumu.Notification{ID: fmt.Sprintf("n%d", i), Data: data}
		exclude := fmt.Sprintf("u%d", rng.IntN(users))
		n.ExcludeUsers = []string{exclude}
		named := make(map[string]bool)
		if rng.IntN(2) == 0 {
			n.Everyone = true
		} else {
			for range 1 + rng.IntN(users) {
				u := fmt.Sprintf("u%d", rng.IntN(users))
				n.Users = append(n.Users, u)
				named[u] = true
			}
		}
		var refs []sumu.ConnectionRef
		if !n.Everyone {
			refs = []sumu.ConnectionRef{{UserID: "u0", ConnectionID: "c0"}, {UserID: exclude, ConnectionID: "c0"}}
		}
		n.Connections = refs
		for c := range base.All(t.Context(), sumu.Segment{}) {
			if c.UserID != exclude && (n.Everyone || named[c.UserID] || c.Ref() == refs[0]) {
				want[c.Ref()]++
			}
		}
		batch = append(batch, n)
	}

	keys := make(map[string]bool)
	queue := batch
	for rounds := 0; len(queue) > 0; rounds++ {
		if rounds > 500 {
			t.Fatalf("still %d notifications after %d rounds", len(queue), rounds)
		}
		take := min(len(queue), 1+rng.IntN(10))
		now := queue[:take:take]
		queue = queue[take:]
		for _, n := range now {
			if keys[n.Key()] {
				t.Fatalf("key %q comes twice", n.Key())
			}
			keys[n.Key()] = true
			var back sumu.Notification
			if b, err := json.Marshal(n); err != nil || json.Unmarshal(b, &back) != nil {
				t.Fatalf("remainder %+v does not survive its wire format: %v", n, err)
			}
		}
		ctx, cancel := t.Context(), context.CancelFunc(func() {})
		if rng.IntN(3) > 0 {
			ctx, cancel = context.WithTimeout(ctx, time.Duration(20+rng.IntN(400))*time.Millisecond)
		}
		results, _ := p.Push(ctx, now...)
		cancel()
		for _, r := range results {
			checkCounts(t, r)
			if r.Failed > 0 || r.Gone > 0 || len(r.GivenUp) > 0 {
				t.Fatalf("result %+v; nothing can fail for good here", r)
			}
			queue = append(queue, r.Remainder...)
		}
	}
	repeats := int64(0)
	for ref, n := range want {
		got := len(s.got(ref.UserID, ref.ConnectionID))
		if got < n {
			t.Fatalf("%v got %d of %d", ref, got, n)
		}
		repeats += int64(got - n)
	}
	if total := s.total(); total != sum(want)+int(repeats) {
		t.Fatalf("%d deliveries; want %d: somebody else got some", total, sum(want)+int(repeats))
	}
	if repeats > lost.Load() {
		t.Fatalf("%d repeated deliveries, but only %d answers were lost", repeats, lost.Load())
	}
}

func sum(m map[sumu.ConnectionRef]int) int {
	n := 0
	for _, v := range m {
		n += v
	}
	return n
}

func hash(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

func TestStopsBeforeTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := new(memstore.Store)
		fill(t, store, 1000, 1)
		s := &sender{respond: func(ctx context.Context, _ sumu.Connection, _ int) error {
			time.Sleep(100 * time.Millisecond)
			return ctx.Err()
		}}
		p := newPusher(t, store, s, func(o *pusher.Options) { o.Concurrency = 10 })
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		results, err := p.Push(ctx, everyone)
		r := results[0]
		checkCounts(t, r)
		if ctx.Err() != nil {
			t.Error("it did not stop before the deadline")
		}
		if err == nil || !sumu.Retryable(err) || len(r.Remainder) == 0 {
			t.Errorf("error %v, %d in the remainder; want a retryable one and the rest", err, len(r.Remainder))
		}
		if r.Delivered < 250 || r.Delivered > 300 {
			t.Errorf("%d delivered; want those of 2.7 s, at 100/s", r.Delivered)
		}
		for len(r.Remainder) > 0 {
			if r.Remainder[0].Attempt != 0 {
				t.Fatal("what was not reached counts as an attempt, though there was progress")
			}
			next := r.Remainder
			results, err := p.Push(t.Context(), next...)
			if err != nil {
				t.Fatal(err)
			}
			r.Remainder = nil
			for _, nr := range results {
				r.Remainder = append(r.Remainder, nr.Remainder...)
			}
		}
		if s.total() != 1000 {
			t.Errorf("%d deliveries; want 1000", s.total())
		}
	})
}

func TestPushWithoutProgressEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := new(memstore.Store)
		fill(t, store, 3, 1)
		p := newPusher(t, store, new(sender), func(o *pusher.Options) { o.MaxOutage = time.Minute })
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		begin := time.Now()
		queue := []sumu.Notification{everyone}
		var given []sumu.Notification
		for len(queue) > 0 {
			if time.Since(begin) > 2*time.Minute {
				t.Fatal("it goes on for ever")
			}
			results, _ := p.Push(ctx, queue...)
			queue = results[0].Remainder
			given = append(given, results[0].GivenUp...)
			time.Sleep(10 * time.Second)
		}
		if len(given) != 1 || !given[0].Everyone || given[0].Attempt != 0 || !given[0].Since.Equal(begin) {
			t.Errorf("given up: %+v; want the notification, and since when it waits", given)
		}
		if d := time.Since(begin); d < time.Minute {
			t.Errorf("given up after %v; want more than MaxOutage", d)
		}
	})
}

// endless yields connections without holding any, and counts how far the
// stream is ahead of the posts.
type endless struct {
	sumu.Store
	n      int
	yields atomic.Int64
}

func (e *endless) All(context.Context, sumu.Segment) iter.Seq2[sumu.Connection, error] {
	return func(yield func(sumu.Connection, error) bool) {
		for i := range e.n {
			e.yields.Add(1)
			if !yield(sumu.Connection{UserID: "u", ID: fmt.Sprintf("%08d", i)}, nil) {
				return
			}
		}
	}
}

type countingSender struct {
	store *endless
	posts atomic.Int64
	ahead atomic.Int64 // the most that was found and not posted
}

func (c *countingSender) Post(context.Context, sumu.Connection, *sumu.Payload) error {
	n := c.store.yields.Load() - c.posts.Load()
	for old := c.ahead.Load(); n > old && !c.ahead.CompareAndSwap(old, n); old = c.ahead.Load() {
	}
	c.posts.Add(1)
	return nil
}

func TestMemoryIsFlat(t *testing.T) {
	store := &endless{n: 200_000}
	s := &countingSender{store: store}
	p := newPusher(t, store, s, func(o *pusher.Options) { o.Concurrency = 16 })
	r := push(t, p, everyone)
	if r.Delivered != store.n {
		t.Fatalf("result %+v", r)
	}
	if got := s.ahead.Load(); got > 16*9 {
		t.Errorf("%d targets were held at once; want at most the workers' chunks", got)
	}
}

func TestTooManyFailing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &endless{n: 100_000}
		s := &sender{respond: func(context.Context, sumu.Connection, int) error { return sumu.ErrThrottled }}
		r := push(t, newPusher(t, store, s), everyone)
		if r.Targets > 8_000 || r.Requeued != r.Targets || r.Err == nil {
			t.Fatalf("%d targets, %d requeued, error %v; want a stop after about 5000", r.Targets, r.Requeued, r.Err)
		}
		refs, rest := 0, 0
		for _, n := range r.Remainder {
			refs += len(n.Connections)
			if n.Everyone {
				rest++
				if n.Segment.After.ConnectionID == "" {
					t.Error("the rest begins at the beginning")
				}
			}
		}
		if refs != r.Requeued || rest != 1 {
			t.Errorf("remainder names %d connections and %d rests; want %d and 1", refs, rest, r.Requeued)
		}
	})
}
