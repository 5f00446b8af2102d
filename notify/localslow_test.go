package notify_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/notify"
	"github.com/sumu-live/sumu/pusher"
)

// sockets is a Sender to sockets that take so many posts each, and then throttle.
type sockets struct {
	store memstore.Store

	mu      sync.Mutex
	room    map[string]int // by connection; absent: no limit
	took    map[string]int
	refused int
	failed  int // targets that the pusher counts as failed
}

// newSockets returns sockets of users "u0", "u1", …, each with one connection of
// that name.
func newSockets(t *testing.T, n int) *sockets {
	t.Helper()
	s := &sockets{room: make(map[string]int), took: make(map[string]int)}
	for i := range n {
		name := fmt.Sprint("u", i)
		c := sumu.Connection{UserID: name, ID: name, DeleteAt: time.Now().Add(time.Hour)}
		if err := s.store.Put(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func (s *sockets) Post(_ context.Context, c sumu.Connection, _ *sumu.Payload) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if room, limited := s.room[c.ID]; limited {
		if room == 0 {
			s.refused++
			return &sumu.Error{Op: "post " + c.ID, Kind: sumu.ErrThrottled}
		}
		s.room[c.ID]--
	}
	s.took[c.ID]++
	return nil
}

// allow sets how many posts a socket takes from now on; negative: no limit.
func (s *sockets) allow(id string, posts int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.room[id] = posts; posts < 0 {
		delete(s.room, id)
	}
}

func (s *sockets) taken(id string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.took[id]
}

func (s *sockets) counts() (refused, failed int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refused, s.failed
}

// local returns a Local before the sockets; dead gets what is given up.
func (s *sockets) local(t *testing.T, attempts int, dead *deadLetters, optFns ...func(*notify.LocalOptions)) *notify.Local {
	t.Helper()
	push, err := pusher.New(&s.store, s, func(o *pusher.Options) {
		o.Tries, o.Attempts = 1, attempts
		o.Observer.Pushed = func(_ context.Context, r sumu.Result) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.failed += r.Failed
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return newLocal(t, push, append(optFns, func(o *notify.LocalOptions) { o.Observer.DeadLetter = dead.add })...)
}

// deadLetters keeps the errors of what was given up, by id.
type deadLetters struct {
	mu   sync.Mutex
	errs map[string][]error
}

func (d *deadLetters) add(_ context.Context, n sumu.Notification, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.errs == nil {
		d.errs = make(map[string][]error)
	}
	d.errs[n.ID] = append(d.errs[n.ID], err)
}

func (d *deadLetters) of(id string) []error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.errs[id])
}

func (d *deadLetters) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.errs)
}

func toUser(id, user string) sumu.Notification {
	n := note(id)
	n.Everyone, n.Users = false, []string{user}
	return n
}

func sendAll(t *testing.T, l *notify.Local, ns ...sumu.Notification) {
	t.Helper()
	for _, n := range ns {
		if err := l.Send(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
}

// A socket that reads on after a while gets what waited for it, however often a
// pusher would have tried: time counts, and not attempts.
func TestLocalWaitsForASlowSocket(t *testing.T) {
	for _, attempts := range []int{1, 5, 100} {
		synctest.Test(t, func(t *testing.T) {
			s, dead := newSockets(t, 2), new(deadLetters)
			s.allow("u0", 0)
			l := s.local(t, attempts, dead)
			sendAll(t, l, note("1"), toUser("2", "u0"))
			time.Sleep(50 * time.Second)
			if s.taken("u1") != 1 {
				t.Errorf("attempts %d: the other socket has %d; want 1", attempts, s.taken("u1"))
			}
			s.allow("u0", -1)
			if err := l.Close(t.Context()); err != nil {
				t.Error(err)
			}
			if s.taken("u0") != 2 || dead.count() != 0 {
				t.Errorf("attempts %d: the slow socket has %d; given up: %v; want 2 and none", attempts, s.taken("u0"), dead.errs)
			}
		})
	}
}

// What a socket never takes is given up when the time is over, and said.
func TestLocalGivesUpWhenTimeIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, dead := newSockets(t, 2), new(deadLetters)
		s.allow("u0", 0)
		l := s.local(t, 5, dead)
		soon := toUser("soon", "u0")
		soon.Deadline = time.Now().Add(10 * time.Second)
		sendAll(t, l, note("all"), soon)
		time.Sleep(11 * time.Second)
		synctest.Wait()
		if errs := dead.of("soon"); dead.count() != 1 || len(errs) != 1 || !errors.Is(errs[0], sumu.ErrExpired) {
			t.Errorf("after its deadline: given up %d, with %v; want the one with the deadline, as expired", dead.count(), errs)
		}
		time.Sleep(50 * time.Second)
		synctest.Wait()
		if errs := dead.of("all"); len(errs) != 1 || !errors.Is(errs[0], sumu.ErrThrottled) {
			t.Errorf("after a minute: given up with %v; want the rest, once, with the socket's error", errs)
		}
		if _, failed := s.counts(); failed != 1 {
			t.Errorf("the pusher counts %d targets as failed; want 1, at the last try", failed)
		}
		if s.taken("u1") != 1 {
			t.Errorf("the other socket has %d; want 1", s.taken("u1"))
		}
		if err := l.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// Whatever waits for one slow socket, others are sent to as ever.
func TestLocalASlowSocketTakesNobodysPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, dead := newSockets(t, 2), new(deadLetters)
		s.allow("u0", 0)
		l := s.local(t, 5, dead, func(o *notify.LocalOptions) { o.Queue = 8 })
		start := time.Now()
		for i := range 100 {
			sendAll(t, l, toUser(fmt.Sprint("slow", i), "u0"), toUser(fmt.Sprint("fast", i), "u1"))
			synctest.Wait()
		}
		if d := time.Since(start); d != 0 {
			t.Errorf("200 notifications were accepted in %v; want at once", d)
		}
		if s.taken("u1") != 100 {
			t.Errorf("the fast socket has %d; want 100", s.taken("u1"))
		}
		s.allow("u0", -1)
		if err := l.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if s.taken("u0") != 100 || dead.count() != 0 {
			t.Errorf("the slow socket has %d; given up: %v; want 100 and none", s.taken("u0"), dead.errs)
		}
	})
}

// What is given up says why, also when it is the node that has failed.
func TestLocalTellsWhichFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, now := new(memstore.Store), time.Now()
		err := store.Put(t.Context(), sumu.Connection{UserID: "ann", ID: "c", Endpoint: "e", ConnectedAt: now, DeleteAt: now.Add(time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		p, err := pusher.New(store, deadNode{}, func(o *pusher.Options) { o.Tries, o.Logger = 1, slog.New(slog.DiscardHandler) })
		if err != nil {
			t.Fatal(err)
		}
		var reasons []error
		l, err := notify.NewLocal(p, func(o *notify.LocalOptions) {
			o.Logger = slog.New(slog.DiscardHandler)
			o.Observer.DeadLetter = func(_ context.Context, _ sumu.Notification, err error) { reasons = append(reasons, err) }
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Send(t.Context(), sumu.Notification{ID: "n", Users: []string{"ann"}, Data: json.RawMessage("1")}); err != nil {
			t.Fatal(err)
		}
		if err := l.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(reasons) != 1 || !errors.Is(reasons[0], errNode) {
			t.Errorf("given up because of %v; want one reason, with %v", reasons, errNode)
		}
	})
}

var errNode = errors.New("connection refused")

// deadNode is a sender to a node that is gone.
type deadNode struct{}

func (deadNode) Post(context.Context, sumu.Connection, *sumu.Payload) error {
	return &sumu.Error{Op: "post", Kind: sumu.ErrUnavailable, Err: errNode}
}
