package channels

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/channels"
	"github.com/sumu-live/sumu/events"
	"github.com/sumu-live/sumu/notify"
)

// everywhere runs a test with each store behind each transport.
func everywhere(t *testing.T, run func(t *testing.T, newWorld func(optFns ...any) *world)) {
	for _, by := range []string{"gateway", "awslambda"} {
		for _, kept := range []string{"memstore", "dynoxide", "DynamoDB Local"} {
			t.Run(by+"/"+strings.ReplaceAll(kept, " ", ""), func(t *testing.T) {
				store := stores[kept](t)
				run(t, func(optFns ...any) *world { return newWorld(t, store, by, optFns...) })
			})
		}
	}
}

func joined(channel string, c *client) string {
	return fmt.Sprintf(`{"channel":%q,"connectionId":%q}`, channel, c.id)
}

func TestChannels(t *testing.T) {
	everywhere(t, func(t *testing.T, newWorld func(...any) *world) {
		w := newWorld()
		ann, bob, cem := w.connect(t, "ann"), w.connect(t, "bob"), w.connect(t, "cem")
		for _, c := range []*client{ann, bob} {
			c.say(`{"action":"joinchannel","channel":"room.1"}`, joined("room.1", c))
		}
		cem.say(`{"action":"join","channel":"room.2","ref":"7"}`, `{"channel":"room.2","connectionId":"`+cem.id+`","ref":"7"}`)

		// To the others in the channel, and to nobody else.
		ann.say(`{"action":"sendmessage","channel":"room.1","message":{"text":"Hi"},"ref":"8"}`, `{"type":"ack","action":"sendmessage","ref":"8","id":"?"}`)
		bob.want(`{"type":"message","channel":"room.1","from":"ann","id":"?","data":{"text":"Hi"}}`)
		for _, c := range []*client{ann, bob, cem} {
			c.nothing()
		}
		// Who is in no channel may send to one all the same: the grant decides.
		cem.say(`{"action":"sendmessage","channel":"room.1","message":1}`, `{"type":"ack","action":"sendmessage","id":"?"}`)
		for _, c := range []*client{ann, bob} {
			c.want(`{"type":"message","channel":"room.1","from":"cem","id":"?","data":1}`)
		}
		// A backend, to two channels: a message of one id comes once.
		ann.say(`{"action":"join","channel":"room.2"}`, joined("room.2", ann))
		n, err := notify.ToChannels("news", "room.1", "room.2")
		n.ExcludeUsers = []string{"bob"}
		w.send(t, n, err)
		ann.want(`{"type":"message","channel":"room.1","id":"?","data":"news"}`)
		cem.want(`{"type":"message","channel":"room.2","id":"?","data":"news"}`)
		for _, c := range []*client{ann, bob, cem} {
			c.nothing()
		}

		for channel, want := range map[string]int{"room.1": 2, "room.2": 2, "room.3": 0} {
			if n, err := w.rooms.Count(t.Context(), channel); n != want || err != nil {
				t.Errorf("%s has %d members, %v; want %d", channel, n, err, want)
			}
		}
		tablet := w.connect(t, "ann")
		tablet.say(`{"action":"join","channel":"room.1"}`, joined("room.1", tablet))
		if got := w.users(t, "room.1"); !slices.Equal(got, []string{"ann", "bob"}) {
			t.Errorf("in room.1 are %q", got)
		}

		// Leaving: by a message, and by the end.
		bob.say(`{"action":"leavechannel","channel":"room.1"}`, joined("room.1", bob))
		bob.say(`{"action":"leave","channel":"room.1"}`, joined("room.1", bob))
		tablet.end()
		ann.say(`{"action":"leave","channel":"room.2"}`, joined("room.2", ann))
		w.send(t, must(notify.ToChannels(2, "room.1")), nil)
		ann.want(`{"type":"message","channel":"room.1","id":"?","data":2}`)
		for _, c := range []*client{ann, bob, cem} {
			c.nothing()
		}
		if got := w.users(t, "room.1"); !slices.Equal(got, []string{"ann"}) {
			t.Errorf("in room.1 are %q", got)
		}
		w.nothingLeft(t, bob, tablet)
	})
}

// users are in a channel, sorted.
func (w *world) users(t *testing.T, channel string) (list []string) {
	t.Helper()
	for user, err := range w.rooms.Users(t.Context(), channel) {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, user)
	}
	slices.Sort(list)
	return list
}

// nothingLeft waits until connections that have ended, or have left, are in no
// channel, and subscribed to nothing: a gateway tells its App of an end after
// the client has seen it.
func (w *world) nothingLeft(t *testing.T, clients ...*client) {
	t.Helper()
	for _, c := range clients {
		deadline := time.Now().Add(time.Minute)
		for left := w.left(t, c); len(left) > 0; left = w.left(t, c) {
			if time.Now().After(deadline) {
				t.Errorf("%s still has %q", c.user, left)
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
}

func (w *world) left(t *testing.T, c *client) (left []string) {
	t.Helper()
	for channel, err := range w.rooms.Of(t.Context(), c.ref()) {
		if err != nil {
			t.Fatal(err)
		}
		left = append(left, channel)
	}
	for s, err := range w.feed.Of(t.Context(), c.ref()) {
		if err != nil {
			t.Fatal(err)
		}
		left = append(left, s.EventType)
	}
	return left
}

func TestEvents(t *testing.T) {
	everywhere(t, func(t *testing.T, newWorld func(...any) *world) {
		w := newWorld()
		ann, bob, cem := w.connect(t, "ann"), w.connect(t, "bob"), w.connect(t, "cem")
		const ack = `{"type":"ack","action":"subscribe","id":"?"}`
		ann.say(`{"action":"subscribe","subscriptions":[{"event_type":"NESClick","filter_field":"color","filter_expr":"blue*","desired_fields":["color","at.x"]}]}`, ack)
		bob.say(`{"action":"subscribe","subscriptions":[
			{"event_type":"NESClick","filter_field":"n","filter_expr":">= 10","desired_fields":null},
			{"event_type":"NESReset","filter_field":"by","filter_expr":"*"}]}`, ack)
		cem.say(`{"action":"subscribe","subscriptions":[{"event_type":"NESClick","filter_field":"color","filter_expr":"red"}]}`, ack)

		click := `{"color":"blueish","n":10,"at":{"x":1,"y":"<2>"}}`
		w.send(t, must(notify.ToEvent("NESClick", raw(click))), nil)
		ann.want(`{"message_type":"NESClick","payload":` + quoted(`{"at":{"x":1},"color":"blueish"}`) + `}`)
		bob.want(`{"message_type":"NESClick","payload":` + quoted(click) + `}`)
		cem.nothing()
		w.send(t, must(notify.ToEvent("NESClick", raw(`{"color":"red","n":"10"}`))), nil)
		cem.want(`{"message_type":"NESClick","payload":` + quoted(`{"color":"red","n":"10"}`) + `}`)
		w.send(t, must(notify.ToEvent("NESReset", raw(`{}`))), nil)
		bob.want(`{"message_type":"NESReset","payload":"{}"}`)
		// An event without the fields, or whose fields are of another kind.
		for _, payload := range []string{`{}`, `{"color":{"color":"red"},"n":[10]}`, `{"color":null}`, `[1]`, `"blue"`, `null`} {
			w.send(t, must(notify.ToEvent("NESClick", raw(payload))), nil)
		}
		for _, c := range []*client{ann, bob, cem} {
			c.nothing()
		}

		// From a client, to all that match, the sender among them.
		ann.send(`{"action":"submitIotEvent","event":{"MessageType":"NESClick","Message":{"color":"blue"}}}`)
		ann.want(`{"message_type":"NESClick","payload":` + quoted(`{"color":"blue"}`) + `}`)
		ann.want(`{"type":"ack","action":"submitIotEvent","id":"?"}`)

		// An end of it: by a message, and by the connection's end.
		bob.say(`{"action":"unsubscribe","subscriptions":[{"event_type":"NESClick","filter_field":"n","filter_expr":">= 10"}]}`, `{"type":"ack","action":"unsubscribe","id":"?"}`)
		cem.end()
		w.send(t, must(notify.ToEvent("NESClick", raw(`{"color":"red","n":11}`))), nil)
		for _, c := range []*client{ann, bob} {
			c.nothing()
		}
		w.nothingLeft(t, cem)
	})
}

// Whatever is wrong is answered with one clear error frame, and leaves nothing.
func TestBadInput(t *testing.T) {
	everywhere(t, func(t *testing.T, newWorld func(...any) *world) {
		w := newWorld(
			func(o *channels.Options) { o.MaxChannels = 2 },
			func(o *events.Options) { o.MaxSubscriptions = 3 },
		)
		ann := w.connect(t, "ann")
		for _, channel := range []string{
			``, `,"channel":""`, `,"channel":7`, `,"channel":null`, `,"channel":["room.1"]`,
			`,"channel":"` + strings.Repeat("x", 10<<10) + `"`, `,"channel":"room.#1"`, `,"channel":"room.\u0000"`, `,"channel":"room.|1"`, `,"channel":"room.*"`,
		} {
			ann.refused(`{"action":"joinchannel"`+channel+`}`, "bad_request")
			ann.refused(`{"action":"leavechannel"`+channel+`}`, "bad_request")
		}
		ann.refused(`{"action":"sendmessage","channel":"room.1"}`, "bad_request")
		for _, channel := range []string{"office", "room", "room.", "default2", "0/room.1"} {
			ann.refused(`{"action":"joinchannel","channel":"`+channel+`"}`, "forbidden")
			ann.refused(`{"action":"sendmessage","channel":"`+channel+`","message":1}`, "forbidden")
		}
		ann.refused(`{"action":"sendmessage","channel":"news","message":1}`, "forbidden") // To join it is allowed.
		for _, subs := range []string{
			`7`, `[]`, `[7]`, `[{}]`, `[{"event_type":"NES","filter_field":{},"filter_expr":"*"}]`,
			`[{"event_type":"NES","filter_field":"a","filter_expr":"` + strings.Repeat("a*", 500) + `"}]`, `[{"event_type":"NES","filter_field":"a"}]`,
		} {
			ann.refused(`{"action":"subscribe","subscriptions":`+subs+`}`, "bad_request")
		}
		ann.refused(`{"action":"subscribe","subscriptions":[{"event_type":"NES1"},{"event_type":"Payroll"}]}`, "forbidden")
		ann.refused(`{"action":"subscribe","subscriptions":[{"event_type":"NES1"},{"event_type":"NES2"},{"event_type":"NES3"},{"event_type":"NES4"}]}`, "limit_exceeded")
		ann.refused(`{"action":"submitIotEvent","event":{"MessageType":"Payroll","Message":{}}}`, "forbidden")
		w.nothingLeft(t, ann)
		// Fields that no event has are simply not there.
		ann.say(`{"action":"subscribe","subscriptions":[{"event_type":"NES1","desired_fields":["nobody.has.this"]}]}`, `{"type":"ack","action":"subscribe","id":"?"}`)
		w.send(t, must(notify.ToEvent("NES1", raw(`{"a":1}`))), nil)
		ann.want(`{"message_type":"NES1","payload":"{}"}`)

		for _, channel := range []string{"room.1", "room.2", "room.1"} {
			ann.say(`{"action":"join","channel":"`+channel+`"}`, joined(channel, ann))
		}
		ann.refused(`{"action":"join","channel":"room.3"}`, "limit_exceeded")
		if n, err := w.rooms.Count(t.Context(), "room.3"); n != 0 || err != nil {
			t.Errorf("%d members, %v, of what was refused", n, err)
		}
		ann.say(`{"action":"leave","channel":"room.2"}`, joined("room.2", ann))
		ann.say(`{"action":"join","channel":"room.3"}`, joined("room.3", ann))
	})
}

// Every connection is in the default channel, as some older servers did it.
func TestDefaultChannel(t *testing.T) {
	everywhere(t, func(t *testing.T, newWorld func(...any) *world) {
		w := newWorld(func(o *channels.Options) { o.Default = channels.DefaultChannel }, bare)
		ann, bob := w.connect(t, "ann"), w.connect(t, "bob")
		ann.say(`{"action":"sendmessage","message":{"text":"Hi"}}`, `{"type":"ack","action":"sendmessage","id":"?"}`)
		bob.want(`{"text":"Hi"}`)
		ann.nothing()
		if c, status := w.via.dial(t, ""); c != nil || status != 401 {
			t.Errorf("without a token: %v, %d", c, status)
		}
		var members []sumu.Connection
		for m, err := range w.rooms.Members(t.Context(), "default") {
			if err != nil {
				t.Fatal(err)
			}
			members = append(members, m)
		}
		if len(members) != 2 {
			t.Errorf("members are %v", members)
		}
	})
}
