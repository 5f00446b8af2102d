package sumu_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/sumu-live/sumu"
)

// FuzzNotification: what is accepted means what an independent reader of the
// same text finds there, comes back unchanged from its own wire format, and is
// for everyone only if no target was named.
func FuzzNotification(f *testing.F) {
	f.Fuzz(func(t *testing.T, text []byte) {
		n, err := sumu.ParseNotification(text)
		if err != nil {
			if !errors.Is(err, sumu.ErrInvalid) && !errors.Is(err, sumu.ErrTooLarge) {
				t.Fatalf("refused with %v, neither ErrInvalid nor ErrTooLarge", err)
			}
			if sumu.Retryable(err) || !reflect.DeepEqual(n, sumu.Notification{}) {
				t.Fatalf("refused, but retryable or half read: %v, %+v", err, n)
			}
			return
		}
		checkAgainstText(t, text, n)

		out, err := n.MarshalJSON()
		if err != nil {
			t.Fatalf("accepted, but cannot be written: %v", err)
		}
		back, err := sumu.ParseNotification(out)
		if err != nil {
			t.Fatalf("%s is refused: %v", out, err)
		}
		if !reflect.DeepEqual(plain(back), plain(n)) {
			t.Fatalf("%s\nread as %+v\nwas     %+v", out, back, n)
		}
		if viaStd, err := json.Marshal(n); err != nil {
			t.Fatalf("json.Marshal: %v", err)
		} else if again, err := sumu.ParseNotification(viaStd); err == nil && !slices.Equal(again.Users, back.Users) {
			t.Fatalf("json.Marshal writes other users: %s", viaStd)
		}
	})
}

// checkAgainstText compares with what encoding/json makes of the same text.
func checkAgainstText(t *testing.T, text []byte, n sumu.Notification) {
	t.Helper()
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil || !utf8.Valid(text) {
		t.Fatalf("accepted, but encoding/json says: %v", err)
	}
	var users []string
	if raw, ok := members["users"]; ok {
		if err := json.Unmarshal(raw, &users); err != nil {
			t.Fatalf("users were accepted, but: %v", err)
		}
	}
	if !slices.Equal(users, n.Users) {
		t.Fatalf("users are %q, read as %q", users, n.Users)
	}
	var named []string
	for name := range members {
		for _, target := range []string{"users", "channels", "connections", "event"} {
			if !strings.EqualFold(name, target) {
				continue
			}
			if name != target {
				t.Fatalf("%q was accepted", name)
			}
			if name != "users" || len(users) > 0 {
				named = append(named, name)
			}
		}
	}
	if n.Everyone != (len(named) == 0) {
		t.Fatalf("names %q, read as for everyone: %v", named, n.Everyone)
	}
	if data := members["data"]; !bytes.Equal(data, n.Data) {
		t.Fatalf("data is %s, read as %s", data, n.Data)
	}
}

// plain makes those alike that mean the same: empty lists and absent ones, a
// payload that is absent and one that is null.
func plain(n sumu.Notification) sumu.Notification {
	n = n.Clone()
	for _, list := range []*[]string{&n.Users, &n.Channels, &n.ExcludeUsers, &n.ExcludeConnections} {
		if len(*list) == 0 {
			*list = nil
		}
	}
	if n.Event != nil {
		payload := n.Event.Payload
		if payload == nil {
			payload = json.RawMessage("null")
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, payload); err == nil {
			n.Event.Payload = compact.Bytes()
		}
	}
	return n
}

// FuzzClientFrame: whatever a client sends is answered with valid JSON within
// the quota, or not at all; and reaches a backend only as the JSON it is.
func FuzzClientFrame(f *testing.F) {
	f.Fuzz(func(t *testing.T, frame []byte) {
		sent := bytes.Clone(frame)
		var got []sumu.BackendMessage
		app := newMessageApp(t)
		app.Handle("publish", sumu.ToBackend("apigw.route.publish", func(_ context.Context, m sumu.BackendMessage) error {
			got = append(got, m)
			return nil
		}))
		app.Handle("fail", func(_ context.Context, m sumu.Message) ([]byte, error) {
			var v struct{ Channel string }
			if err := m.Decode(&v); err != nil {
				return nil, err
			}
			return nil, errors.New("a fault of ours")
		})
		reply := send(t, app, string(frame))
		if !bytes.Equal(frame, sent) {
			t.Fatal("the frame was changed")
		}
		if reply != nil && !json.Valid(reply) {
			t.Fatalf("answered with %q", reply)
		}
		if len(reply) > sumu.MaxPayload {
			t.Fatalf("answered with %d bytes", len(reply))
		}

		var members map[string]json.RawMessage
		_ = json.Unmarshal(frame, &members)
		var action, ref string
		_ = json.Unmarshal(members["action"], &action)
		if len(got) > 0 {
			var a, b bytes.Buffer
			if action != "publish" || json.Compact(&a, members["message"]) != nil || json.Compact(&b, got[0].Body) != nil || a.String() != b.String() {
				t.Fatalf("the backend got %s", got[0].Body)
			}
		}
		var answer struct{ Ref *string }
		_ = json.Unmarshal(reply, &answer)
		if answer.Ref != nil && (json.Unmarshal(members["ref"], &ref) != nil || *answer.Ref != ref) {
			t.Fatalf("ref %s comes back as %q", members["ref"], *answer.Ref)
		}
	})
}

// FuzzPresenceEvent: what is accepted comes back unchanged.
func FuzzPresenceEvent(f *testing.F) {
	f.Fuzz(func(t *testing.T, text []byte) {
		var e sumu.PresenceEvent
		if err := e.UnmarshalJSON(text); err != nil {
			if !errors.Is(err, sumu.ErrInvalid) || e != (sumu.PresenceEvent{}) {
				t.Fatalf("refused with %v, read as %+v", err, e)
			}
			return
		}
		if e.UserID == "" || e.Version < 1 || (e.Status != sumu.Online && e.Status != sumu.Offline) {
			t.Fatalf("accepted %+v", e)
		}
		out, err := e.MarshalJSON()
		if err != nil {
			t.Fatalf("accepted, but cannot be written: %v", err)
		}
		var back sumu.PresenceEvent
		if err := json.Unmarshal(out, &back); err != nil {
			t.Fatalf("%s is refused: %v", out, err)
		}
		if !back.At.Equal(e.At) || back.ID() != e.ID() || back.Status != e.Status || back.UserID != e.UserID {
			t.Fatalf("%s\nread as %+v\nwas     %+v", out, back, e)
		}
	})
}
