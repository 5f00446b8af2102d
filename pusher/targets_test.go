package pusher_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/pusher"
)

func TestTargets(t *testing.T) {
	ref := func(user, id string) sumu.ConnectionRef {
		return sumu.ConnectionRef{UserID: user, ConnectionID: id}
	}
	// u0, u1, u2 with c0 and c1 each.
	tests := []struct {
		name string
		n    sumu.Notification
		want string // user/connection, sorted
		gone int
	}{
		{"users", sumu.Notification{Users: []string{"u1"}}, "u1/c0 u1/c1", 0},
		{"duplicate users", sumu.Notification{Users: []string{"u1", "u0", "u1"}}, "u0/c0 u0/c1 u1/c0 u1/c1", 0},
		{"unknown user", sumu.Notification{Users: []string{"nobody", "u1"}}, "u1/c0 u1/c1", 0},
		{"users less excluded", sumu.Notification{Users: []string{"u0", "u1"}, ExcludeUsers: []string{"u0"}}, "u1/c0 u1/c1", 0},
		{"all users excluded", sumu.Notification{Users: []string{"u0"}, ExcludeUsers: []string{"u0"}}, "", 0},
		{"everyone", sumu.Notification{Everyone: true}, "u0/c0 u0/c1 u1/c0 u1/c1 u2/c0 u2/c1", 0},
		{
			"everyone less excluded",
			sumu.Notification{Everyone: true, ExcludeUsers: []string{"u0"}, ExcludeConnections: []string{"c1"}},
			"u1/c0 u2/c0", 0,
		},
		{"connections", sumu.Notification{Connections: []sumu.ConnectionRef{ref("u0", "c1"), ref("u0", "c1"), ref("u2", "c0")}}, "u0/c1 u2/c0", 0},
		{"connection without a row", sumu.Notification{Connections: []sumu.ConnectionRef{ref("u0", "c9")}}, "", 1},
		{"connection of another user", sumu.Notification{Connections: []sumu.ConnectionRef{ref("u9", "c0")}}, "", 1},
		{
			"users and connections",
			sumu.Notification{Users: []string{"u0"}, Connections: []sumu.ConnectionRef{ref("u0", "c0"), ref("u1", "c1")}},
			"u0/c0 u0/c1 u1/c1", 0,
		},
		{
			"union less excluded",
			sumu.Notification{
				Users: []string{"u0"}, Connections: []sumu.ConnectionRef{ref("u1", "c1"), ref("u2", "c0")},
				ExcludeUsers: []string{"u2"}, ExcludeConnections: []string{"c0"},
			},
			"u0/c1 u1/c1", 0,
		},
		{
			"connection of an excluded user beside that user",
			sumu.Notification{
				Users: []string{"u0", "u1"}, Connections: []sumu.ConnectionRef{ref("u0", "c0")},
				ExcludeUsers: []string{"u0"},
			},
			"u1/c0 u1/c1", 0,
		},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			store := new(memstore.Store)
			fill(t, store, 3, 2)
			s := new(sender)
			r := push(t, newPusher(t, store, s), tc.n)
			if r.Err != nil {
				t.Fatal(r.Err)
			}
			var got []string
			for ref, texts := range s.delivered {
				for range texts {
					got = append(got, ref.UserID+"/"+ref.ConnectionID)
				}
			}
			slices.Sort(got)
			if g := strings.Join(got, " "); g != tc.want {
				t.Errorf("delivered to %q; want %q", g, tc.want)
			}
			if r.Delivered != len(got) || r.Gone != tc.gone {
				t.Errorf("result %+v; want %d delivered, %d gone", r, len(got), tc.gone)
			}
			if s.endpoints["https://row.example"] != len(got) {
				t.Errorf("endpoints are not those of the rows: %v", s.endpoints)
			}
		})
	}
}

func TestManyUsers(t *testing.T) {
	store := new(memstore.Store)
	fill(t, store, 10_000, 1)
	s := new(sender)
	users := make([]string, 10_000)
	for i := range users {
		users[i] = fmt.Sprintf("u%d", i)
	}
	r := push(t, newPusher(t, store, s), sumu.Notification{Users: users, ExcludeUsers: users[:500]})
	if r.Delivered != 9_500 || s.total() != 9_500 {
		t.Errorf("result %+v and %d deliveries; want 9500", r, s.total())
	}
	r = push(t, newPusher(t, store, s), sumu.Notification{Everyone: true, ExcludeUsers: users[:500]})
	if r.Delivered != 9_500 {
		t.Errorf("result %+v; want 9500 delivered", r)
	}
}

func TestExpiredRowIsNoTarget(t *testing.T) {
	store := new(memstore.Store)
	c := sumu.Connection{UserID: "ann", ID: "old", DeleteAt: time.Now().Add(-time.Second)}
	if err := store.Put(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	s := new(sender)
	r := push(t, newPusher(t, store, s), sumu.Notification{
		Users:       []string{"ann"},
		Connections: []sumu.ConnectionRef{{UserID: "bob", ConnectionID: "x"}, c.Ref()},
	})
	if s.posts() != 0 || r.Delivered != 0 {
		t.Errorf("an expired row was posted to: %+v", r)
	}
}

func TestRefused(t *testing.T) {
	store := struct{ sumu.Store }{new(memstore.Store)} // Without its optional powers.
	fill(t, store, 1, 1)
	fromWire := func(text string) sumu.Notification {
		n, err := sumu.ParseNotification([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	big := json.RawMessage(`"` + strings.Repeat("x", sumu.MaxPayload-1) + `"`)
	fits := json.RawMessage(`"` + strings.Repeat("x", sumu.MaxPayload-2) + `"`)
	data := json.RawMessage(`1`)
	tests := []struct {
		name string
		n    sumu.Notification
		opts func(*pusher.Options)
		want error
	}{
		{"no targets", sumu.Notification{Data: data}, nil, sumu.ErrInvalid},
		{"empty list of users", sumu.Notification{Users: []string{}, Data: data}, nil, sumu.ErrInvalid},
		{"no data", sumu.Notification{Everyone: true}, nil, sumu.ErrInvalid},
		{"129 KB", sumu.Notification{Everyone: true, Data: big}, nil, sumu.ErrTooLarge},
		{"128 KB and an envelope", sumu.Notification{Everyone: true, Data: fits}, func(o *pusher.Options) { o.Envelope = true }, sumu.ErrTooLarge},
		{"past its deadline", sumu.Notification{Everyone: true, Data: data, Deadline: time.Now().Add(-time.Minute)}, nil, sumu.ErrExpired},
		{"channels", sumu.Notification{Channels: []string{"a"}, Data: data}, nil, sumu.ErrUnsupported},
		{"event", sumu.Notification{Event: &sumu.Event{Type: "t"}}, nil, sumu.ErrUnsupported},
		{
			"empty users on the wire", fromWire(`{"users":[],"data":1}`),
			func(o *pusher.Options) { o.RequireEveryone = true }, sumu.ErrInvalid,
		},
		{
			"nobody on the wire", fromWire(`{"data":1}`),
			func(o *pusher.Options) { o.RequireEveryone = true }, sumu.ErrInvalid,
		},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			s := new(sender)
			p := newPusher(t, store, s, func(o *pusher.Options) {
				if tc.opts != nil {
					tc.opts(o)
				}
			})
			good := sumu.Notification{Everyone: true, Data: data}
			results, err := p.Push(t.Context(), tc.n, good)
			if !errors.Is(results[0].Err, tc.want) || !errors.Is(err, tc.want) || !results[0].Refused() {
				t.Errorf("result %+v, error %v; want %v", results[0], err, tc.want)
			}
			if results[1].Delivered != 1 || s.posts() != 1 {
				t.Errorf("the rest of the batch: %+v, %d posts; want 1 delivered", results[1], s.posts())
			}
		})
	}
	s := new(sender)
	p := newPusher(t, store, s)
	if r := push(t, p, sumu.Notification{Everyone: true, Data: fits}); r.Delivered != 1 {
		t.Errorf("exactly 128 KB: %+v", r)
	}
	if r := push(t, p, fromWire(`{"users":[],"data":1}`)); r.Delivered != 1 {
		t.Errorf("empty users, as the wire format says: %+v", r)
	}
}

func TestEnvelope(t *testing.T) {
	store := new(memstore.Store)
	fill(t, store, 1, 1)
	s := new(sender)
	data := json.RawMessage(`{ "a": "<b>", "n": 1.0 }`)
	push(t, newPusher(t, store, s), sumu.Notification{ID: "n1", Everyone: true, Data: data})
	if got := s.got("u0", "c0")[0]; got != string(data) {
		t.Errorf("got %s; want exactly %s", got, data)
	}
	p := newPusher(t, store, s, func(o *pusher.Options) { o.Envelope = true })
	push(t, p, sumu.Notification{ID: `n"1`, Everyone: true, Data: data})
	want := `{"type":"notification","id":"n\"1","data":{ "a": "<b>", "n": 1.0 }}`
	if got := s.got("u0", "c0")[1]; got != want {
		t.Errorf("got %s; want %s", got, want)
	}
}

func TestSameIDInOneBatch(t *testing.T) {
	store := new(memstore.Store)
	fill(t, store, 3, 2)
	s := new(sender)
	data := json.RawMessage(`1`)
	results, err := newPusher(t, store, s).Push(t.Context(),
		sumu.Notification{ID: "x", Users: []string{"u0"}, ExcludeConnections: []string{"c1"}, Data: data},
		sumu.Notification{ID: "x", Part: "2", Users: []string{"u0", "u1"}, Data: data},
		sumu.Notification{ID: "x", Part: "2", Users: []string{"u0", "u1"}, Data: data},                               // received twice
		sumu.Notification{ID: "x", Part: "2", Users: []string{"u2"}, ExcludeConnections: []string{"c0"}, Data: data}, // the key twice
		sumu.Notification{ID: "x", Part: "3", Everyone: true, Data: data},
		sumu.Notification{ID: "y", Users: []string{"u0"}, Data: data},
		sumu.Notification{Users: []string{"u0"}, Data: data},
		sumu.Notification{Users: []string{"u0"}, Data: data},
	)
	if err != nil {
		t.Fatal(err)
	}
	want := []int{1, 3, 0, 1, 1, 2, 2, 2}
	for i, r := range results {
		checkCounts(t, r)
		if r.Delivered != want[i] {
			t.Errorf("notification %d: delivered %d; want %d", i, r.Delivered, want[i])
		}
	}
}

// A key that comes twice with other exclusions is not the same message: who is
// left out of the one must still get the other.
func TestSameKeyWithOtherExclusions(t *testing.T) {
	users, data := []string{"u0", "u1"}, json.RawMessage(`1`)
	for name, first := range map[string]sumu.Notification{
		"users":       {ID: "x", Users: users, ExcludeUsers: []string{"u0"}, Data: data},
		"connections": {ID: "x", Users: users, ExcludeConnections: []string{"c0"}, Data: data},
		"channels":    {ID: "x", Users: users, ExcludeChannels: []string{"room"}, Data: data},
	} {
		store := new(memstore.Store)
		fill(t, store, 2, 2)
		if err := store.Join(t.Context(), sumu.Connection{UserID: "u0", ID: "c1"}, "room", 0); err != nil {
			t.Fatal(err)
		}
		s := new(sender)
		_, err := newPusher(t, store, s).Push(t.Context(), first, sumu.Notification{ID: "x", Users: users, Data: data})
		if err != nil {
			t.Fatal(err)
		}
		for _, user := range users {
			for _, id := range []string{"c0", "c1"} {
				if got := len(s.got(user, id)); got != 1 {
					t.Errorf("excluded %s: %s/%s got it %d times; want once", name, user, id, got)
				}
			}
		}
	}
}

func TestOptions(t *testing.T) {
	_, err := pusher.New(nil, nil, func(o *pusher.Options) {
		o.Concurrency, o.Lookahead, o.Tries, o.Attempts = -1, 1_001, 11, 101
		o.Backoff, o.PostTimeout = time.Hour, time.Nanosecond
	})
	if !errors.Is(err, sumu.ErrInvalid) {
		t.Fatalf("got %v; want ErrInvalid", err)
	}
	for _, name := range []string{"Store", "Sender", "Concurrency", "Lookahead", "Tries", "Attempts", "Backoff", "PostTimeout"} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("the error does not name %s: %v", name, err)
		}
	}
}
