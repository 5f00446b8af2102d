package sumu_test

import (
	"context"
	"reflect"
	"strings"
	"testing"

	"github.com/sumu-live/sumu"
)

func TestGrantsAllow(t *testing.T) {
	grants := sumu.Grants{
		{Pattern: "room.42", Verbs: []sumu.Verb{sumu.VerbJoin, sumu.VerbPost}},
		{Pattern: "org.acme.*", Verbs: []sumu.Verb{sumu.VerbJoin}},
		{Pattern: "", Verbs: []sumu.Verb{sumu.VerbSubscribe}},
	}
	for _, tc := range []struct {
		verb sumu.Verb
		name string
		want bool
	}{
		{sumu.VerbJoin, "room.42", true},
		{sumu.VerbPost, "room.42", true},
		{sumu.VerbSubscribe, "room.42", false},
		{sumu.VerbJoin, "room.421", false},
		{sumu.VerbJoin, "room.4", false},
		{sumu.VerbJoin, "", false},
		{sumu.VerbJoin, "org.acme.a", true},
		{sumu.VerbJoin, "org.acme.a.b", true},
		{sumu.VerbJoin, "org.acme.", false},
		{sumu.VerbJoin, "org.acmeX", false},
		{sumu.VerbPost, "org.acme.a", false},
		{sumu.VerbSubscribe, "", false},
		{sumu.VerbBackend, "publish", true},
	} {
		if got := grants.Allow(tc.verb, tc.name); got != tc.want {
			t.Errorf("Allow(%s, %q) = %t, want %t", tc.verb, tc.name, got, tc.want)
		}
	}
	all := sumu.Grants{{Pattern: "*", Verbs: []sumu.Verb{sumu.VerbPost}}}
	if !all.Allow(sumu.VerbPost, "x") || all.Allow(sumu.VerbPost, "") || all.Allow(sumu.VerbJoin, "x") {
		t.Error(`"*" does not match every name, or more than that`)
	}
}

func TestBackendIsAllowedUntilItIsGranted(t *testing.T) {
	for _, tc := range []struct {
		grants        sumu.Grants
		publish, send bool
	}{
		{nil, true, true},
		{sumu.Grants{{Pattern: "publish", Verbs: []sumu.Verb{sumu.VerbBackend}}}, true, false},
		{sumu.Grants{{Pattern: "", Verbs: []sumu.Verb{sumu.VerbBackend}}}, false, false},
	} {
		if p, s := tc.grants.Allow(sumu.VerbBackend, "publish"), tc.grants.Allow(sumu.VerbBackend, "send"); p != tc.publish || s != tc.send {
			t.Errorf("%v: publish %t, send %t; want %t, %t", tc.grants, p, s, tc.publish, tc.send)
		}
	}
}

func TestToBackendChecksTheGrant(t *testing.T) {
	reached := 0
	app := newMessageApp(t)
	app.Handle("publish", sumu.ToBackend("apigw.route.publish", func(context.Context, sumu.BackendMessage) error {
		reached++
		return nil
	}))
	m := sumu.Message{Body: []byte(`{"action":"publish","message":1}`)}
	m.Identity.Grants = sumu.Grants{{Pattern: "send", Verbs: []sumu.Verb{sumu.VerbBackend}}}
	wantJSON(t, app.Message(t.Context(), m),
		`{"type":"error","action":"publish","code":"forbidden","message":"your token does not allow this action"}`)
	if reached != 0 {
		t.Error("the backend was reached")
	}
	m.Identity.Grants = nil
	app.Message(t.Context(), m)
	if reached != 1 {
		t.Error("the backend was not reached")
	}
}

func TestGrantsText(t *testing.T) {
	for _, g := range []sumu.Grants{
		nil,
		{{Pattern: "room.42.*", Verbs: []sumu.Verb{sumu.VerbJoin, sumu.VerbPost}}, {Pattern: "", Verbs: []sumu.Verb{sumu.VerbBackend}}},
		{{Pattern: "a:b,c", Verbs: []sumu.Verb{sumu.VerbSubscribe}}},
	} {
		text, err := g.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		var back sumu.Grants
		if err := back.UnmarshalText(text); err != nil || !reflect.DeepEqual(back, g) {
			t.Errorf("%q was read as %v, %v; want %v", text, back, err, g)
		}
	}
	for _, g := range []sumu.Grants{
		{{Pattern: "a b", Verbs: []sumu.Verb{sumu.VerbJoin}}},
		{{Pattern: "a*b", Verbs: []sumu.Verb{sumu.VerbJoin}}},
		{{Pattern: "**", Verbs: []sumu.Verb{sumu.VerbJoin}}},
		{{Pattern: "a\n", Verbs: []sumu.Verb{sumu.VerbJoin}}},
		{{Pattern: "a\xff", Verbs: []sumu.Verb{sumu.VerbJoin}}},
		{{Pattern: "a", Verbs: nil}},
		{{Pattern: "a", Verbs: []sumu.Verb{"fly"}}},
	} {
		_, err := g.MarshalText()
		wantKind(t, err, sumu.ErrInvalid)
	}
	for _, text := range []string{" ", "join", "join:a  post:b", ":a", "fly:a", "join,:a", "join:a b"} {
		back := sumu.Grants{{Pattern: "kept", Verbs: []sumu.Verb{sumu.VerbJoin}}}
		wantKind(t, back.UnmarshalText([]byte(text)), sumu.ErrInvalid)
		if len(back) != 1 {
			t.Errorf("%q changed the grants", text)
		}
	}
}

// FuzzGrants: what is read is valid, and comes back as it was.
func FuzzGrants(f *testing.F) {
	for _, seed := range []string{"", "join,post:room.42.* backend:", "join:*", "post:a:b", " ", "join:a*b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var g sumu.Grants
		if g.UnmarshalText([]byte(text)) != nil {
			return
		}
		back, err := g.MarshalText()
		if err != nil || string(back) != text {
			t.Fatalf("%q became %q, %v", text, back, err)
		}
		if strings.Count(text, "*") > len(g) {
			t.Fatalf("%q has a * in the middle", text)
		}
	})
}
