package iot

import (
	"strings"
	"testing"

	"github.com/sumu-live/sumu/notify"
)

// A backend tells a channel: one message to the topic that its members have
// subscribed to, and to nobody else.
func TestToChannels(t *testing.T) {
	w := newWorld(t)
	ann, _ := w.connect(t, "ann")
	bob, _ := w.connect(t, "bob")
	for _, topic := range []string{"channels/room.42", "channels/news"} {
		if !ann.subscribe(t, topic) {
			t.Fatal("ann may not join", topic)
		}
	}
	if !bob.subscribe(t, "channels/room.42") {
		t.Fatal("bob may not join")
	}
	send := func(channel, text string) {
		t.Helper()
		n, err := notify.ToChannels(text, channel)
		if err == nil {
			_, err = notify.Send(t.Context(), w.client, n)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	send("news", "for ann alone")
	send("room.42", "for both")
	for _, c := range []*client{ann, bob} {
		if m := c.receive(t, "for both"); m.topic != "channels/room.42" || !strings.HasPrefix(m.payload, `{"type":"message","channel":"room.42","id":"`) {
			t.Errorf("got %+v", m)
		}
	}
	w.until(t, "two pushes", func() bool { return len(w.pushed) == 2 })
	for _, r := range w.pushed {
		if r.Targets != 1 || r.Delivered != 1 {
			t.Errorf("result is %+v", r)
		}
	}
}
