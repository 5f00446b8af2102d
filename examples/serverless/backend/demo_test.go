package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
)

// outbox is where notifications go.
type outbox struct{ sent []string }

func (o *outbox) Send(_ context.Context, n sumu.Notification) error {
	text, err := n.MarshalJSON()
	o.sent = append(o.sent, string(text))
	return err
}

func TestDemoAnswers(t *testing.T) {
	store := new(memstore.Store)
	for _, c := range []sumu.Connection{{UserID: "bob", ID: "b1"}, {UserID: "ann", ID: "a1"}, {UserID: "ann", ID: "a2"}} {
		if err := store.Put(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	const device = `"connections":[{"user_id":"ann","connection_id":"a1"}]`
	for _, tt := range []struct{ body, target, data string }{
		{`{"to":"me","text":"hi"}`, device, `{"from":"ann","text":"hi","type":"message"}`},
		{`{"to":"others","text":"hi"}`, `"exclude_users":["ann"]`, `{"from":"ann","text":"hi","type":"message"}`},
		{`{"to":["bob","eve"],"text":"hi"}`, `"users":["bob","eve"]`, `{"from":"ann","text":"hi","type":"message"}`},
		{`{"type":"users"}`, device, `{"type":"users","users":["ann","bob"]}`},
		{`{"to":[],"text":"hi"}`, device, `"type":"error"`}, // Not everyone.
		{`{"to":[""],"text":"hi"}`, device, `"type":"error"`},
		{`{"to":"others","text":"` + strings.Repeat("x", sumu.MaxPayload) + `"}`, device, `"type":"error"`},
		{`{"text":"hi"}`, device, `"type":"error"`},
		{`5`, device, `"type":"error"`},
	} {
		var got []string
		for range 2 { // A message may come twice: the answer has one id.
			out := new(outbox)
			d := demo{client: out, store: store}
			err := d.message(t.Context(), sumu.BackendMessage{ID: "m1", UserID: "ann", ConnectionID: "a1", Body: json.RawMessage(tt.body)})
			if err != nil || len(out.sent) != 1 {
				t.Fatalf("%s: %v, %q", tt.body, err, out.sent)
			}
			got = append(got, out.sent[0])
		}
		if !strings.Contains(got[0], tt.target) || !strings.Contains(got[0], tt.data) || !strings.Contains(got[0], `"id":"answer-m1"`) || got[0] != got[1] {
			t.Errorf("%.60s: sent %q; want %s and %s", tt.body, got, tt.target, tt.data)
		}
	}
}

// brokenStore cannot be read.
type brokenStore struct{ memstore.Store }

var errBroken = errors.New("broken")

func (*brokenStore) All(context.Context, sumu.Segment) iter.Seq2[sumu.Connection, error] {
	return func(yield func(sumu.Connection, error) bool) { yield(sumu.Connection{}, errBroken) }
}

func TestDemoListsWhoIsConnected(t *testing.T) {
	m := sumu.BackendMessage{ID: "m1", UserID: "ann", ConnectionID: "a1", Body: json.RawMessage(`{"type":"users"}`)}
	if err := (demo{client: new(outbox), store: new(brokenStore)}).message(t.Context(), m); !errors.Is(err, errBroken) {
		t.Errorf("a store that fails: %v; the message must come again", err)
	}
	store, out := new(memstore.Store), new(outbox)
	for i := range maxListed + 10 {
		if err := store.Put(t.Context(), sumu.Connection{UserID: fmt.Sprintf("user-%04d", i), ID: "c"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := (demo{client: out, store: store}).message(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(out.sent[0], "user-"); got != maxListed {
		t.Errorf("%d users are listed, want %d", got, maxListed)
	}
}
