package sumu_test

import (
	"strings"
	"testing"

	"github.com/sumu-live/sumu"
)

// oddText is what no name may hold: a queue refuses it, it hides what a name is,
// or two names look like one.
var oddText = map[string]string{
	"NUL":                       "an\x00n",
	"tab":                       "an\tn",
	"line feed":                 "an\nn",
	"carriage return":           "an\rn",
	"escape":                    "an\x1b[31mn",
	"last of C0":                "an\x1fn",
	"DEL":                       "an\x7fn",
	"first of C1":               "an\u0080n",
	"next line":                 "an\u0085n",
	"last of C1":                "an\u009fn",
	"line separator":            "an\u2028n",
	"paragraph separator":       "an\u2029n",
	"Arabic letter mark":        "an\u061cn",
	"left-to-right mark":        "an\u200en",
	"right-to-left mark":        "an\u200fn",
	"left-to-right embedding":   "an\u202an",
	"pop directional format":    "an\u202cn",
	"right-to-left override":    "an\u202en",
	"left-to-right isolate":     "an\u2066n",
	"pop directional isolate":   "an\u2069n",
	"noncharacter U+FFFE":       "an\ufffen",
	"noncharacter U+FFFF":       "an\uffffn",
	"noncharacter U+FDD0":       "an\ufdd0n",
	"noncharacter U+FDEF":       "an\ufdefn",
	"noncharacter U+1FFFE":      "an\U0001fffen",
	"noncharacter U+10FFFF":     "an\U0010ffffn",
	"what could not be read":    "an\ufffdn",
	"not UTF-8":                 "an\xffn",
	"cut":                       "ann\xc3",
	"overlong":                  "an\xc0\x80n",
	"surrogate":                 "an\xed\xa0\x80n",
	"space before":              " ann",
	"space behind":              "ann ",
	"no-break space before":     "\u00a0ann",
	"no-break space behind":     "ann\u00a0",
	"ideographic space behind":  "ann\u3000",
	"en quad before":            "\u2000ann",
	"narrow no-break space":     "ann\u202f",
	"mathematical space behind": "ann\u205f",
	"Ogham space before":        "\u1680ann",
	"byte order mark before":    "\ufeffann",
	"byte order mark behind":    "ann\ufeff",
	"a space":                   " ",
}

// soundText is what a user id may be.
var soundText = []string{
	"ann", "auth0|507f1f77bcf86cd799439011", "ann@example.com", "Ann Lee", "änn", "アン", "ann\u00a0lee", "😀", "\U0001f468\u200d\U0001f469",
	"می\u200cخواهم", "<&>\"'\\", `ann"},"x":{"y":"`, "{ann}", "*", "-", "~", "\u00a1", "\ufffc", "\U0010fffd", strings.Repeat("u", sumu.MaxUserID),
}

// Whatever the Authorizer is, a user whose id no queue would take, or that looks
// like another's, does not connect: nobody could ever be told of it.
func TestConnectRefusesOddUserIDs(t *testing.T) {
	for name, user := range oddText {
		store := new(fakeStore)
		s, err := newApp(t, letIn(sumu.Identity{UserID: user}), store).Connect(t.Context(), &sumu.ConnectRequest{ConnectionID: "c1"})
		wantKind(t, err, sumu.ErrUnauthorized)
		if len(store.puts) > 0 || s.Connection.ID != "" {
			t.Errorf("%s: %q is connected", name, user)
		}
		if err != nil && (user != " " && strings.Contains(err.Error(), user) || len(err.Error()) > 200) {
			t.Errorf("%s: the error shows the user id, or is long: %v", name, err)
		}
	}
	for _, user := range soundText {
		store := new(fakeStore)
		if _, err := newApp(t, letIn(sumu.Identity{UserID: user}), store).Connect(t.Context(), &sumu.ConnectRequest{ConnectionID: "c1"}); err != nil || len(store.puts) != 1 {
			t.Errorf("%.40q: %v", user, err)
		}
	}
}

// A connection's id travels as the user's does. Transports make it.
func TestConnectRefusesOddConnectionIDs(t *testing.T) {
	for name, id := range oddText {
		store := new(fakeStore)
		if _, err := newApp(t, letIn(sumu.Identity{UserID: "ann"}), store).Connect(t.Context(), &sumu.ConnectRequest{ConnectionID: id}); err == nil || len(store.puts) > 0 {
			t.Errorf("%s: %q is connected", name, id)
		}
	}
}

// A claim is text, and may have lines; what is no text would arrive as another.
func TestConnectRefusesClaimsThatAreNoText(t *testing.T) {
	for name, claims := range map[string]map[string]string{
		"name": {"org\xff": "a"}, "value": {"org": "a\xff"},
	} {
		_, err := newApp(t, letIn(sumu.Identity{UserID: "ann", Claims: claims}), new(fakeStore)).Connect(t.Context(), &sumu.ConnectRequest{ConnectionID: "c1"})
		if err == nil || strings.Contains(err.Error(), "\xff") {
			t.Errorf("%s: %v", name, err)
		}
	}
	claims := map[string]string{"about": "a\nb\t\u202e\ufffd", "": ""}
	if _, err := newApp(t, letIn(sumu.Identity{UserID: "ann", Claims: claims}), new(fakeStore)).Connect(t.Context(), &sumu.ConnectRequest{ConnectionID: "c1"}); err != nil {
		t.Error(err)
	}
}

func TestChannelsHaveNoOddNames(t *testing.T) {
	for name, text := range oddText {
		wantKind(t, sumu.ValidateChannel(text), sumu.ErrInvalid)
		g := sumu.Grants{{Pattern: text, Verbs: []sumu.Verb{sumu.VerbJoin}}}
		if err := g.Validate(); err == nil {
			t.Errorf("%s: a grant for %q", name, text)
		}
	}
}
