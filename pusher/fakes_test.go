package pusher_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"sync"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/pusher"
)

// sender records what it is asked to post. respond, when set, decides the
// outcome of each try; it is called without a lock.
type sender struct {
	respond func(ctx context.Context, c sumu.Connection, try int) error

	mu        sync.Mutex
	tries     map[sumu.ConnectionRef]int
	delivered map[sumu.ConnectionRef][]string // what each connection got, in order
	endpoints map[string]int
}

func (s *sender) Post(ctx context.Context, c sumu.Connection, p *sumu.Payload) error {
	s.mu.Lock()
	if s.tries == nil {
		s.tries = make(map[sumu.ConnectionRef]int)
		s.delivered = make(map[sumu.ConnectionRef][]string)
		s.endpoints = make(map[string]int)
	}
	s.tries[c.Ref()]++
	s.endpoints[c.Endpoint]++
	try := s.tries[c.Ref()]
	s.mu.Unlock()

	var err error
	if s.respond != nil {
		err = s.respond(ctx, c, try)
	}
	if err == nil || errors.Is(err, errAnswerLost) {
		s.mu.Lock()
		s.delivered[c.Ref()] = append(s.delivered[c.Ref()], string(p.Bytes()))
		s.mu.Unlock()
	}
	return err
}

// errAnswerLost: the post arrived, its answer did not.
var errAnswerLost = errors.New("answer lost")

func (s *sender) got(user, id string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.delivered[sumu.ConnectionRef{UserID: user, ConnectionID: id}]
}

// posts is the number of tries.
func (s *sender) posts() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, t := range s.tries {
		n += t
	}
	return n
}

// total is the number of deliveries.
func (s *sender) total() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, d := range s.delivered {
		n += len(d)
	}
	return n
}

// faultyStore fails look-ups as told.
type faultyStore struct {
	sumu.Store
	byUser func(user string) error
	all    func(yielded int) error // before each connection
	get    func(ref sumu.ConnectionRef) error
	hang   func(ctx context.Context) // before each of these

	hasLive func() error
}

func (f *faultyStore) HasLive(ctx context.Context, user string) (bool, error) {
	if f.hasLive != nil {
		if err := f.hasLive(); err != nil {
			return false, err
		}
	}
	return f.Store.HasLive(ctx, user)
}

func (f *faultyStore) wait(ctx context.Context) error {
	if f.hang != nil {
		f.hang(ctx)
	}
	return ctx.Err()
}

func (f *faultyStore) ByUser(ctx context.Context, user string) iter.Seq2[sumu.Connection, error] {
	return func(yield func(sumu.Connection, error) bool) {
		if err := f.wait(ctx); err != nil {
			yield(sumu.Connection{}, err)
			return
		}
		if f.byUser != nil {
			if err := f.byUser(user); err != nil {
				yield(sumu.Connection{}, err)
				return
			}
		}
		f.Store.ByUser(ctx, user)(yield)
	}
}

func (f *faultyStore) All(ctx context.Context, seg sumu.Segment) iter.Seq2[sumu.Connection, error] {
	return func(yield func(sumu.Connection, error) bool) {
		if err := f.wait(ctx); err != nil {
			yield(sumu.Connection{}, err)
			return
		}
		n := 0
		for c, err := range f.Store.All(ctx, seg) {
			if f.all != nil {
				if err := f.all(n); err != nil {
					yield(sumu.Connection{}, err)
					return
				}
			}
			n++
			if !yield(c, err) {
				return
			}
		}
	}
}

func (f *faultyStore) Get(ctx context.Context, ref sumu.ConnectionRef) (sumu.Connection, error) {
	if err := f.wait(ctx); err != nil {
		return sumu.Connection{}, err
	}
	if f.get != nil {
		if err := f.get(ref); err != nil {
			return sumu.Connection{}, err
		}
	}
	return f.Store.Get(ctx, ref)
}

// fill writes users u0, u1, … with per connections each, c0, c1, ….
func fill(t testing.TB, store sumu.Store, users, per int) {
	t.Helper()
	for u := range users {
		for c := range per {
			put(t, store, fmt.Sprintf("u%d", u), fmt.Sprintf("c%d", c))
		}
	}
}

func put(t testing.TB, store sumu.Store, user, id string) {
	t.Helper()
	err := store.Put(t.Context(), sumu.Connection{
		UserID:      user,
		ID:          id,
		Endpoint:    "https://row.example",
		ConnectedAt: time.Now().Add(-time.Hour),
		DeleteAt:    time.Now().Add(time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
}

func newPusher(t testing.TB, store sumu.Store, s sumu.Sender, optFns ...func(*pusher.Options)) *pusher.Pusher {
	t.Helper()
	p, err := pusher.New(store, s, optFns...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// push pushes one notification and checks that the counts add up.
func push(t testing.TB, p *pusher.Pusher, n sumu.Notification) sumu.Result {
	t.Helper()
	if n.Data == nil {
		n.Data = json.RawMessage(`{"n":1}`)
	}
	results, _ := p.Push(t.Context(), n)
	checkCounts(t, results[0])
	return results[0]
}

func checkCounts(t testing.TB, r sumu.Result) {
	t.Helper()
	if r.Targets != r.Delivered+r.Gone+r.Failed+r.Requeued {
		t.Fatalf("counts do not add up: %+v", r)
	}
}

func rows(t testing.TB, store *memstore.Store) int {
	t.Helper()
	n := 0
	for _, err := range store.All(t.Context(), sumu.Segment{}) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}
