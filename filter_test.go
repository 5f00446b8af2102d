package sumu_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/sumu-live/sumu"
)

func reader(payload string) *sumu.EventReader {
	return sumu.NewEventReader(&sumu.Event{Type: "t", Payload: json.RawMessage(payload)})
}

const thing = `{"color":"blue","n":10,"id":9007199254740993,"x":-0.5,"on":true,"nil":null,"star":"*",
	"num":"10","list":[1],"obj":{"color":"red","deep":{"n":1e2}},"empty":"","a.b":"dot","ünï":"é"}`

func TestFilters(t *testing.T) {
	for _, tt := range []struct {
		field, filter string
		want          bool
	}{
		{"", "", true},
		{"color", "blue", true},
		{"color", "Blue", false},
		{"color", "blu", false},
		{"color", "bluer", false},
		{"color", "*", true},
		{"nowhere", "*", true},
		{"nil", "*", true},
		{"obj", "*", true},
		{"color", "b*", true},
		{"color", "blue*", true},
		{"color", "bluer*", false},
		{"color", "B*", false},
		{"empty", "x*", false},
		{"star", "x", false},
		// No value, or one that is neither text, number nor boolean.
		{"nowhere", "blue", false},
		{"nil", "null", false},
		{"list", "1", false},
		{"obj", "red", false},
		{"obj.color", "red", true},
		{"obj.deep.n", "100", true},
		{"obj.nowhere", "x", false},
		{"color.sub", "x", false},
		{"list.0", "1", false},
		{"a.b", "dot", false},
		{"ünï", "é", true},
		{"ünï", "e*", false},
		// Numbers in every spelling; ids digit by digit.
		{"n", "10", true},
		{"n", "10.0", true},
		{"n", "1e1", true},
		{"n", "11", false},
		{"x", "-0.5", true},
		{"x", "-5e-1", true},
		{"id", "9007199254740993", true},
		{"id", "9007199254740992", false},
		{"num", "10", true},
		{"num", "10.0", false},
		{"n", "1*", false},
		{"on", "true", true},
		{"on", "t*", false},
		{"on", "1", false},
		{"on", "false", false},
		{"n", ">= 10", true},
		{"n", ">=10", true},
		{"n", "> 10", false},
		{"n", "<= 10", true},
		{"n", "< 10", false},
		{"n", "> 9.99", true},
		{"x", "< 0", true},
		{"obj.deep.n", "> 99", true},
		{"num", ">= 10", false},
		{"color", "> 1", false},
		{"nowhere", "< 1", false},
		{"on", "> 0", false},
		{"list", "> 0", false},
	} {
		s := sumu.Subscription{EventType: "t", Field: tt.field, Filter: tt.filter}
		if _, err := s.Normalize(); err != nil {
			t.Errorf("%s %q: %v", tt.field, tt.filter, err)
			continue
		}
		if got := reader(thing).Matches(&s); got != tt.want {
			t.Errorf("%s %q matches: %v; want %v", tt.field, tt.filter, got, tt.want)
		}
		s.EventType = "T"
		if reader(thing).Matches(&s) {
			t.Errorf("%s %q matches an event of another type", tt.field, tt.filter)
		}
	}
}

func TestBadFilters(t *testing.T) {
	for filter, part := range map[string]string{
		strings.Repeat("a", sumu.MaxFilter+1): "1025 bytes", "a\xff": "UTF-8", "a*b": `"*"`, "**": `"*"`, "*a": `"*"`,
		"> ten": "number", ">": "number", "<": "number", "<>": "number", ">= ": "number", ">=1*": "number",
		"> 0x10": "number", "> 1_0": "number", "> inf": "number", "> nan": "number", "> +1": "number", "> 1e": "number",
		`> "1"`: "number", "> null": "number",
	} {
		_, err := sumu.Subscription{EventType: "t", Field: "f", Filter: filter}.Normalize()
		wantKind(t, err, sumu.ErrInvalid)
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%.20q: %v; want it to say %s", filter, err, part)
		}
	}
}
