package events_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/events"
)

var player = sumu.Grants{{Pattern: "NES*", Verbs: []sumu.Verb{sumu.VerbSubscribe, sumu.VerbPost}}}

func open(o *events.Options) { o.Open = true }

// plainStore has the methods of a Store, and no more.
type plainStore struct{ sumu.Store }

func TestNewReportsEverything(t *testing.T) {
	_, err := events.New(nil, func(o *events.Options) {
		o.MaxPerMessage, o.Burst, o.Rate, o.Open = 1001, 1000, math.NaN(), true
		o.Policy = func(context.Context, sumu.Identity, sumu.Verb, string) error { return nil }
	})
	if !errors.Is(err, sumu.ErrInvalid) {
		t.Fatalf("got %v; want ErrInvalid", err)
	}
	for _, name := range []string{"Store", "MaxPerMessage", "Burst", "Rate is", "Open"} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("the error does not name %s: %v", name, err)
		}
	}
	if _, err := events.New(plainStore{new(memstore.Store)}); !errors.Is(err, sumu.ErrUnsupported) {
		t.Errorf("a store without subscriptions: %v; want ErrUnsupported", err)
	}
	auth := sumu.AuthorizerFunc(func(context.Context, *sumu.ConnectRequest) (sumu.Identity, error) {
		return sumu.Identity{}, nil
	})
	app, err := sumu.NewApp(auth, plainStore{new(memstore.Store)})
	if err != nil {
		t.Fatal(err)
	}
	if err := newWorld(t, nil).feed.Attach(app); !errors.Is(err, sumu.ErrUnsupported) {
		t.Errorf("attached to an App whose store keeps nothing: %v", err)
	}
}

func TestSubscribe(t *testing.T) {
	w := newWorld(t, player)
	a := w.say(`{"action":"subscribe","ref":"7","subscriptions":[
		{"event_type":"NESClick","filter_field":"color","filter_expr":"blue*","desired_fields":["x","color","x"]},
		{"event_type":"NESClick","filter_field":"color","filter_expr":"blue*","desired_fields":["color","x"]},
		{"event_type":"NESReset","filter_field":null,"filter_expr":null,"desired_fields":null,"more":1}]}`)
	if a.Type != "ack" || a.Action != "subscribe" || a.Ref != "7" {
		t.Errorf("answer %+v", a)
	}
	click := `{"event_type":"NESClick","filter_field":"color","filter_expr":"blue*","desired_fields":["color","x"]}`
	if got := w.subs(); !slices.Equal(got, []string{click, `{"event_type":"NESReset"}`}) {
		t.Errorf("subscriptions are %q", got)
	}
	if a := w.subscribe(`[` + click + `]`); a.Type != "ack" || len(w.subs()) != 2 {
		t.Errorf("again: %+v, %q", a, w.subs())
	}
	unsubscribe := `{"action":"unsubscribe","ref":"8","subscriptions":[` + click + `,{"event_type":"never"}]}`
	if a := w.say(unsubscribe); a.Type != "ack" || a.Action != "unsubscribe" || a.Ref != "8" {
		t.Errorf("answer %+v", a)
	}
	if got := w.subs(); !slices.Equal(got, []string{`{"event_type":"NESReset"}`}) {
		t.Errorf("subscriptions are %q", got)
	}
	if err := w.app.Disconnect(t.Context(), w.ann.Connection, sumu.DisconnectReason{}); err != nil || len(w.subs()) != 0 {
		t.Errorf("after the end: %v, %q", err, w.subs())
	}
}

func TestBadSubscriptions(t *testing.T) {
	w := newWorld(t, nil, open)
	many := func(n int) string {
		list := make([]string, n)
		for i := range list {
			list[i] = fmt.Sprintf(`{"event_type":"t%d"}`, i)
		}
		return "[" + strings.Join(list, ",") + "]"
	}
	for what, tt := range map[string]struct{ subs, code, text string }{
		"null":                {`null`, "bad_request", "not a list"},
		"one":                 {`{"event_type":"t"}`, "bad_request", "not a list"},
		"a string":            {`"t"`, "bad_request", "not a list"},
		"empty":               {`[]`, "bad_request", "empty"},
		"of strings":          {`["t"]`, "bad_request", "[0]: it is not an object"},
		"of null":             {`[{"event_type":"t"},null]`, "bad_request", "[1]: it is not an object"},
		"no type":             {`[{"event_type":"t"},{}]`, "bad_request", "[1]: event_type is empty"},
		"half a surrogate":    {`[{"event_type":"\ud800"}]`, "bad_request", "[0]: event_type holds half"},
		"a misspelt field":    {`[{"event_type":"t","filter_feild":"a"}]`, "bad_request", `did you mean "filter_field"`},
		"another filter":      {`[{"event_type":"t","filter":"a"}]`, "bad_request", `unknown member "filter"`},
		"misspelt fields":     {`[{"event_type":"t","desired_field":["a"]}]`, "bad_request", `did you mean "desired_fields"`},
		"fields in camels":    {`[{"event_type":"t","desiredFields":["a"]}]`, "bad_request", `did you mean "desired_fields"`},
		"a field twice":       {`[{"event_type":"t","desired_fields":["a"],"desired_fields":null}]`, "bad_request", "twice"},
		"type is a number":    {`[{"event_type":7}]`, "bad_request", "[0]: event_type"},
		"long type":           {`[{"event_type":"` + strings.Repeat("t", 257) + `"}]`, "bad_request", "event_type has 257"},
		"field is an object":  {`[{"event_type":"t","filter_field":{},"filter_expr":"*"}]`, "bad_request", "filter_field"},
		"field is a number":   {`[{"event_type":"t","filter_field":7,"filter_expr":"*"}]`, "bad_request", "filter_field"},
		"empty part":          {`[{"event_type":"t","filter_field":"a..b","filter_expr":"*"}]`, "bad_request", "filter_field"},
		"deep":                {`[{"event_type":"t","filter_field":"` + strings.Repeat("a.", 16) + `a","filter_expr":"*"}]`, "bad_request", "deep"},
		"field without expr":  {`[{"event_type":"t","filter_field":"a"}]`, "bad_request", "filter_expr"},
		"expr without field":  {`[{"event_type":"t","filter_expr":"a"}]`, "bad_request", "filter_field"},
		"expr is a number":    {`[{"event_type":"t","filter_field":"a","filter_expr":7}]`, "bad_request", "filter_expr"},
		"a slow expr":         {`[{"event_type":"t","filter_field":"a","filter_expr":"` + strings.Repeat("a*", 400) + `"}]`, "bad_request", "filter_expr"},
		"a long expr":         {`[{"event_type":"t","filter_field":"a","filter_expr":"` + strings.Repeat("a", 1025) + `"}]`, "bad_request", "filter_expr"},
		"no number":           {`[{"event_type":"t","filter_field":"a","filter_expr":">= ten"}]`, "bad_request", "number"},
		"fields is a string":  {`[{"event_type":"t","desired_fields":"a"}]`, "bad_request", "desired_fields"},
		"fields are numbers":  {`[{"event_type":"t","desired_fields":[1]}]`, "bad_request", "desired_fields"},
		"no fields":           {`[{"event_type":"t","desired_fields":[]}]`, "bad_request", "desired_fields"},
		"the second is wrong": {`[{"event_type":"t"},{"event_type":""}]`, "bad_request", "[1]"},
		"101":                 {many(101), "limit_exceeded", "101"},
		"as many as fit":      {many(6000), "limit_exceeded", "6000"},
	} {
		for _, action := range []string{"subscribe", "unsubscribe"} {
			a := w.say(`{"action":"` + action + `","subscriptions":` + tt.subs + `}`)
			if a.Type != "error" || a.Action != action || a.Code != tt.code || !strings.Contains(a.Message, tt.text) {
				t.Errorf("%s, %s: %+v; want %s with %q", action, what, a, tt.code, tt.text)
			}
			if len(a.Message) > 200 {
				t.Errorf("%s, %s: the message has %d characters", action, what, len(a.Message))
			}
		}
	}
	if a := w.say(`{"action":"subscribe"}`); a.Code != "bad_request" {
		t.Errorf("without subscriptions: %+v", a)
	}
	if w.store.writes != 0 {
		t.Errorf("%d writes were made", w.store.writes)
	}
	if a := w.subscribe(many(100)); a.Type != "ack" || len(w.subs()) != 100 {
		t.Errorf("100 at once: %+v", a)
	}
}

func TestGrants(t *testing.T) {
	w := newWorld(t, player)
	for subs, code := range map[string]string{
		`[{"event_type":"NESClick"}]`:                       "",
		`[{"event_type":"Other"}]`:                          "forbidden",
		`[{"event_type":"NESReset"},{"event_type":"Else"}]`: "forbidden",
	} {
		if a := w.subscribe(subs); a.Code != code {
			t.Errorf("%s: %+v; want %q", subs, a, code)
		}
	}
	if got := w.subs(); !slices.Equal(got, []string{`{"event_type":"NESClick"}`}) {
		t.Errorf("subscriptions are %q", got)
	}
	if a := newWorld(t, nil).subscribe(`[{"event_type":"NESClick"}]`); a.Code != "forbidden" {
		t.Errorf("without grants: %+v", a)
	}
	w = newWorld(t, player, func(o *events.Options) {
		o.Policy = func(_ context.Context, id sumu.Identity, verb sumu.Verb, eventType string) error {
			if id.UserID == "ann" && verb == sumu.VerbSubscribe && eventType == "Other" {
				return nil
			}
			return &sumu.Error{Op: "not today", Kind: sumu.ErrForbidden}
		}
	})
	if a := w.subscribe(`[{"event_type":"Other"}]`); a.Type != "ack" {
		t.Errorf("policy allows: %+v", a)
	}
	if a := w.subscribe(`[{"event_type":"NESClick"}]`); a.Code != "forbidden" || a.Message != "not today" {
		t.Errorf("policy refuses: %+v", a)
	}
	if a := w.say(`{"action":"unsubscribe","subscriptions":[{"event_type":"NESClick"}]}`); a.Type != "ack" {
		t.Errorf("unsubscribe: %+v", a)
	}
}

func TestLimits(t *testing.T) {
	w := newWorld(t, nil, open, func(o *events.Options) { o.MaxSubscriptions = 2 })
	if a := w.subscribe(`[{"event_type":"a"},{"event_type":"b"},{"event_type":"c"}]`); a.Code != "limit_exceeded" || len(w.subs()) != 0 {
		t.Errorf("three: %+v, %q", a, w.subs())
	}
	if a := w.subscribe(`[{"event_type":"a"},{"event_type":"b"},{"event_type":"a"}]`); a.Type != "ack" || len(w.subs()) != 2 {
		t.Errorf("two, and one of them twice: %+v, %q", a, w.subs())
	}
	w = newWorld(t, nil, open, func(o *events.Options) { o.Rate, o.Burst, o.MaxPerMessage = 1, 3, 3 })
	if a := w.subscribe(`[{"event_type":"a"},{"event_type":"b"}]`); a.Type != "ack" {
		t.Errorf("within the burst: %+v", a)
	}
	if a := w.subscribe(`[{"event_type":"c"},{"event_type":"d"}]`); a.Code != "rate_limited" || len(w.subs()) != 2 {
		t.Errorf("beyond the burst: %+v", a)
	}
	w.now = w.now.Add(time.Second)
	if a := w.subscribe(`[{"event_type":"c"},{"event_type":"d"}]`); a.Type != "ack" {
		t.Errorf("a second later: %+v", a)
	}
}

// A fault of ours is never the client's, and is told without what is inside.
func TestFaults(t *testing.T) {
	for err, code := range map[error]string{
		&sumu.Error{Op: "secret", Kind: sumu.ErrUnavailable}: "unavailable",
		&sumu.Error{Op: "secret", Kind: sumu.ErrForbidden}:   "unavailable",
		&sumu.Error{Op: "secret", Kind: sumu.ErrInvalid}:     "unavailable",
		&sumu.Error{Op: "secret", Kind: sumu.ErrGone}:        "unavailable",
		&sumu.Error{Op: "secret", Kind: sumu.ErrThrottled}:   "rate_limited",
		errors.New("secret"):                                 "unavailable",
	} {
		w := newWorld(t, nil, open)
		w.store.err, w.client.err = err, err
		for _, frame := range []string{
			`{"action":"subscribe","subscriptions":[{"event_type":"t"}]}`,
			`{"action":"unsubscribe","subscriptions":[{"event_type":"t"}]}`,
			`{"action":"submitIotEvent","event":{"MessageType":"t","Message":{}}}`,
		} {
			if a := w.say(frame); a.Code != code || strings.Contains(a.Message, "secret") {
				t.Errorf("%v, %s: %+v; want %s", err, frame, a, code)
			}
		}
	}
}
