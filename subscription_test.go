package sumu_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/sumu-live/sumu"
)

func TestNormalize(t *testing.T) {
	in := sumu.Subscription{EventType: "t", Field: "a.b", Filter: "x*", Fields: []string{"c", "a.b", "c", "a"}}
	out, err := in.Normalize()
	if err != nil || !reflect.DeepEqual(out.Fields, []string{"a", "a.b", "c"}) {
		t.Errorf("got %+v, %v", out, err)
	}
	if !reflect.DeepEqual(in.Fields, []string{"c", "a.b", "c", "a"}) {
		t.Errorf("the caller's list became %q", in.Fields)
	}
	again, err := out.Normalize()
	if err != nil || !reflect.DeepEqual(again, out) {
		t.Errorf("again: %+v, %v", again, err)
	}
	fields := make([]string, sumu.MaxDesiredFields)
	for i := range fields {
		fields[i] = fmt.Sprintf("f%d", i)
	}
	for _, s := range []sumu.Subscription{
		{EventType: strings.Repeat("t", sumu.MaxEventType)},
		{EventType: "with space and ünïcode"},
		{EventType: "t", Field: strings.Repeat("f", sumu.MaxField), Filter: "*"},
		{EventType: "t", Field: strings.Repeat("a.", 15) + "a", Filter: strings.Repeat("x", sumu.MaxFilter)},
		{EventType: "t", Fields: fields},
	} {
		if _, err := s.Normalize(); err != nil {
			t.Errorf("%+v: %v", s, err)
		}
	}
	for what, s := range map[string]sumu.Subscription{
		"event_type is empty":         {},
		"event_type has 257 bytes":    {EventType: strings.Repeat("t", 257)},
		"event_type holds a control":  {EventType: "a\nb"},
		"event_type holds":            {EventType: "a\xff"},
		"without filter_field":        {EventType: "t", Filter: "*"},
		"without filter_expr":         {EventType: "t", Field: "f"},
		"filter_field has 257 bytes":  {EventType: "t", Field: strings.Repeat("f", 257), Filter: "*"},
		"filter_field holds":          {EventType: "t", Field: "a\x00", Filter: "*"},
		"filter_field is over":        {EventType: "t", Field: strings.Repeat("a.", 16) + "a", Filter: "*"},
		"filter_field has an empty":   {EventType: "t", Field: ".a", Filter: "*"},
		"desired_fields has 0":        {EventType: "t", Fields: []string{}},
		"desired_fields has 101":      {EventType: "t", Fields: append(fields, "more")},
		"desired_fields[1] has":       {EventType: "t", Fields: []string{"a", ""}},
		"desired_fields[0] has an em": {EventType: "t", Fields: []string{"a."}},
	} {
		_, err := s.Normalize()
		wantKind(t, err, sumu.ErrInvalid)
		if err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%v; want it to say %q", err, what)
		}
	}
}

// The JSON of a subscription is that of Snag's clients.
func TestSubscriptionJSON(t *testing.T) {
	const text = `{"event_type":"NESClick","filter_field":"color","filter_expr":"blue*","desired_fields":["color"]}`
	var s sumu.Subscription
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		t.Fatal(err)
	}
	if want := (sumu.Subscription{EventType: "NESClick", Field: "color", Filter: "blue*", Fields: []string{"color"}}); !reflect.DeepEqual(s, want) {
		t.Errorf("read as %+v", s)
	}
	if out, err := json.Marshal(s); err != nil || string(out) != text {
		t.Errorf("written as %s, %v", out, err)
	}
	var all sumu.Subscription
	if err := json.Unmarshal([]byte(`{"event_type":"t","filter_field":null,"filter_expr":null,"desired_fields":null}`), &all); err != nil ||
		!reflect.DeepEqual(all, sumu.Subscription{EventType: "t"}) {
		t.Errorf("null was read as %+v, %v", all, err)
	}
}

// FuzzSubscription: what is accepted matches what its index finds, and an index
// that does not find an event is one that does not match.
func FuzzSubscription(f *testing.F) {
	f.Fuzz(func(t *testing.T, text, payload []byte) {
		var s sumu.Subscription
		if json.Unmarshal(text, &s) != nil {
			return
		}
		n, err := s.Normalize()
		if err != nil {
			wantKind(t, err, sumu.ErrInvalid)
			return
		}
		if again, err := n.Normalize(); err != nil || !reflect.DeepEqual(again, n) {
			t.Fatalf("normalized %+v, again %+v, %v", n, again, err)
		}
		e := sumu.Notification{Event: &sumu.Event{Type: n.EventType, Payload: payload}}
		if e.Validate() != nil {
			return
		}
		r := sumu.NewEventReader(e.Event)
		checkIndex(t, r, &n)
		checkProjection(t, r, &n)
	})
}

// checkIndex looks the subscription up as a store does.
func checkIndex(t *testing.T, r *sumu.EventReader, s *sumu.Subscription) {
	t.Helper()
	kind, text := s.Index()
	found := true
	switch kind {
	case sumu.FilterEqual:
		value, _, ok := r.Text(s.Field)
		found = ok && value == text
	case sumu.FilterPrefix:
		value, ok := r.Prefix(s.Field)
		found = ok && strings.HasPrefix(value, text)
	}
	if r.Matches(s) && !found {
		t.Fatalf("%+v matches %s, but its index %d %q does not find it", s, r.Event.Payload, kind, text)
	}
	if kind == sumu.FilterAny && !r.Matches(s) {
		t.Fatalf("%+v asks for anything, and does not match %s", s, r.Event.Payload)
	}
}

// checkProjection: a projection is JSON, holds each field as the event has it,
// and nothing that was not asked for.
func checkProjection(t *testing.T, r *sumu.EventReader, s *sumu.Subscription) {
	t.Helper()
	out := r.Project(s.Fields)
	if !json.Valid(out) {
		t.Fatalf("%q of %s is %s, which is not JSON", s.Fields, r.Event.Payload, out)
	}
	if s.Fields == nil {
		return
	}
	projected := sumu.NewEventReader(&sumu.Event{Type: r.Event.Type, Payload: out})
	for _, field := range s.Fields {
		if got, want := projected.Field(field), r.Field(field); canonical(t, got) != canonical(t, want) {
			t.Fatalf("%q of %s is %s: %s is %s; want %s", s.Fields, r.Event.Payload, out, field, got, want)
		}
	}
	if again := projected.Project(s.Fields); canonical(t, again) != canonical(t, out) {
		t.Fatalf("%s projected again is %s", out, again)
	}
}

func canonical(t *testing.T, text json.RawMessage) string {
	t.Helper()
	if text == nil {
		return "none"
	}
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		return string(text) // A number that no float64 holds.
	}
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
