package sumu_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
)

func TestParseNotification(t *testing.T) {
	data := json.RawMessage(`{}`)
	for _, tt := range []struct {
		name, text string
		want       sumu.Notification
	}{
		{
			"users", `{"users":["u1","u2"],"data":{"any":"json"}}`,
			sumu.Notification{Users: []string{"u1", "u2"}, Data: json.RawMessage(`{"any":"json"}`)},
		},
		{
			"none of the keys", `{"data":{"type":"announcement"}}`,
			sumu.Notification{Everyone: true, Data: json.RawMessage(`{"type":"announcement"}`)},
		},
		{
			"excluded users", `{"exclude_users":["u1"],"data":{}}`,
			sumu.Notification{Everyone: true, ExcludeUsers: []string{"u1"}, Data: data},
		},
		{
			"channels", `{"channels":["room.42"],"exclude_connections":["abc="],"data":{}}`,
			sumu.Notification{Channels: []string{"room.42"}, ExcludeConnections: []string{"abc="}, Data: data},
		},
		{
			"connections", `{"connections":[{"user_id":"u1","connection_id":"abc="}],"data":{}}`,
			sumu.Notification{Connections: []sumu.ConnectionRef{{UserID: "u1", ConnectionID: "abc="}}, Data: data},
		},
		{
			"event", `{"event":{"type":"NESClick","payload":{"color":"blue"}}}`,
			sumu.Notification{Event: &sumu.Event{Type: "NESClick", Payload: json.RawMessage(`{"color":"blue"}`)}},
		},
		{
			"event and data", `{"event":{"type":"t","payload":1},"data":{}}`,
			sumu.Notification{Event: &sumu.Event{Type: "t", Payload: json.RawMessage(`1`)}, Data: data},
		},
		{
			"union, less excluded", `{"users":["u1"],"channels":["c"],"exclude_users":["u1"],"data":{}}`,
			sumu.Notification{Users: []string{"u1"}, Channels: []string{"c"}, ExcludeUsers: []string{"u1"}, Data: data},
		},
		// For the pusher to see to: across a batch it has to anyway.
		{
			"duplicates are kept", `{"users":["u1","u1"],"data":{}}`,
			sumu.Notification{Users: []string{"u1", "u1"}, Data: data},
		},
		{
			"empty users beside channels", `{"users":[],"channels":["c"],"data":{}}`,
			sumu.Notification{Users: []string{}, Channels: []string{"c"}, Data: data},
		},
		{"data null", `{"users":["u1"],"data":null}`, sumu.Notification{Users: []string{"u1"}, Data: json.RawMessage("null")}},
		{"data false", `{"users":["u1"],"data":false}`, sumu.Notification{Users: []string{"u1"}, Data: json.RawMessage("false")}},
		{
			"data as it is", `{"users":["u1"],"data": {"a" : "<b>\u00e9", "a":1.0e2 } }`,
			sumu.Notification{Users: []string{"u1"}, Data: json.RawMessage(`{"a" : "<b>\u00e9", "a":1.0e2 }`)},
		},
		{
			"unknown members", `{"users":["u1"],"data":{},"priority":9,"user":"u2","":null}`,
			sumu.Notification{Users: []string{"u1"}, Data: data},
		},
		{"names written with escapes", `{"\u0075sers":["u1"],"data":{}}`, sumu.Notification{Users: []string{"u1"}, Data: data}},
		{
			"null is as good as absent", `{"id":null,"users":["u1"],"exclude_users":null,"deadline":null,"segment":null,"after":null,"data":{}}`,
			sumu.Notification{Users: []string{"u1"}, ExcludeUsers: []string{}, Data: data},
		},
		{
			"what a pusher adds", `{"id":"n1","part":"cr","attempt":3,"since":1575929040126,"deadline":1575929040.125,"after":"c9","users":["u1"],"data":{}}`,
			sumu.Notification{
				ID: "n1", Part: "cr", Attempt: 3, Since: time.UnixMilli(1575929040126),
				Deadline: time.UnixMilli(1575929040125), After: "c9",
				Users: []string{"u1"}, Data: data,
			},
		},
		{
			"segment", `{"data":{},"segment":{"index":1,"count":4,"after":{"user_id":"u","connection_id":"c"}}}`,
			sumu.Notification{Everyone: true, Data: data, Segment: sumu.Segment{
				Index: 1, Count: 4, After: sumu.ConnectionRef{UserID: "u", ConnectionID: "c"},
			}},
		},
	} {
		got, err := sumu.ParseNotification([]byte(tt.text))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if !reflect.DeepEqual(exported(got), tt.want) {
			t.Errorf("%s:\ngot  %+v\nwant %+v", tt.name, got, tt.want)
		}
		var again sumu.Notification
		if err := json.Unmarshal([]byte(tt.text), &again); err != nil || !reflect.DeepEqual(again, got) {
			t.Errorf("%s: json.Unmarshal reads it otherwise: %+v, %v", tt.name, again, err)
		}
	}
}

// exported is a notification as a program could have made it.
func exported(n sumu.Notification) (made sumu.Notification) {
	from, to := reflect.ValueOf(n), reflect.ValueOf(&made).Elem()
	for i := range from.NumField() {
		if from.Type().Field(i).IsExported() {
			to.Field(i).Set(from.Field(i))
		}
	}
	return made
}

func TestParseNotificationForEveryone(t *testing.T) {
	for text, explicit := range map[string]bool{
		`{"data":1}`:                             false,
		`{"users":[],"data":1}`:                  false,
		`{"users":null,"data":1}`:                false,
		`{"everyone":null,"data":1}`:             false,
		`{"everyone":true,"data":1}`:             true,
		`{"everyone":true,"users":[],"data":1}`:  true,
		`{"everyone":true,"data":1,"trace":"7"}`: true,
	} {
		n, err := sumu.ParseNotification([]byte(text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		// A queue in between must not make it look like one that was meant so.
		copied := n.Clone()
		again, err := copied.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		back, err := sumu.ParseNotification(again)
		if err != nil {
			t.Fatal(err)
		}
		for what, n := range map[string]sumu.Notification{text: n, string(again): back} {
			if err := n.CheckExplicit(); !n.Everyone || (err == nil) != explicit || err != nil && !errors.Is(err, sumu.ErrInvalid) {
				t.Errorf("%s: Everyone %v, CheckExplicit %v, want it explicit: %v", what, n.Everyone, err, explicit)
			}
		}
	}
	n := sumu.Notification{Everyone: true, Data: []byte("1")}
	if text, err := n.MarshalJSON(); err != nil || string(text) != `{"everyone":true,"data":1}` || n.CheckExplicit() != nil {
		t.Errorf("%s, %v, %v", text, err, n.CheckExplicit())
	}
}

func TestParseNotificationRefuses(t *testing.T) {
	for _, tt := range []struct {
		name, text, want string
	}{
		{"no data", `{"users":["u1"]}`, "data is missing"},
		{"nothing at all", `{}`, "data is missing"},
		{"users a string", `{"users":"u1","data":1}`, "users is a string; it must be a list of strings"},
		{"users an object", `{"users":{"id":"u1"},"data":1}`, "users is an object; it must be a list of strings"},
		{"users a number", `{"users":7,"data":1}`, "users is a number; it must be a list of strings"},
		{"users false", `{"users":false,"data":1}`, "users is a boolean; it must be a list of strings"},
		{"a number among users", `{"users":["u1",2],"data":1}`, "users holds something that is not a string"},
		{"null among users", `{"users":["u1",null],"data":1}`, "users[1] is null"},
		{"empty user", `{"users":[""],"data":1}`, "users[0] is empty"},
		{"channels empty", `{"channels":[],"data":1}`, "channels is empty"},
		{"channels null", `{"channels":null,"data":1}`, "channels is empty"},
		{"channels empty beside users", `{"users":["u1"],"channels":[],"data":1}`, "channels is empty"},
		{"null among channels", `{"channels":[null],"data":1}`, "channels[0] is null"},
		{"connections empty", `{"connections":[],"data":1}`, "connections is empty"},
		{"connections null", `{"connections":null,"data":1}`, "connections is empty"},
		{"connections of strings", `{"connections":["abc="],"data":1}`, "connections is not a list of objects"},
		{"null among connections", `{"connections":[null],"data":1}`, "connections[0]: user_id is empty"},
		{"connection without id", `{"connections":[{"user_id":"u1"}],"data":1}`, "connections[0]: connection_id is empty"},
		{"event null", `{"event":null,"data":1}`, "event is empty"},
		{"event without type", `{"event":{"payload":1}}`, "event: type is missing"},
		{"event a string", `{"event":"t"}`, "event is not an object"},
		{"event beside users", `{"users":["u1"],"event":{"type":"t"}}`, "takes no other targets"},
		{"exclude_users a string", `{"exclude_users":"u1","data":1}`, "exclude_users is a string"},
		{"null among excluded", `{"exclude_connections":[null],"data":1}`, "exclude_connections[0] is null"},
		{"wrong case", `{"Users":["u1"],"data":1}`, `unknown member "Users"; did you mean "users"?`},
		{"wrong case of data", `{"users":["u1"],"DATA":1,"data":2}`, `unknown member "DATA"`},
		{"case of another alphabet", `{"uſers":["u1"],"data":1}`, `unknown member "uſers"`},
		{"member twice", `{"users":["u1"],"data":1,"users":["u2"]}`, `member "users" comes twice`},
		{"unknown member twice", `{"x":1,"x":1,"users":["u1"],"data":1}`, `member "x" comes twice`},
		{"twice by an escape", `{"users":["u1"],"\u0075sers":[],"data":1}`, `member "users" comes twice`},
		{"deadline a string", `{"users":["u1"],"data":1,"deadline":"1575929040"}`, "deadline is a string"},
		{"deadline not a number", `{"users":["u1"],"data":1,"deadline":true}`, "deadline is not a number"},
		{"deadline out of range", `{"users":["u1"],"data":1,"deadline":1e300}`, "deadline is not a number of seconds"},
		{"deadline overflows", `{"users":["u1"],"data":1,"deadline":1e999}`, "deadline is not a number of seconds"},
		{"attempt a string", `{"users":["u1"],"data":1,"attempt":"1"}`, "attempt is not a number"},
		{"since a fraction", `{"users":["u1"],"data":1,"since":1.5}`, "since is not a number"},
		{"since out of range", `{"users":["u1"],"data":1,"since":9223372036854775807}`, "since is out of range"},
		{"attempt negative", `{"users":["u1"],"data":1,"attempt":-1}`, "attempt is negative"},
		{"segment out of range", `{"data":1,"segment":{"index":4,"count":4}}`, "segment 4 of 4"},
		{"id a number", `{"id":7,"users":["u1"],"data":1}`, "id is not a string"},
		{"id with a space", `{"id":"a b","users":["u1"],"data":1}`, "id is not made of"},
		{"not UTF-8", "{\"users\":[\"u\xff\"],\"data\":1}", "text is not valid UTF-8"},
		{"data not UTF-8", "{\"users\":[\"u1\"],\"data\":\"\xff\"}", "text is not valid UTF-8"},
		{"empty text", ``, "not valid JSON: it ends too early"},
		{"half", `{"users":["u1"],"data":`, "not valid JSON"},
		{"a half name", `{"use`, "not valid JSON"},
		{"no value", `{"users"}`, "not valid JSON"},
		{"comma at the end", `{"data":1,}`, "not valid JSON"},
		{"no comma", `{"data":1 "users":[]}`, "not valid JSON"},
		{"a name without quotes", `{data:1}`, "not valid JSON"},
		{"not an object", `["u1"]`, "not a JSON object"},
		{"null", `null`, "not a JSON object"},
		{"a second object", `{"users":["u1"],"data":1}{"data":1}`, "text goes on"},
		{"stray brace", `{"users":["u1"],"data":1}}`, "text goes on"},
		{"stray bracket", `{"users":["u1"],"data":1}]`, "text goes on"},
		{"closed by the wrong one", `{]`, "not valid JSON"},
	} {
		n, err := sumu.ParseNotification([]byte(tt.text))
		wantKind(t, err, sumu.ErrInvalid)
		if sumu.Retryable(err) {
			t.Errorf("%s: retryable; it will be wrong again", tt.name)
		}
		if err != nil && (!strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "notification: ")) {
			t.Errorf("%s: got %q, want it to hold %q", tt.name, err, tt.want)
		}
		if !reflect.DeepEqual(n, sumu.Notification{}) {
			t.Errorf("%s: got %+v beside the error", tt.name, n)
		}
	}
}

func TestParseNotificationErrorsHideThePayload(t *testing.T) {
	for _, text := range []string{
		`{"users":["u1"],"data":"` + secret,
		`{"users":["u1"],"data":"` + secret + "\x01\"}",
		`{"users":["u1"],"data":"` + secret + `"}"`,
		`{"users":{"` + secret + `":1},"data":1}`,
	} {
		_, err := sumu.ParseNotification([]byte(text))
		wantKind(t, err, sumu.ErrInvalid)
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("the error shows what was sent: %v", err)
		}
	}
}

func TestNotificationOfManyUsers(t *testing.T) {
	n := sumu.Notification{Data: json.RawMessage("1")}
	for i := range 10_000 {
		n.Users = append(n.Users, fmt.Sprintf("user-%05d", i))
	}
	for i := range 500 {
		n.ExcludeUsers = append(n.ExcludeUsers, fmt.Sprintf("user-%05d", 2*i))
	}
	text, err := n.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	back, err := sumu.ParseNotification(text)
	if err != nil || !reflect.DeepEqual(back, n) {
		t.Errorf("10,000 users and 500 excluded ones do not come back: %d, %d, %v",
			len(back.Users), len(back.ExcludeUsers), err)
	}
}

func TestNotificationMarshal(t *testing.T) {
	for _, tt := range []struct {
		name string
		n    sumu.Notification
		want string
	}{
		{"users", sumu.Notification{Users: []string{"u1"}, Data: json.RawMessage(`{}`)}, `{"users":["u1"],"data":{}}`},
		{"everyone", sumu.Notification{Everyone: true, Data: json.RawMessage(`1`)}, `{"everyone":true,"data":1}`},
		{"everyone, empty lists", sumu.Notification{
			Everyone: true, Users: []string{}, Channels: []string{}, Data: json.RawMessage(`1`),
		}, `{"everyone":true,"data":1}`},
		{
			"event",
			sumu.Notification{Event: &sumu.Event{Type: "t", Payload: json.RawMessage(`"<"`)}},
			`{"event":{"type":"t","payload":"<"}}`,
		},
		{"event without payload", sumu.Notification{Event: &sumu.Event{Type: "t"}}, `{"event":{"type":"t","payload":null}}`},
		{
			"data as it is",
			sumu.Notification{Users: []string{"u1"}, Data: json.RawMessage(`{"a" : "<\u00e9>" }`)},
			`{"users":["u1"],"data":{"a" : "<\u00e9>" }}`,
		},
		{"all", sumu.Notification{
			ID: "n1", Users: []string{"u1"}, Channels: []string{"c1"},
			Connections:  []sumu.ConnectionRef{{UserID: "u2", ConnectionID: "abc="}},
			ExcludeUsers: []string{"u3"}, ExcludeConnections: []string{"def="},
			Data: json.RawMessage(`null`), Deadline: time.UnixMilli(1575929040125), Part: "c", Attempt: 1,
			Since: time.UnixMilli(1575929040126), After: "x",
			Segment: sumu.Segment{Index: 1, Count: 2, After: sumu.ConnectionRef{UserID: "u", ConnectionID: "c"}},
		}, `{"id":"n1","users":["u1"],"channels":["c1"],"connections":[{"user_id":"u2","connection_id":"abc="}],` +
			`"exclude_users":["u3"],"exclude_connections":["def="],"deadline":1575929040.125,"part":"c","attempt":1,"since":1575929040126,` +
			`"segment":{"index":1,"count":2,"after":{"user_id":"u","connection_id":"c"}},"after":"x","data":null}`},
	} {
		got, err := tt.n.MarshalJSON()
		if err != nil || string(got) != tt.want {
			t.Errorf("%s:\ngot  %s, %v\nwant %s", tt.name, got, err, tt.want)
		}
		if std, err := json.Marshal(tt.n); err != nil {
			t.Errorf("%s: json.Marshal: %v", tt.name, err)
		} else {
			wantJSON(t, std, tt.want)
		}
	}
}

// The largest data must not grow on its way through a queue: it would be
// accepted when it is sent, and refused when it is pushed.
func TestNotificationOfTheLargestDataComesThrough(t *testing.T) {
	n := sumu.Notification{Users: []string{"u1"}, Data: jsonOfSize(sumu.MaxPayload)}
	text, err := n.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	back, err := sumu.ParseNotification(text)
	if err != nil || !bytes.Equal(back.Data, n.Data) {
		t.Errorf("%d bytes became %d: %v", len(n.Data), len(back.Data), err)
	}
}
