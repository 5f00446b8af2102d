package sumu

import (
	"encoding/json"
	"strconv"
	"testing"
)

// What subscribers ask for is made up by clients: a reader that remembered all
// of it would hold as much memory as they like.
func TestEventReaderForgetsMadeUpFields(t *testing.T) {
	r := NewEventReader(&Event{Type: "t", Payload: json.RawMessage(`{"a":{"b":1},"s":"x"}`)})
	for i := range 20 * maxRemembered {
		name := strconv.Itoa(i)
		if r.Field(name+".deep.er") != nil {
			t.Fatalf("field %s was found", name)
		}
		s := Subscription{EventType: "t", Field: name, Filter: "x"}
		if r.Matches(&s) {
			t.Fatalf("field %s matches", name)
		}
	}
	for what, n := range map[string]int{"fields": len(r.fields), "objects": len(r.objects), "values": len(r.scalars)} {
		if n > maxRemembered {
			t.Errorf("%d %s are remembered; want at most %d", n, what, maxRemembered)
		}
	}
	if got := string(r.Field("a.b")); got != "1" {
		t.Errorf("a.b is %q afterwards", got)
	}
	if got := string(r.Project([]string{"a.b", "s"})); got != `{"a":{"b":1},"s":"x"}` {
		t.Errorf("the projection is %s afterwards", got)
	}
}

// A row that another program wrote, or a subscription that nobody has
// normalized, makes nothing panic.
func TestFilterlessFieldMakesNothingPanic(t *testing.T) {
	s := Subscription{EventType: "t", Field: "a"}
	if kind, _ := s.Index(); kind != FilterAny {
		t.Errorf("it is indexed as %v", kind)
	}
	r := NewEventReader(&Event{Type: "t", Payload: json.RawMessage(`{"a":1}`)})
	if r.Matches(&s) {
		t.Error("it matches")
	}
}
