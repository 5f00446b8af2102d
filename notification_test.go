package sumu_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
)

// valid returns a notification that is valid, changed by edit.
func valid(edit func(n *sumu.Notification)) sumu.Notification {
	n := sumu.Notification{ID: "n1", Users: []string{"u1"}, Data: json.RawMessage(`{"a":1}`)}
	edit(&n)
	return n
}

func TestNotificationValidate(t *testing.T) {
	for _, tt := range []struct {
		name string
		edit func(n *sumu.Notification)
		want string // part of the error's text; "": valid
	}{
		{"users", func(*sumu.Notification) {}, ""},
		{"no id", func(n *sumu.Notification) { n.ID = "" }, ""},
		{"union", func(n *sumu.Notification) {
			n.Channels = []string{"room.1"}
			n.Connections = []sumu.ConnectionRef{{UserID: "u", ConnectionID: "c"}}
		}, ""},
		{"everyone", func(n *sumu.Notification) { n.Users, n.Everyone = nil, true }, ""},
		{"event alone", func(n *sumu.Notification) { *n = sumu.Notification{Event: &sumu.Event{Type: "t"}} }, ""},
		{"event with data", func(n *sumu.Notification) { n.Users, n.Event = nil, &sumu.Event{Type: "t"} }, ""},
		{"null", func(n *sumu.Notification) { n.Data = json.RawMessage("null") }, ""},
		{"longest id and part", func(n *sumu.Notification) {
			n.ID, n.Part = strings.Repeat("i", 100), strings.Repeat("c", 27)
		}, ""},
		{"largest data", func(n *sumu.Notification) { n.Data = jsonOfSize(sumu.MaxPayload) }, ""},
		{"largest payload", func(n *sumu.Notification) {
			n.Users, n.Event = nil, &sumu.Event{Type: "t", Payload: jsonOfSize(sumu.MaxPayload)}
		}, ""},

		{"no targets", func(n *sumu.Notification) { n.Users = nil }, "no targets"},
		{"empty lists", func(n *sumu.Notification) {
			n.Users, n.Channels, n.Connections = []string{}, []string{}, []sumu.ConnectionRef{}
		}, "no targets"},
		{"everyone and users", func(n *sumu.Notification) { n.Everyone = true }, "both everyone and particular"},
		{"everyone and event", func(n *sumu.Notification) {
			n.Users, n.Everyone, n.Event = nil, true, &sumu.Event{Type: "t"}
		}, "both everyone and particular"},
		{"event and users", func(n *sumu.Notification) { n.Event = &sumu.Event{Type: "t"} }, "takes no other targets"},
		{"event without type", func(n *sumu.Notification) { n.Users, n.Event = nil, &sumu.Event{} }, "event: type is missing"},
		{"event's type not UTF-8", func(n *sumu.Notification) {
			n.Users, n.Event = nil, &sumu.Event{Type: "\xff"}
		}, "event: type is not valid UTF-8"},
		{"event's payload not JSON", func(n *sumu.Notification) {
			n.Users, n.Event = nil, &sumu.Event{Type: "t", Payload: json.RawMessage(`{"a":`)}
		}, "event: payload is not valid JSON"},

		{"empty user", func(n *sumu.Notification) { n.Users = []string{"u1", ""} }, "users[1] is empty"},
		{"long user", func(n *sumu.Notification) { n.Users = []string{strings.Repeat("u", 2049)} }, "users[0] has 2049 bytes"},
		{"user not UTF-8", func(n *sumu.Notification) { n.Users = []string{"\xff"} }, "users[0] is not valid UTF-8"},
		{"excluded user not UTF-8", func(n *sumu.Notification) { n.ExcludeUsers = []string{"\xff"} }, "exclude_users[0]"},
		{"excluded connection not UTF-8", func(n *sumu.Notification) {
			n.ExcludeConnections = []string{"c", "\xff"}
		}, "exclude_connections[1]"},
		{"empty channel", func(n *sumu.Notification) { n.Channels = []string{""} }, "channels[0] is empty"},
		{"channel not UTF-8", func(n *sumu.Notification) { n.Channels = []string{"\xff"} }, "channels[0]"},
		{"connection without user", func(n *sumu.Notification) {
			n.Connections = []sumu.ConnectionRef{{ConnectionID: "c"}}
		}, "connections[0]: user_id is empty"},
		{"connection without id", func(n *sumu.Notification) {
			n.Connections = []sumu.ConnectionRef{{UserID: "u"}}
		}, "connections[0]: connection_id is empty"},

		{"no data", func(n *sumu.Notification) { n.Data = nil }, "data is missing"},
		{"data not JSON", func(n *sumu.Notification) { n.Data = json.RawMessage("{") }, "data is not valid JSON"},
		{"data empty", func(n *sumu.Notification) { n.Data = json.RawMessage{} }, "data is not valid JSON"},
		{"data not UTF-8", func(n *sumu.Notification) { n.Data = json.RawMessage("\"\xff\"") }, "data is not valid UTF-8"},
		{"id with a space", func(n *sumu.Notification) { n.ID = "a b" }, "id is not made of"},
		{"id not ASCII", func(n *sumu.Notification) { n.ID = "é" }, "id is not made of"},
		{"id too long", func(n *sumu.Notification) { n.ID = strings.Repeat("i", 101) }, "id is not made of"},
		{"part too long", func(n *sumu.Notification) { n.Part = strings.Repeat("c", 28) }, "part is not made of"},
		{"part with a line feed", func(n *sumu.Notification) { n.Part = "c\n" }, "part is not made of"},
		{"part with a slash", func(n *sumu.Notification) { n.Part = "c/c" }, "part is not made of"},
		{"deadline no clock can reach", func(n *sumu.Notification) {
			n.Deadline = time.Unix(1<<41, 0)
		}, "deadline is out of range"},
		{"since when no clock can tell", func(n *sumu.Notification) { n.Since = time.Unix(-1<<41, 0) }, "since is out of range"},
		{"negative attempt", func(n *sumu.Notification) { n.Attempt = -1 }, "attempt is negative"},
		{"no such segment", func(n *sumu.Notification) {
			n.Users, n.Everyone, n.Segment = nil, true, sumu.Segment{Index: 2, Count: 2}
		}, "segment 2 of 2"},
	} {
		n := valid(tt.edit)
		err := n.Validate()
		if tt.want == "" {
			if err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
			continue
		}
		wantKind(t, err, sumu.ErrInvalid)
		if err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %q, want it to hold %q", tt.name, err, tt.want)
		}
		// What does not validate is never written.
		if text, err := n.MarshalJSON(); err == nil {
			t.Errorf("%s: was written all the same: %s", tt.name, text)
		}
	}
}

// jsonOfSize returns a JSON string of n bytes, quotes included.
func jsonOfSize(n int) json.RawMessage {
	return json.RawMessage(`"` + strings.Repeat("<", n-2) + `"`)
}

func TestNotificationTooLarge(t *testing.T) {
	n := valid(func(n *sumu.Notification) { n.Data = jsonOfSize(sumu.MaxPayload + 1) })
	wantKind(t, n.Validate(), sumu.ErrTooLarge)
	n = sumu.Notification{Event: &sumu.Event{Type: "t", Payload: jsonOfSize(sumu.MaxPayload + 1)}}
	wantKind(t, n.Validate(), sumu.ErrTooLarge)
}

func TestNotificationKey(t *testing.T) {
	seen := make(map[string]string)
	for _, n := range []sumu.Notification{
		{ID: "a"},
		{ID: "a", Part: "c"},
		{ID: "a", Part: "cr"},
		{ID: "b"},
		{ID: "b", Part: "c"},
		{ID: "a/c"},
		{ID: "a/", Part: "c"},
	} {
		key := n.Key()
		if other, twice := seen[key]; twice {
			t.Errorf("id %q part %q has the key %q of %s", n.ID, n.Part, key, other)
		}
		if len(key) == 0 || strings.ContainsAny(key, " \n") {
			t.Errorf("key %q", key)
		}
		seen[key] = n.ID + " " + n.Part
	}
}

func TestNotificationClone(t *testing.T) {
	n := sumu.Notification{
		ID: "n1", Users: []string{"u1"}, Channels: []string{"c1"},
		Connections:  []sumu.ConnectionRef{{UserID: "u", ConnectionID: "c"}},
		Event:        &sumu.Event{Type: "t", Payload: json.RawMessage("1")},
		ExcludeUsers: []string{"x1"}, ExcludeConnections: []string{"y1"},
		Data: json.RawMessage("1"), Deadline: now, Part: "c", Attempt: 2, Since: now,
		Segment: sumu.Segment{Index: 1, Count: 2}, After: "z",
		ExcludeChannels: []string{"z1"}, From: "u9", Framed: true,
	}
	for i := range reflect.TypeFor[sumu.Notification]().NumField() {
		field := reflect.TypeFor[sumu.Notification]().Field(i)
		if field.IsExported() && field.Name != "Everyone" && reflect.ValueOf(n).Field(i).IsZero() {
			t.Fatalf("the test does not fill %s: whether Clone copies it is not known", field.Name)
		}
	}
	c := n.Clone()
	if !reflect.DeepEqual(c, n) {
		t.Fatalf("got  %+v\nwant %+v", c, n)
	}
	c.Users[0], c.Channels[0], c.Connections[0].UserID = "other", "other", "other"
	c.ExcludeUsers[0], c.ExcludeConnections[0], c.Event.Type = "other", "other", "other"
	c.ExcludeChannels[0] = "other"
	if n.Users[0] != "u1" || n.Channels[0] != "c1" || n.Connections[0].UserID != "u" ||
		n.ExcludeUsers[0] != "x1" || n.ExcludeConnections[0] != "y1" || n.ExcludeChannels[0] != "z1" || n.Event.Type != "t" {
		t.Errorf("a change of the copy reached the original: %+v", n)
	}
}

func TestNotificationDeadlineIsKeptToTheMillisecond(t *testing.T) {
	for _, deadline := range []time.Time{
		now, time.Unix(0, 0), time.Unix(1, 1e6), time.Unix(-1, 5e6), time.Unix(1<<40-1, 999e6),
	} {
		n := valid(func(n *sumu.Notification) { n.Deadline = deadline })
		text, err := n.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		back, err := sumu.ParseNotification(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if want := deadline.Truncate(time.Millisecond); !back.Deadline.Equal(want) {
			t.Errorf("got %v, want %v", back.Deadline, want)
		}
	}
}
