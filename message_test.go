package sumu_test

import (
	"context"
	"encoding/json"
	"io"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
)

func TestMessageDecode(t *testing.T) {
	m := sumu.Message{Body: []byte(`{"action":"join","channel":"room.1"}`)}
	var v struct{ Channel string }
	if err := m.Decode(&v); err != nil || v.Channel != "room.1" {
		t.Errorf("got %+v, %v", v, err)
	}
	for _, body := range []string{`{"channel":7}`, `{`, ``, `[]`} {
		m := sumu.Message{Body: []byte(body)}
		wantKind(t, m.Decode(&v), sumu.ErrInvalid)
	}
}

func TestMessageField(t *testing.T) {
	body := []byte(`{"action":"publish","message": {"a" : "<b>"} ,"null":null}`)
	m := sumu.Message{Body: body}
	if got := string(m.Field("message")); got != `{"a" : "<b>"}` {
		t.Errorf("got %s, want the text as it was sent", got)
	}
	if got := string(m.Field("null")); got != "null" {
		t.Errorf("null is a value: got %q", got)
	}
	for _, name := range []string{"Message", "nothing", ""} {
		if got := m.Field(name); got != nil {
			t.Errorf("Field(%q) = %s, want nil", name, got)
		}
	}
	if got := (&sumu.Message{Body: []byte(`not JSON`)}).Field("message"); got != nil {
		t.Errorf("of what is not JSON: %s", got)
	}
	// A backend may keep the message; the transport reads its next frame into
	// the same buffer.
	got := m.Field("message")
	clear(body)
	if string(got) != `{"a" : "<b>"}` {
		t.Error("Field shares memory with Body")
	}
}

func TestToBackend(t *testing.T) {
	var got []sumu.BackendMessage
	var fail error
	app := newMessageApp(t)
	app.Handle("publish", sumu.ToBackend("apigw.route.publish", func(_ context.Context, m sumu.BackendMessage) error {
		got = append(got, m)
		return fail
	}))
	reply := send(t, app, `{"action":"publish","ref":"7","message":{"a":"<b>"}}`)
	if len(got) != 1 {
		t.Fatalf("the backend got %d messages, want 1: %s", len(got), reply)
	}
	m := got[0]
	if m.UserID != "u1" || m.ConnectionID != "c1" || m.Source != "apigw.route.publish" ||
		!m.Timestamp.Equal(now) || string(m.Body) != `{"a":"<b>"}` || len(m.ID) != 26 {
		t.Errorf("the backend got %+v", m)
	}
	wantJSON(t, reply, `{"type":"ack","action":"publish","ref":"7","id":"`+m.ID+`"}`)

	for _, message := range []string{`null`, `false`, `0`, `""`, `[]`} {
		got = nil
		send(t, app, `{"action":"publish","message":`+message+`}`)
		if len(got) != 1 || string(got[0].Body) != message {
			t.Errorf("message %s: the backend got %v", message, got)
		}
	}

	got = nil
	wantJSON(t, send(t, app, `{"action":"publish","Message":1}`),
		`{"type":"error","action":"publish","code":"bad_request","message":"message is missing; give any JSON value"}`)
	if len(got) != 0 {
		t.Errorf("the backend got %v", got)
	}

	// Not acknowledged unless the backend has it.
	for err, code := range map[error]string{
		io.ErrUnexpectedEOF: "unavailable", sumu.ErrThrottled: "rate_limited", sumu.ErrTooLarge: "too_large",
	} {
		fail = err
		var frame struct{ Type, Code string }
		reply := send(t, app, `{"action":"publish","message":1}`)
		if err := json.Unmarshal(reply, &frame); err != nil || frame.Type != "error" || frame.Code != code {
			t.Errorf("the backend failed with %v, the client reads %s", fail, reply)
		}
	}
}

func TestNewIDsDiffer(t *testing.T) {
	seen := make(map[string]bool)
	for range 1000 {
		id := sumu.NewID()
		n := sumu.Notification{ID: id, Everyone: true, Data: json.RawMessage("1"), Deadline: time.Time{}}
		if err := n.Validate(); err != nil || len(id) != 26 || seen[id] {
			t.Fatalf("id %q, seen before: %v, %v", id, seen[id], err)
		}
		seen[id] = true
	}
}
