package pusher_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/pusher"
)

func newRooms(t testing.TB, users, per int) *rooms {
	t.Helper()
	s := &rooms{Store: new(memstore.Store), members: make(map[string][]sumu.ConnectionRef)}
	fill(t, s, users, per)
	return s
}

func TestChannelFrames(t *testing.T) {
	store := newRooms(t, 3, 1)
	store.members["room.42"] = []sumu.ConnectionRef{ref(0, 0), ref(1, 0)}
	n := sumu.Notification{
		ID: "n1", Channels: []string{"room.42"}, From: `u"0`, ExcludeConnections: []string{"none"},
		Data: json.RawMessage(`{"a": "<b>"}`),
	}
	for _, tt := range []struct {
		name   string
		change func(*sumu.Notification)
		opts   func(*pusher.Options)
		want   string
	}{
		{
			"a user's", nil, nil,
			`{"type":"message","channel":"room.42","from":"u\"0","id":"n1","data":{"a": "<b>"}}`,
		},
		{
			"a backend's", func(n *sumu.Notification) { n.From = "" }, func(o *pusher.Options) { o.Envelope = true },
			`{"type":"message","channel":"room.42","id":"n1","data":{"a": "<b>"}}`,
		},
		{"bare", nil, func(o *pusher.Options) { o.BareChannels = true }, `{"a": "<b>"}`},
		{"framed", func(n *sumu.Notification) { n.Framed = true }, nil, `{"a": "<b>"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := new(sender)
			n := n.Clone()
			if tt.change != nil {
				tt.change(&n)
			}
			var optFns []func(*pusher.Options)
			if tt.opts != nil {
				optFns = append(optFns, tt.opts)
			}
			r := push(t, newPusher(t, store, s, optFns...), n)
			if r.Delivered != 2 || r.Targets != 2 {
				t.Errorf("result %+v", r)
			}
			for u := range 2 {
				if got := s.got(ref(u, 0).UserID, "c0"); !slices.Equal(got, []string{tt.want}) {
					t.Errorf("u%d got %q, want %q", u, got, tt.want)
				}
			}
		})
	}
}

// With the frame around it a message may be too large for a socket.
func TestChannelMessageTooLarge(t *testing.T) {
	store := newRooms(t, 1, 1)
	store.members["room"] = []sumu.ConnectionRef{ref(0, 0)}
	s := new(sender)
	p := newPusher(t, store, s)
	data := json.RawMessage(`"` + strings.Repeat("x", sumu.MaxPayload-40) + `"`)
	r := push(t, p, sumu.Notification{ID: "n", Channels: []string{"room"}, Data: data})
	if !errors.Is(r.Err, sumu.ErrTooLarge) || !r.Refused() || s.posts() > 0 {
		t.Errorf("result %+v", r)
	}
	if r := push(t, p, sumu.Notification{ID: "n", Users: []string{"u0"}, Data: data}); r.Delivered != 1 {
		t.Errorf("to a user: %+v", r)
	}
}

func TestChannelsNeedAStore(t *testing.T) {
	store := new(memstore.Store)
	p := newPusher(t, struct{ sumu.Store }{store}, new(sender))
	for _, n := range []sumu.Notification{
		{ID: "n", Channels: []string{"room"}},
		{ID: "n", Everyone: true, ExcludeChannels: []string{"room"}},
		{ID: "n", Event: &sumu.Event{Type: "t"}},
	} {
		if r := push(t, p, n); !errors.Is(r.Err, sumu.ErrUnsupported) || !r.Refused() {
			t.Errorf("%+v: result %+v", n, r)
		}
	}
}

func TestExcludeChannels(t *testing.T) {
	store := newRooms(t, 4, 2)
	store.members["muted"] = []sumu.ConnectionRef{ref(1, 0), ref(2, 1)}
	s := new(sender)
	r := push(t, newPusher(t, store, s), sumu.Notification{ID: "n", Everyone: true, ExcludeChannels: []string{"muted"}})
	if r.Delivered != 6 || s.got("u1", "c0") != nil || s.got("u2", "c1") != nil {
		t.Errorf("result %+v", r)
	}
}

// A member that is gone is forgotten, and leaves the channel that found it.
func TestGoneMemberIsForgotten(t *testing.T) {
	store := newRooms(t, 2, 1)
	store.members["room"] = []sumu.ConnectionRef{ref(0, 0), ref(1, 0), ref(9, 9)} // The last one has no row.
	s := &sender{respond: func(_ context.Context, c sumu.Connection, _ int) error {
		if c.UserID != "u0" {
			return sumu.ErrGone
		}
		return nil
	}}
	r := push(t, newPusher(t, store, s), sumu.Notification{ID: "n", Channels: []string{"room"}})
	slices.Sort(store.left)
	if r.Gone != 2 || r.Delivered != 1 || len(store.forgotten) != 2 || !slices.Equal(store.left, []string{"c0 room", "c9 room"}) {
		t.Errorf("result %+v; forgotten %v, left %q", r, store.forgotten, store.left)
	}
}

// TestChannelsLoseNothing pushes random notifications to channels, users and
// connections that overlap, over look-ups and posts that fail, pushes every
// remainder as a queue would, and checks that each target got it exactly once.
func TestChannelsLoseNothing(t *testing.T) {
	rounds := 2_000
	if testing.Short() {
		rounds = 200
	}
	for seed := range rounds {
		synctest.Test(t, func(t *testing.T) {
			defer func() {
				if t.Failed() {
					t.Logf("seed %d", seed)
				}
			}()
			randomChannels(t, rand.New(rand.NewPCG(uint64(seed), 3)))
		})
	}
}

func randomChannels(t *testing.T, rng *rand.Rand) {
	const users, per = 12, 2
	store := newRooms(t, users, per)
	n := sumu.Notification{ID: "n", Data: json.RawMessage(`1`)}
	want := make(map[sumu.ConnectionRef]bool)
	for c := range 1 + rng.IntN(3) {
		name := fmt.Sprintf("room%d", c)
		n.Channels = append(n.Channels, name)
		for range rng.IntN(12) {
			if r := ref(rng.IntN(users), rng.IntN(per)); !slices.Contains(store.members[name], r) {
				store.members[name] = append(store.members[name], r)
				want[r] = true
			}
		}
	}
	for range rng.IntN(4) {
		u := rng.IntN(users)
		n.Users = append(n.Users, fmt.Sprintf("u%d", u))
		for c := range per {
			want[ref(u, c)] = true
		}
	}
	for range rng.IntN(4) {
		r := ref(rng.IntN(users), rng.IntN(per))
		n.Connections = append(n.Connections, r)
		want[r] = true
	}
	if rng.IntN(3) == 0 {
		u := fmt.Sprintf("u%d", rng.IntN(users))
		n.ExcludeUsers = []string{u}
		for c := range per {
			delete(want, sumu.ConnectionRef{UserID: u, ConnectionID: fmt.Sprintf("c%d", c)})
		}
	}
	if rng.IntN(3) == 0 {
		store.members["muted"] = []sumu.ConnectionRef{ref(0, 0), ref(1, 1)}
		n.ExcludeChannels = []string{"muted"}
		delete(want, ref(0, 0))
		delete(want, ref(1, 1))
	}

	var faults atomic.Int64 // left to be drawn: a push must end some time
	faults.Store(int64(rng.IntN(12)))
	draws := rng.Uint64()
	fault := func(of int) error {
		if draws = draws*6364136223846793005 + 1; draws>>33%uint64(of) == 0 && faults.Add(-1) >= 0 {
			return sumu.ErrUnavailable
		}
		return nil
	}
	store.broken = func(string, int) error { return fault(6) }
	faulty := &faultyRooms{rooms: store, fault: fault}
	s := &sender{respond: func(context.Context, sumu.Connection, int) error { return fault(4) }}
	p := newPusher(t, faulty, s, func(o *pusher.Options) { o.Concurrency, o.Lookahead, o.Tries, o.Attempts = 1, 1, 1, 100 })

	queue := []sumu.Notification{n}
	keys := make(map[string]bool)
	for len(queue) > 0 {
		next := queue[0]
		queue = queue[1:]
		if keys[next.Key()] {
			t.Fatalf("two messages have the key %q", next.Key())
		}
		keys[next.Key()] = true
		wire, err := next.MarshalJSON() // As through a queue.
		if err != nil {
			t.Fatal(err)
		}
		if next, err = sumu.ParseNotification(wire); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		results, _ := p.Push(ctx, next)
		cancel()
		checkCounts(t, results[0])
		if results[0].Failed+len(results[0].GivenUp) > 0 {
			t.Fatalf("result %+v", results[0])
		}
		if testing.Verbose() {
			t.Logf("%s\n -> %+v", wire, results[0])
		}
		for _, left := range results[0].Remainder {
			if rng.IntN(2) == 0 { // As through a Worker's record.
				if left, err = pusher.Restored(&next, &left); err != nil {
					t.Fatal(err)
				}
			}
			queue = append(queue, left)
		}
	}
	for r := range want {
		if got := s.got(r.UserID, r.ConnectionID); len(got) != 1 {
			t.Errorf("%v got %q, want it once", r, got)
		}
	}
	if s.total() != len(want) {
		t.Errorf("%d deliveries, want %d", s.total(), len(want))
	}
	for r, got := range s.delivered {
		if in := slices.ContainsFunc(n.Channels, func(c string) bool { return slices.Contains(store.members[c], r) }); in &&
			!strings.HasPrefix(got[0], `{"type":"message","channel":"room`) {
			t.Errorf("the member %v got %q", r, got)
		}
	}
}

// faultyRooms fails the other look-ups too.
type faultyRooms struct {
	*rooms
	fault func(of int) error
}

func (f *faultyRooms) Get(ctx context.Context, ref sumu.ConnectionRef) (sumu.Connection, error) {
	if err := f.fault(6); err != nil {
		return sumu.Connection{}, err
	}
	return f.rooms.Get(ctx, ref)
}

func (f *faultyRooms) IsMember(ctx context.Context, ref sumu.ConnectionRef, channel string) (bool, error) {
	if err := f.fault(20); err != nil {
		return false, err
	}
	return f.rooms.IsMember(ctx, ref, channel)
}
