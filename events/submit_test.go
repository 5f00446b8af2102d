package events_test

import (
	"strings"
	"testing"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/events"
)

func TestSubmit(t *testing.T) {
	w := newWorld(t, player)
	a := w.say(`{"action":"submitIotEvent","ref":"7","event":{"MessageType":"NESClick","Message":{ "color": "<blue>" }}}`)
	if len(w.client.all) != 1 {
		t.Fatalf("%d events were sent; answer %+v", len(w.client.all), a)
	}
	n := w.client.all[0]
	if a.Type != "ack" || a.Ref != "7" || a.ID != n.ID {
		t.Errorf("answer %+v", a)
	}
	if n.Event.Type != "NESClick" || string(n.Event.Payload) != `{ "color": "<blue>" }` || n.From != "ann" || n.Validate() != nil {
		t.Errorf("sent was %+v, %+v", n, n.Event)
	}
	for what, tt := range map[string]struct{ event, code, text string }{
		"missing":          {`null`, "bad_request", "not an object"},
		"a string":         {`"x"`, "bad_request", "not an object"},
		"no type":          {`{"Message":{}}`, "bad_request", "MessageType is missing"},
		"type is a number": {`{"MessageType":7,"Message":{}}`, "bad_request", "MessageType is not a string"},
		"type is empty":    {`{"MessageType":"","Message":{}}`, "bad_request", "MessageType is empty"},
		"another case":     {`{"messagetype":"NESClick","Message":{}}`, "bad_request", "MessageType is missing"},
		"no message":       {`{"MessageType":"NESClick"}`, "bad_request", "Message is missing"},
		"not granted":      {`{"MessageType":"Other","Message":{}}`, "forbidden", "submit"},
		"too large":        {`{"MessageType":"NESClick","Message":"` + strings.Repeat(`\"`, sumu.MaxPayload/4) + `"}`, "too_large", "128 KB"},
	} {
		a := w.say(`{"action":"submitIotEvent","event":` + tt.event + `}`)
		if a.Code != tt.code || !strings.Contains(a.Message, tt.text) {
			t.Errorf("%s: %+v; want %s with %q", what, a, tt.code, tt.text)
		}
	}
	if a := w.say(`{"action":"submitIotEvent"}`); a.Code != "bad_request" {
		t.Errorf("without an event: %+v", a)
	}
	if len(w.client.all) != 1 {
		t.Errorf("%d events were sent", len(w.client.all))
	}
	if a := newWorld(t, nil).say(`{"action":"submitIotEvent","event":{"MessageType":"NESClick","Message":{}}}`); a.Code != "forbidden" {
		t.Errorf("without a grant: %+v", a)
	}
	w = newWorld(t, sumu.Grants{
		{Pattern: "seen", Verbs: []sumu.Verb{sumu.VerbSubscribe}}, {Pattern: "told", Verbs: []sumu.Verb{sumu.VerbPost}},
	})
	for eventType, codes := range map[string][2]string{"seen": {"", "forbidden"}, "told": {"forbidden", ""}} {
		subscribed := w.subscribe(`[{"event_type":"` + eventType + `"}]`)
		told := w.say(`{"action":"submitIotEvent","event":{"MessageType":"` + eventType + `","Message":{}}}`)
		if subscribed.Code != codes[0] || told.Code != codes[1] {
			t.Errorf("%s: subscribed %+v, told %+v; want %q", eventType, subscribed, told, codes)
		}
	}
	w = newWorld(t, nil, func(o *events.Options) { o.Open = true })
	if a := w.say(`{"action":"submitIotEvent","event":{"MessageType":"any","Message":null}}`); a.Type != "ack" {
		t.Errorf("open: %+v", a)
	}
}
