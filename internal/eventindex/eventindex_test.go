package eventindex_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/eventindex"
)

// What matches an event is in the one partition that the use names for it.
func FuzzFindsWhatMatches(f *testing.F) {
	for _, s := range [][2]string{
		{"blue", `{"f":"blue"}`},
		{"b*", `{"f":"blue"}`},
		{strings.Repeat("é", 40) + "*", `{"f":"` + strings.Repeat("é", 50) + `"}`},
		{">= 1e1", `{"f":10}`},
		{"1e1", `{"f":10.0}`},
		{"*", `[]`},
		{"true", `{"f":true}`},
		{"-0", `{"f":0}`},
	} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, filter, payload string) {
		s, err := sumu.Subscription{EventType: "T", Field: "f", Filter: filter}.Normalize()
		if err != nil || !json.Valid([]byte(payload)) {
			return
		}
		r := sumu.NewEventReader(&sumu.Event{Type: "T", Payload: json.RawMessage(payload)})
		u, where := eventindex.Of(&s)
		if again, ok := eventindex.Parse(u.String()); !ok || again != u {
			t.Errorf("%v is read as %v, %t", u, again, ok)
		}
		text, may := u.Text(r)
		if r.Matches(&s) && (!may || text != where) {
			t.Errorf("%q matches %s, but is looked for at %q, %t, and not at %q", filter, payload, text, may, where)
		}
	})
}

func FuzzParseCursor(f *testing.F) {
	for _, u := range []eventindex.Use{{}, {Kind: sumu.FilterEqual, Field: "a/b"}, {Kind: sumu.FilterPrefix, Prefix: 3, Field: "a.b"}} {
		f.Add(eventindex.Cursor(u, "row\x00"))
	}
	f.Add("")
	f.Add("MA.")
	f.Fuzz(func(t *testing.T, cursor string) {
		u, id, err := eventindex.ParseCursor(cursor)
		switch {
		case err != nil && !errors.Is(err, sumu.ErrInvalid):
			t.Errorf("%q: %v", cursor, err)
		case err == nil && eventindex.Cursor(u, id) != cursor:
			t.Errorf("%q is read as %v %q", cursor, u, id)
		}
	})
}

func TestPartitionsOfAnEventAreFew(t *testing.T) {
	uses := make(map[eventindex.Use]bool)
	for n := 1; n <= sumu.MaxFilter-1; n++ {
		s := sumu.Subscription{EventType: "T", Field: "f", Filter: strings.Repeat("x", n) + "*"}
		u, text := eventindex.Of(&s)
		if len(text) > n || u.Prefix != len(text) {
			t.Errorf("a prefix of %d bytes is found by %d, %q", n, u.Prefix, text)
		}
		uses[u] = true
	}
	if len(uses) > 37 {
		t.Errorf("%d uses of one field", len(uses))
	}
}

func TestParseRefusesWhatIsNoUse(t *testing.T) {
	for _, text := range []string{"", "0/", "1", "1/0/", "2/0/f", "1/1/f", "3/2/f", "01/0/f", "1/00/f", "4/0/f", "-1/0/f", "x/0/f"} {
		if u, ok := eventindex.Parse(text); ok {
			t.Errorf("%q is read as %v", text, u)
		}
	}
}

func TestNormalizedNamesTheOneThatCannotBe(t *testing.T) {
	subs, ids, err := eventindex.Normalized([]sumu.Subscription{
		{EventType: "T", Fields: []string{"b", "a"}}, {EventType: "T"}, {EventType: "T", Fields: []string{"a", "b", "a"}},
	})
	if err != nil || len(subs) != 2 || len(ids) != 2 || ids[0] == ids[1] || len(ids[0]) != eventindex.IDSize {
		t.Errorf("%v, %q, %v", subs, ids, err)
	}
	_, _, err = eventindex.Normalized([]sumu.Subscription{{EventType: "T"}, {}})
	if !errors.Is(err, sumu.ErrInvalid) || !strings.HasPrefix(err.Error(), "subscriptions[1]: ") {
		t.Errorf("%v", err)
	}
}
