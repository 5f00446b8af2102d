package storetest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sumu-live/sumu"
)

func (e *env) subscriptions() sumu.SubscriptionStore { return power[sumu.SubscriptionStore](e) }

// to is a subscription to all events of a type, or with a field and a filter to
// some of them.
func to(eventType string, filter ...string) sumu.Subscription {
	s := sumu.Subscription{EventType: eventType}
	if len(filter) == 2 {
		s.Field, s.Filter = filter[0], filter[1]
	}
	return s
}

func event(eventType, payload string) *sumu.EventReader {
	return sumu.NewEventReader(&sumu.Event{Type: eventType, Payload: json.RawMessage(payload)})
}

func (e *env) subscribe(c sumu.Connection, subs ...sumu.Subscription) {
	e.Helper()
	if err := e.subscriptions().Subscribe(e.ctx, c, 0, subs...); err != nil {
		e.Fatalf("Subscribe: %v", err)
	}
}

func (e *env) unsubscribe(ref sumu.ConnectionRef, subs ...sumu.Subscription) {
	e.Helper()
	if err := e.subscriptions().Unsubscribe(e.ctx, ref, subs...); err != nil {
		e.Fatalf("Unsubscribe: %v", err)
	}
}

// subscriberName is a connection and its subscription as text.
func subscriberName(ref sumu.ConnectionRef, s sumu.Subscription) string {
	text, _ := json.Marshal(s)
	return name(ref) + " " + string(text)
}

// wants is what a connection should be yielded for.
type wants map[string]bool

func want(c sumu.Connection, subs ...sumu.Subscription) wants {
	w := make(wants)
	for _, s := range subs {
		w[subscriberName(c.Ref(), s)] = true
	}
	return w
}

func (w wants) and(c sumu.Connection, subs ...sumu.Subscription) wants {
	for _, s := range subs {
		w[subscriberName(c.Ref(), s)] = true
	}
	return w
}

// wantSubscribers fails unless Subscribers yields these, each exactly once, and
// no others.
func (e *env) wantSubscribers(eventType, payload string, want wants) {
	e.Helper()
	e.hold(func() error {
		seen := make(wants)
		for s, err := range e.subscriptions().Subscribers(e.ctx, event(eventType, payload), "") {
			if err != nil {
				return fmt.Errorf("subscribers of %s %s: %w", eventType, payload, err)
			}
			id := subscriberName(s.Connection.Ref(), s.Subscription)
			switch {
			case seen[id]:
				return fmt.Errorf("subscribers of %s %s: %s comes twice", eventType, payload, id)
			case !want[id]:
				return fmt.Errorf("subscribers of %s %s: %s comes, which is not wanted", eventType, payload, id)
			}
			seen[id] = true
		}
		for id := range want {
			if !seen[id] {
				return fmt.Errorf("subscribers of %s %s: %s does not come", eventType, payload, id)
			}
		}
		return nil
	})
}

// wantSubscriptions fails unless Subscriptions yields these, in any order.
func (e *env) wantSubscriptions(c sumu.Connection, subs ...sumu.Subscription) {
	e.Helper()
	missing := want(c, subs...)
	n := len(missing)
	got, err := collect(e.subscriptions().Subscriptions(e.ctx, c.Ref()))
	for _, s := range got {
		delete(missing, subscriberName(c.Ref(), s))
	}
	if err != nil || len(got) != n || len(missing) > 0 {
		e.Errorf("Subscriptions of %s: %+v, %v, want %+v", name(c.Ref()), got, err, subs)
	}
}

var subscriptionCases = []testCase{
	{"Who subscribed gets the events of the type, with what a sender needs", func(e *env) {
		a, b := e.conn("u1", "c1"), e.conn("u2", "c1")
		b.Endpoint, b.ConnectedAt, b.DeleteAt = "", time.Time{}, time.Time{}
		e.put(a, b)
		e.wantSubscribers("NESClick", `{}`, nil)
		s := sumu.Subscription{EventType: "NESClick", Fields: []string{"b", "a.c"}}
		e.subscribe(a, s)
		e.subscribe(b, to("NESClick"))
		s.Fields = []string{"a.c", "b"}
		e.wantSubscribers("NESClick", `{"x":1}`, want(a, s).and(b, to("NESClick")))
		e.wantSubscribers("NESClick", `null`, want(a, s).and(b, to("NESClick")))
		e.wantSubscribers("nesclick", `{}`, nil)
		e.wantSubscribers("NES", `{}`, nil)
		e.wantSubscriptions(a, s)
		e.wantSubscriptions(b, to("NESClick"))
		e.wantSubscriptions(e.conn("u1", "c2"))
		for s, err := range e.subscriptions().Subscribers(e.ctx, event("NESClick", `{}`), "") {
			if err != nil {
				e.Fatalf("Subscribers: %v", err)
			}
			row := a
			if s.Connection.UserID == b.UserID {
				row = b
			}
			row.AuthExpiresAt = time.Time{}
			if diff := difference(s.Connection, row); diff != "" {
				e.Errorf("Subscribers: %s", diff)
			}
		}
	}},

	{"A subscription that differs in anything is another, and an equal one the same", func(e *env) {
		a := e.conn("u1", "c1")
		e.put(a)
		subs := []sumu.Subscription{
			to("T"), to("T", "f", "*"), to("T", "f", "1"), to("T", "f", "1*"), to("T", "g", "1"), to("T", "f", ">= 1"),
			{EventType: "T", Fields: []string{"f"}},
			{EventType: "T", Field: "f", Filter: "1", Fields: []string{"f"}},
		}
		for range 2 {
			e.subscribe(a, subs...)
			e.subscribe(a, subs[0], subs[0], subs[3])
			e.subscribe(a, sumu.Subscription{EventType: "T", Fields: []string{"f", "f"}})
		}
		e.wantSubscriptions(a, subs...)
		e.wantSubscribers("T", `{"f":1,"g":1}`, want(a, subs[0], subs[1], subs[2], subs[4], subs[5], subs[6], subs[7]))
		e.unsubscribe(a.Ref(), subs[2], subs[6])
		e.wantSubscriptions(a, subs[0], subs[1], subs[3], subs[4], subs[5], subs[7])
		e.wantSubscribers("T", `{"f":1,"g":1}`, want(a, subs[0], subs[1], subs[4], subs[5], subs[7]))
	}},

	{"Unsubscribe removes what it names, and one that never was is no error", func(e *env) {
		a, b := e.conn("u1", "c1"), e.conn("u1", "c2")
		e.put(a, b)
		e.unsubscribe(a.Ref(), to("T"))
		e.unsubscribe(sumu.ConnectionRef{UserID: "nobody", ConnectionID: "c1"}, to("T"))
		e.unsubscribe(a.Ref())
		e.subscribe(a, to("T"), to("U"))
		e.subscribe(b, to("T"))
		for range 2 {
			e.unsubscribe(a.Ref(), to("T"))
			e.wantSubscribers("T", `1`, want(b, to("T")))
			e.wantSubscribers("U", `1`, want(a, to("U")))
			e.wantSubscriptions(a, to("U"))
		}
		e.subscribe(a, to("T"))
		e.wantSubscribers("T", `1`, want(a, to("T")).and(b, to("T")))
	}},

	{"An event finds every subscription that matches it, and no other", func(e *env) {
		a, b := e.conn("u1", "c1"), e.conn("u2", "c1")
		e.put(a, b)
		var subs []sumu.Subscription
		for _, filter := range filters {
			subs = append(subs, to("T", "f", filter), to("T", "a.b", filter), to("U", "f", filter))
		}
		subs = append(subs, to("T"), to("U"))
		e.subscribe(a, subs...)
		e.subscribe(b, subs[:len(subs)/2]...)
		for _, value := range values {
			for _, payload := range []string{`{"f":` + value + `}`, `{"a":{"b":` + value + `},"f":{}}`, value} {
				r, matching := event("T", payload), make(wants)
				for i, s := range subs {
					if r.Matches(&s) {
						matching.and(a, s)
						if i < len(subs)/2 {
							matching.and(b, s)
						}
					}
				}
				e.wantSubscribers("T", payload, matching)
			}
		}
	}},

	{"Subscribe without a live row is ErrGone and leaves nothing behind", func(e *env) {
		absent, past := e.conn("u1", "c1"), e.expired("u2", "c1")
		e.put(past)
		for _, c := range []sumu.Connection{absent, past} {
			c.DeleteAt = e.f.Now().Add(time.Hour) // The row decides.
			e.wantKind("Subscribe", e.subscriptions().Subscribe(e.ctx, c, 0, to("T"), to("U")), sumu.ErrGone)
			e.wantSubscriptions(c)
		}
		e.wantSubscribers("T", `{}`, nil)
		e.put(absent)
		e.wantSubscribers("T", `{}`, nil)
		e.wantSubscriptions(absent)
	}},

	{"Subscribe above the limit is ErrLimit and leaves nothing behind", func(e *env) {
		a, b := e.conn("u1", "c1"), e.conn("u1", "c2")
		e.put(a, b)
		s := e.subscriptions()
		if err := s.Subscribe(e.ctx, a, 1); err != nil {
			e.Errorf("Subscribe of nothing: %v", err)
		}
		e.subscribe(a, to("T1"), to("T2"))
		e.wantKind("Subscribe of a 4th", s.Subscribe(e.ctx, a, 3, to("T3"), to("T4")), sumu.ErrLimit)
		e.wantKind("Subscribe of a 3rd", s.Subscribe(e.ctx, a, 2, to("T1"), to("T3")), sumu.ErrLimit)
		e.wantSubscriptions(a, to("T1"), to("T2"))
		e.wantSubscribers("T3", `{}`, nil)
		e.wantSubscribers("T1", `{}`, want(a, to("T1")))
		// What it has already is within the limit, and so is what is asked for twice.
		for most := -1; most <= 3; most++ {
			if err := s.Subscribe(e.ctx, a, most, to("T2"), to("T1"), to("T2")); err != nil {
				e.Errorf("Subscribe again, at most %d: %v", most, err)
			}
		}
		if err := s.Subscribe(e.ctx, b, 2, to("T1"), to("T9"), to("T1")); err != nil {
			e.Errorf("Subscribe of another connection: %v", err)
		}
		e.unsubscribe(a.Ref(), to("T2"))
		if err := s.Subscribe(e.ctx, a, 2, to("T3")); err != nil {
			e.Errorf("Subscribe after Unsubscribe has made room: %v", err)
		}
		e.wantSubscriptions(a, to("T1"), to("T3"))
	}},

	{"A subscription or a reference that cannot be is ErrInvalid, and nothing is added", func(e *env) {
		a := e.conn("u1", "c1")
		e.put(a)
		s := e.subscriptions()
		for _, bad := range badSubscriptions {
			what := fmt.Sprintf(" of %+v", bad)
			e.wantKind("Subscribe"+what, s.Subscribe(e.ctx, a, 0, to("T"), bad), sumu.ErrInvalid)
			e.wantKind("Unsubscribe"+what, s.Unsubscribe(e.ctx, a.Ref(), bad), sumu.ErrInvalid)
		}
		for _, ref := range badRefs {
			what := " of " + name(ref)
			e.wantKind("Subscribe"+what, s.Subscribe(e.ctx, e.conn(ref.UserID, ref.ConnectionID), 0, to("T")), sumu.ErrInvalid)
			e.wantKind("Unsubscribe"+what, s.Unsubscribe(e.ctx, ref, to("T")), sumu.ErrInvalid)
			e.wantOneError("Subscriptions"+what, count(s.Subscriptions(e.ctx, ref)), sumu.ErrInvalid)
		}
		e.wantSubscriptions(a)
		e.wantSubscribers("T", `{}`, nil)
	}},
}

var longText = strings.Repeat("abcdefgh", 128) // 1,024 bytes

// filters and values are what stores could take for each other.
var filters = slices.Concat([]string{
	"*", "1", "1.0", "10", "1e1", "true", "false", "null", "blue", "Blue", "blue*", "b*", "bl*", "blue1*", "ü*", "\xc3\xbc", " ", " *",
	">= 1", "> 1", "<10", "<= 10", ">-1e3", "< 0.5", "-0", "0", "12345678901234567890", "{}", "a/b", "a\x00b", "/", "1*",
}, prefixes(31, 32, 33, 63, 64, 65, 127, 128, 129, 1000, 1023), []string{longText})

func prefixes(lengths ...int) (filters []string) {
	for _, n := range lengths {
		filters = append(filters, longText[:n]+"*", longText[:n-1]+"x*")
	}
	return filters
}

var values = []string{
	`1`, `1.0`, `10`, `1e1`, `-0`, `0`, `-1`, `true`, `false`, `null`, `"true"`, `"1"`, `"1.0"`, `"10"`, `"blue"`, `"Blue"`, `"blue1"`,
	`"b"`, `""`, `" "`, `"ü"`, `"üb"`, `"\u00fc"`, `"a\u0000b"`, `"a/b"`, `"/"`, `{}`, `[1]`, `{"b":1}`, `12345678901234567890`,
	`12345678901234567891`, `1e999`, `"` + longText + `"`, `"` + longText[:32] + `"`, `"` + longText[:64] + `xyz"`, `"` + longText + `x"`,
}

var badSubscriptions = []sumu.Subscription{
	{},
	to(""), to("a\nb"), to("\xff"), to(strings.Repeat("t", sumu.MaxEventType+1)),
	{EventType: "T", Field: "f"},
	{EventType: "T", Filter: "1"},
	to("T", "f..g", "1"), to("T", ".", "1"), to("T", strings.Repeat("f", sumu.MaxField+1), "1"),
	to("T", "f", "a*b"), to("T", "f", "**"), to("T", "f", "> x"), to("T", "f", ">"), to("T", "f", strings.Repeat("x", sumu.MaxFilter+1)),
	{EventType: "T", Fields: []string{}},
	{EventType: "T", Fields: []string{""}},
	{EventType: "T", Fields: slices.Repeat([]string{"f"}, sumu.MaxDesiredFields+1)},
}
