package pusher_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/pusher"
)

func subscriber(u int, sub sumu.Subscription) sumu.Subscriber {
	r := ref(u, 0)
	return sumu.Subscriber{Connection: sumu.Connection{UserID: r.UserID, ID: r.ConnectionID}, Subscription: sub}
}

func TestEventFrames(t *testing.T) {
	store := newRooms(t, 4, 1)
	store.subs = []sumu.Subscriber{
		subscriber(0, sumu.Subscription{EventType: "Click"}),
		subscriber(1, sumu.Subscription{EventType: "Click", Field: "color", Filter: "green*", Fields: []string{"at.x", "none"}}),
		subscriber(1, sumu.Subscription{EventType: "Click", Field: "at.x", Filter: ">= 7", Fields: []string{"color"}}),
		subscriber(2, sumu.Subscription{EventType: "Click", Field: "color", Filter: "red"}),
		subscriber(3, sumu.Subscription{EventType: "Other"}),
	}
	s := new(sender)
	r := push(t, newPusher(t, store, s), sumu.Notification{
		ID: "n", Event: &sumu.Event{Type: "Click", Payload: json.RawMessage(`{"color": "blue<", "at":{"x":7,"y":8}}`)},
		ExcludeUsers: []string{"u9"},
	})
	if r.Targets != 2 || r.Delivered != 2 {
		t.Errorf("result %+v", r)
	}
	store.subs[1].Subscription.Filter = "blue<*"
	r = push(t, newPusher(t, store, s), sumu.Notification{
		ID: "n", Event: &sumu.Event{Type: "Click", Payload: json.RawMessage(`{"color": "blue<", "at":{"x":7,"y":8}}`)},
	})
	if r.Targets != 3 || r.Delivered != 3 || s.got("u2", "c0") != nil || s.got("u3", "c0") != nil {
		t.Errorf("result %+v", r)
	}
	whole := `{"message_type":"Click","payload":"{\"color\": \"blue<\", \"at\":{\"x\":7,\"y\":8}}"}`
	color := `{"message_type":"Click","payload":"{\"color\":\"blue<\"}"}`
	part := `{"message_type":"Click","payload":"{\"at\":{\"x\":7}}"}`
	if got := s.got("u0", "c0"); !slices.Equal(got, []string{whole, whole}) {
		t.Errorf("u0 got %q", got)
	}
	got := s.got("u1", "c0")
	slices.Sort(got)
	if !slices.Equal(got, []string{part, color, color}) {
		t.Errorf("u1 got %q", got)
	}
}

// payloads remembers the payloads that were posted, not their text.
type payloads struct {
	mu   sync.Mutex
	seen map[*sumu.Payload]int
}

func (p *payloads) Post(_ context.Context, _ sumu.Connection, payload *sumu.Payload) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen[payload]++
	return nil
}

// What is sent is encoded once for each distinct projection.
func TestEventIsEncodedOnceForEachProjection(t *testing.T) {
	store := newRooms(t, 0, 0)
	projections := [][]string{nil, {"a"}, {"a", "b"}}
	for i := range 10_000 {
		store.subs = append(store.subs, subscriber(i, sumu.Subscription{EventType: "t", Fields: projections[i%3]}))
	}
	s := &payloads{seen: make(map[*sumu.Payload]int)}
	r := push(t, newPusher(t, store, s), sumu.Notification{ID: "n", Event: &sumu.Event{Type: "t", Payload: json.RawMessage(`{"a":1,"b":2,"c":3}`)}})
	if r.Delivered != 10_000 || len(s.seen) != 3 {
		t.Errorf("%d delivered, %d payloads; want 3", r.Delivered, len(s.seen))
	}
}

// A projection that becomes too large fails its subscribers, and nobody else.
func TestEventTooLargeAsAString(t *testing.T) {
	store := newRooms(t, 0, 0)
	store.subs = []sumu.Subscriber{
		subscriber(0, sumu.Subscription{EventType: "t"}),
		subscriber(1, sumu.Subscription{EventType: "t", Fields: []string{"small"}}),
	}
	big := strings.Repeat(`\"`, sumu.MaxPayload/2-20)
	r := push(t, newPusher(t, store, new(sender)), sumu.Notification{
		ID: "n", Event: &sumu.Event{Type: "t", Payload: json.RawMessage(`{"small":1,"big":"` + big + `"}`)},
	})
	if r.Targets != 2 || r.Delivered != 1 || r.Failed != 1 || len(r.Remainder) > 0 || len(r.Failures) != 1 {
		t.Errorf("result %+v", r)
	}
}

// What may yet succeed is in the remainder as it was made for its subscriber,
// and what was not reached as the event.
func TestEventRemainder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newRooms(t, 6, 1)
		for u := range 6 {
			store.subs = append(store.subs, subscriber(u, sumu.Subscription{EventType: "t", Fields: []string{fmt.Sprintf("f%d", u%2)}}))
		}
		failed := false
		store.broken = func(_ string, at int) error {
			if at == 4 && !failed {
				failed = true
				return sumu.ErrUnavailable
			}
			return nil
		}
		s := &sender{respond: func(_ context.Context, c sumu.Connection, try int) error {
			if c.UserID == "u1" && try == 1 {
				return sumu.ErrThrottled
			}
			return nil
		}}
		p := newPusher(t, store, s, func(o *pusher.Options) { o.Tries = 1 })
		queue := []sumu.Notification{{ID: "n", Event: &sumu.Event{Type: "t", Payload: json.RawMessage(`{"f0":0,"f1":1}`)}}}
		for len(queue) > 0 {
			next := queue[0]
			r := push(t, p, next)
			queue = queue[1:]
			for _, left := range r.Remainder { // As through a Worker's record.
				left, err := pusher.Restored(&next, &left)
				if err != nil {
					t.Fatal(err)
				}
				queue = append(queue, left)
			}
		}
		for u := range 6 {
			want := fmt.Sprintf(`{"message_type":"t","payload":"{\"f%d\":%[1]d}"}`, u%2)
			if got := s.got(ref(u, 0).UserID, "c0"); !slices.Equal(got, []string{want}) {
				t.Errorf("u%d got %q, want %q once", u, got, want)
			}
		}
	})
}
