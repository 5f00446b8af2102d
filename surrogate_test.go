package sumu_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/sumu-live/sumu"
)

// halves are strings of JSON that encoding/json reads as U+FFFD: as one name,
// though they are many. The last is no UTF-8 at all.
var halves = []string{`"\ud800"`, `"\udc00\udc00"`, `"\uDFFF"`, `"a\ud800b"`, `"\udc00\ud800"`, `"\ud800\u0041"`, `"\ud800\ud800\udc00"`, `"\\\ud83d"`, "\"\xff\""}

func TestHalfASurrogateNamesNobody(t *testing.T) {
	for _, shape := range []string{
		`{"users":[?],"data":1}`,
		`{"users":["a",?],"data":1}`,
		`{"channels":[?],"data":1}`,
		`{"connections":[{"user_id":?,"connection_id":"c"}],"data":1}`,
		`{"connections":[{"user_id":"a","connection_id":?}],"data":1}`,
		`{"connections":[{"user_id":"a","connection_id":"c",?:1}],"data":1}`,
		`{"users":["a"],"exclude_users":[?],"data":1}`,
		`{"users":["a"],"exclude_connections":[?],"data":1}`,
		`{"users":["a"],"exclude_channels":[?],"data":1}`,
		`{"users":["a"],"id":?,"data":1}`,
		`{"users":["a"],"part":?,"data":1}`,
		`{"users":["a"],"from":?,"data":1}`,
		`{"users":["a"],"after":?,"data":1}`,
		`{"event":{"type":?}}`,
		`{"event":{"type":"T",?:1}}`,
		`{"users":["a"],?:1,"data":1}`,
	} {
		for _, half := range halves {
			text := strings.Replace(shape, "?", half, 1)
			if n, err := sumu.ParseNotification([]byte(text)); !errors.Is(err, sumu.ErrInvalid) {
				t.Errorf("%q: %+v, %v", text, n, err)
			}
		}
	}
}

// What is whole is read as it is, U+FFFD itself too; and data is the receiver's
// business, byte for byte.
func TestWholeSurrogatesAndData(t *testing.T) {
	n, err := sumu.ParseNotification([]byte(`{"users":["\ud83d\ude00","\ufffd","�","\\ud800","\u0041"],"data":{"\ud800":"\udc00\ud800"}}`))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(n.Users, " "), "\U0001f600 \ufffd \ufffd \\ud800 A"; got != want {
		t.Errorf("users %q, want %q", got, want)
	}
	if got := string(n.Data); got != `{"\ud800":"\udc00\ud800"}` {
		t.Errorf("data %s", got)
	}
	text, err := n.MarshalJSON()
	if err != nil || !strings.Contains(string(text), `"data":{"\ud800":"\udc00\ud800"}`) {
		t.Errorf("%s, %v", text, err)
	}
}

func TestHalfASurrogateInAFrame(t *testing.T) {
	app := newMessageApp(t)
	var got []sumu.Message
	app.Handle("\ufffd", func(_ context.Context, m sumu.Message) ([]byte, error) {
		got = append(got, m)
		return nil, nil
	})
	for _, half := range []string{`"\ud800"`, `"\udfff"`} {
		reply := string(app.Message(t.Context(), sumu.Message{Body: []byte(`{"action":` + half + `}`)}))
		if len(got) > 0 || !strings.Contains(reply, `"Forbidden"`) {
			t.Errorf("action %s: %s, handled %v", half, reply, got)
		}
		for _, action := range []string{"ping", "\ufffd"} {
			reply = string(app.Message(t.Context(), sumu.Message{Body: []byte(`{"action":"` + action + `","ref":` + half + `}`)}))
			if len(got) > 0 || !strings.Contains(reply, `"bad_request"`) {
				t.Errorf("ref %s: %s, handled %v", half, reply, got)
			}
		}
		m := sumu.Message{Body: []byte(`{"action":"x","to":` + half + `}`)}
		var v struct{ To string }
		if err := m.Decode(&v); !errors.Is(err, sumu.ErrInvalid) {
			t.Errorf("Decode %s: %q, %v", half, v.To, err)
		}
	}
}

func TestHalfASurrogateInASubscription(t *testing.T) {
	for _, shape := range []string{
		`{"event_type":?}`,
		`{"event_type":"T","filter_field":?,"filter_expr":"*"}`,
		`{"event_type":"T","filter_field":"f","filter_expr":?}`,
		`{"event_type":"T","desired_fields":[?]}`,
	} {
		for _, half := range halves[:8] {
			text := strings.Replace(shape, "?", half, 1)
			var s sumu.Subscription
			if err := json.Unmarshal([]byte(text), &s); err == nil {
				t.Errorf("%s: %+v", text, s)
			}
		}
	}
}

// An event's payload is its sender's business. But what is half a surrogate in
// it is not the name or the value that a subscriber has asked for.
func TestHalfASurrogateInAPayload(t *testing.T) {
	for _, payload := range []string{`{"f":"\ud800"}`, `{"\ud800":"x"}`, `{"f":"\udc00"}`} {
		r := sumu.NewEventReader(&sumu.Event{Type: "T", Payload: json.RawMessage(payload)})
		for _, s := range []sumu.Subscription{
			{EventType: "T", Field: "f", Filter: "\ufffd"},
			{EventType: "T", Field: "f", Filter: "\ufffd*"},
			{EventType: "T", Field: "\ufffd", Filter: "x"},
			{EventType: "T", Field: "\ufffd", Filter: "x*"},
		} {
			if r.Matches(&s) {
				t.Errorf("%s is what %+v asks for", payload, s)
			}
		}
		if got := string(r.Project([]string{"\ufffd"})); got != "{}" {
			t.Errorf("of %s %s", payload, got)
		}
		if got := string(r.Project(nil)); got != payload {
			t.Errorf("%s became %s", payload, got)
		}
	}
}

func TestHalfASurrogateInAPresenceEvent(t *testing.T) {
	var e sumu.PresenceEvent
	text := `{"type":"presence","message":{"user_id":"\ud800","status":"ONLINE","timestamp":1,"version":1}}`
	if err := json.Unmarshal([]byte(text), &e); !errors.Is(err, sumu.ErrInvalid) {
		t.Errorf("%+v, %v", e, err)
	}
}
