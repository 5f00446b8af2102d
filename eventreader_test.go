package sumu_test

import (
	"testing"
)

func TestProject(t *testing.T) {
	const payload = `{"a":{"b":{"c":1,"d":2},"e":"<é>"},"f":[1, 2],"n":null,"x.y":3,"dup":1,"dup":2}`
	for _, tt := range []struct {
		fields []string
		want   string
	}{
		{nil, payload}, // As it is, byte by byte.
		{[]string{"f"}, `{"f":[1,2]}`},
		{[]string{"a.b.c"}, `{"a":{"b":{"c":1}}}`},
		{[]string{"a.b.c", "a.e"}, `{"a":{"b":{"c":1},"e":"<é>"}}`},
		{[]string{"a", "a.b.c"}, `{"a":{"b":{"c":1,"d":2},"e":"<é>"}}`}, // The whole holds the part.
		{[]string{"n"}, `{"n":null}`},
		{[]string{"nowhere", "a.nowhere", "f.0", "x.y", "n.m"}, `{}`}, // What an event does not have is left out.
		{[]string{"nowhere.deep", "f"}, `{"f":[1,2]}`},
		{[]string{"dup"}, `{"dup":2}`},
	} {
		if got := string(reader(payload).Project(tt.fields)); got != tt.want {
			t.Errorf("%q: got %s; want %s", tt.fields, got, tt.want)
		}
	}
	for _, payload := range []string{`[1]`, `"text"`, `7`, `null`, ``} {
		if got := string(reader(payload).Project([]string{"a"})); got != `{}` {
			t.Errorf("a field of %q: %s", payload, got)
		}
	}
	if got := string(reader("").Project(nil)); got != "" && got != "null" {
		t.Errorf("all of nothing: %q", got)
	}
	r := reader(` {"a": 1} `)
	if got := string(r.Project([]string{"a"})); got != `{"a":1}` {
		t.Errorf("with white space around: %s", got)
	}
}

func TestEventReaderFields(t *testing.T) {
	r := reader(thing)
	for field, want := range map[string]string{
		"color": `"blue"`, "obj.deep": `{"n":1e2}`, "obj.deep.n": "1e2", "nil": "null", "list": "[1]",
		"nowhere": "", "color.x": "", "nil.x": "", "list.0": "", "a.b": "",
	} {
		for range 2 { // Found once, and remembered.
			if got := string(r.Field(field)); got != want {
				t.Errorf("%s is %q; want %q", field, got, want)
			}
		}
	}
	for field, want := range map[string]struct {
		text         string
		isString, ok bool
	}{
		"color": {"blue", true, true}, "n": {"10", false, true}, "obj.deep.n": {"100", false, true}, "on": {"true", false, true},
		"num": {"10", true, true}, "nil": {"", false, false}, "obj": {"", false, false}, "nowhere": {"", false, false}, "empty": {"", true, true},
	} {
		if text, isString, ok := r.Text(field); ok != want.ok || ok && (text != want.text || isString != want.isString) {
			t.Errorf("the text of %s is %q, %v, %v", field, text, isString, ok)
		}
	}
	if text, ok := r.Prefix("n"); ok {
		t.Errorf("a number has the prefix %q", text)
	}
}
