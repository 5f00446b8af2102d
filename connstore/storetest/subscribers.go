package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/sumu-live/sumu"
)

// subscribers returns those of an event behind a cursor.
func (e *env) subscribers(eventType, payload, after string) (all []sumu.Subscriber) {
	e.Helper()
	all, err := collect(e.subscriptions().Subscribers(e.ctx, event(eventType, payload), after))
	if err != nil {
		e.Fatalf("Subscribers: %v", err)
	}
	return all
}

// names returns subscribers as text, in their order.
func names(all []sumu.Subscriber) (names []string) {
	for _, s := range all {
		names = append(names, subscriberName(s.Connection.Ref(), s.Subscription))
	}
	return names
}

func sameNames(got, want []string) error {
	if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
		return fmt.Errorf("subscribers are\n%s\nwant\n%s", g, w)
	}
	return nil
}

// someSubs match the event of someEvent, by every kind of filter.
var someSubs = []sumu.Subscription{
	to("T"), to("T", "f", "*"), to("T", "f", "blue"), to("T", "f", "b*"), to("T", "f", "bl*"), to("T", "n", "> 1"),
	to("T", "n", "2"), to("T", "n", "< 3"), to("T", "f/g", "x"), to("T", "f.g", "*"),
}

const someEvent = `{"f":"blue","n":2,"f/g":"x"}`

var subscriberCases = []testCase{
	{"Subscribers of more than a page come exactly once", func(e *env) {
		conns := e.crowd("guest", e.f.crowd)
		e.put(conns...)
		s := to("T", "f", "x")
		err := parallel(len(conns), func(i int) error {
			return e.subscriptions().Subscribe(e.ctx, conns[i], 0, s)
		})
		if err != nil {
			e.Fatalf("Subscribe: %v", err)
		}
		all := make(wants)
		for _, c := range conns {
			all.and(c, s)
		}
		e.wantSubscribers("T", `{"f":"x"}`, all)
		e.wantSubscribers("T", `{"f":"y"}`, nil)
	}},

	{"Subscribers resume behind any cursor, also of one who has unsubscribed", func(e *env) {
		conns := e.crowd("u1", 4)
		e.put(conns...)
		for _, c := range conns {
			e.subscribe(c, someSubs...)
		}
		all := want(conns[0], someSubs...)
		for _, c := range conns {
			all.and(c, someSubs...)
		}
		e.wantSubscribers("T", someEvent, all)
		order := e.subscribers("T", someEvent, "")
		for i, s := range order {
			if err := sameNames(names(e.subscribers("T", someEvent, s.Cursor)), names(order[i+1:])); err != nil {
				e.Fatalf("after subscriber %d: %v", i, err)
			}
		}
		for i, s := range order {
			e.unsubscribe(s.Connection.Ref(), s.Subscription)
			e.hold(func() error {
				return sameNames(names(e.subscribers("T", someEvent, s.Cursor)), names(order[i+1:]))
			})
		}
		e.wantSubscribers("T", someEvent, nil)
	}},

	{"A cursor of subscribers is text that JSON leaves as it is, and one that cannot be is ErrInvalid", func(e *env) {
		a := e.conn("ü\u2028", "<\x00>")
		e.put(a)
		e.subscribe(a, to("T", "<ü>", "\u2028*"), to("T"))
		for _, s := range e.subscribers("T", "{\"<ü>\":\"\u2028\"}", "") {
			if s.Cursor == "" || strings.ContainsFunc(s.Cursor, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }) {
				e.Errorf("the cursor is %q", s.Cursor)
			}
		}
		for _, cursor := range badCursors {
			o := count(e.subscriptions().Subscribers(e.ctx, event("T", `{}`), cursor))
			e.wantOneError(fmt.Sprintf("Subscribers after %q", cursor), o, sumu.ErrInvalid)
		}
	}},

	{"The loop over subscribers may call the store", func(e *env) {
		conns := e.crowd("u1", 20)
		e.put(conns...)
		for _, c := range conns {
			e.subscribe(c, to("T"), to("T", "f", "1"))
		}
		n := 0
		for s, err := range e.subscriptions().Subscribers(e.ctx, event("T", `{"f":1}`), "") {
			if err != nil {
				e.Fatalf("Subscribers: %v", err)
			}
			n++
			e.unsubscribe(s.Connection.Ref(), s.Subscription)
		}
		if n != 2*len(conns) {
			e.Errorf("%d subscribers are yielded, want %d", n, 2*len(conns))
		}
		e.wantSubscribers("T", `{"f":1}`, nil)
	}},

	{"Calls about subscriptions with a cancelled context fail with its error", func(e *env) {
		a := e.conn("u1", "c1")
		e.put(a)
		e.subscribe(a, to("T"))
		ctx, cancel := context.WithCancel(e.ctx)
		cancel()
		s := e.subscriptions()
		e.wantKind("Subscribe", s.Subscribe(ctx, a, 0, to("U")), context.Canceled)
		e.wantKind("Unsubscribe", s.Unsubscribe(ctx, a.Ref(), to("T")), context.Canceled)
		e.wantOneError("Subscriptions", count(s.Subscriptions(ctx, a.Ref())), context.Canceled)
		e.wantOneError("Subscribers", count(s.Subscribers(ctx, event("T", `{}`), "")), context.Canceled)
		e.wantSubscriptions(a, to("T"))
	}},

	{"Subscriptions end with the row, however it ends", func(e *env) {
		stays := e.conn("stays", "c1")
		e.put(stays)
		e.subscribe(stays, to("T"))
		for how, end := range e.ends() {
			c := e.conn("u-"+how, "c1")
			e.put(c)
			e.subscribe(c, to("T"), to("T", "f", "b*"))
			e.wantSubscribers("T", `{"f":"b"}`, want(stays, to("T")).and(c, to("T"), to("T", "f", "b*")))
			end(c)
			e.forgetGone(c.Ref(), true)
			e.wantSubscribers("T", `{"f":"b"}`, want(stays, to("T")))
			e.wantSubscriptions(c)
			e.put(c) // Nor do they come back with it.
			e.wantSubscribers("T", `{"f":"b"}`, want(stays, to("T")))
			e.wantSubscriptions(c)
		}
	}},

	{"Of subscriptions at the same time no more succeed than the limit allows", func(e *env) {
		for round := range max(e.f.rounds/10, 3) {
			c := e.conn(fmt.Sprint("u", round), "c1")
			e.put(c)
			const most, tries = 4, 8
			var wg sync.WaitGroup
			var mu sync.Mutex
			subscribed := make(wants)
			for i := range tries {
				wg.Go(func() {
					subs := []sumu.Subscription{to(fmt.Sprint("T", i)), to(fmt.Sprint("U", i))}
					err := e.subscriptions().Subscribe(e.ctx, c, most, subs...)
					mu.Lock()
					defer mu.Unlock()
					switch {
					case err == nil:
						subscribed.and(c, subs...)
					case !errors.Is(err, sumu.ErrLimit):
						e.Errorf("Subscribe: %v, want ErrLimit", err)
					}
				})
			}
			wg.Wait()
			got, err := collect(e.subscriptions().Subscriptions(e.ctx, c.Ref()))
			if err != nil || len(got) > most || len(got) != len(subscribed) {
				e.Fatalf("it has %d subscriptions, %v; %d were added, at most %d may", len(got), err, len(subscribed), most)
			}
			for _, s := range got {
				if !subscribed[subscriberName(c.Ref(), s)] {
					e.Errorf("it has %v, which was refused", s)
				}
			}
		}
	}},

	{"A subscription that meets the end of the connection leaves nothing behind", func(e *env) {
		for round := range e.f.rounds {
			c := e.conn(fmt.Sprint("u", round), "c1")
			e.put(c)
			race(round, func() {
				err := e.subscriptions().Subscribe(e.ctx, c, 0, to("T"), to("T", "f", "1"))
				if err != nil && !errors.Is(err, sumu.ErrGone) {
					e.Errorf("Subscribe: %v", err)
				}
			}, func() {
				if err := e.store.Delete(e.ctx, c.Ref()); err != nil {
					e.Errorf("Delete: %v", err)
				}
				e.forgetGone(c.Ref(), true)
			})
			e.wantSubscriptions(c)
			e.wantSubscribers("T", `{"f":1}`, nil)
		}
	}},
}

var advanceSubscriptionCases = []testCase{
	{"A subscription is absent from the row's DeleteAt on", func(e *env) {
		now := e.f.Now().Truncate(time.Second)
		a, b := e.conn("u1", "c1"), e.conn("u2", "c1")
		a.DeleteAt = now.Add(time.Hour)
		e.put(a, b)
		e.subscribe(a, to("T"))
		e.subscribe(b, to("T"))
		e.f.Advance(now.Add(time.Hour - time.Second).Sub(e.f.Now()))
		e.wantSubscribers("T", `{}`, want(a, to("T")).and(b, to("T")))
		e.f.Advance(time.Second)
		e.wantSubscribers("T", `{}`, want(b, to("T")))
		e.wantSubscriptions(a)
		e.forgetGone(a.Ref(), true)
		a.DeleteAt = now.Add(3 * time.Hour)
		e.put(a)
		e.wantSubscribers("T", `{}`, want(b, to("T")))
		if err := e.subscriptions().Subscribe(e.ctx, a, 1, to("T")); err != nil {
			e.Errorf("Subscribe: %v", err)
		}
		e.wantSubscribers("T", `{}`, want(a, to("T")).and(b, to("T")))
	}},
}

var advanceTouchSubscriptionCases = []testCase{
	{"A subscription that is prolonged with its row lasts as long, be it months", func(e *env) {
		a := e.conn("u1", "c1")
		e.put(a)
		subs := []sumu.Subscription{to("T"), to("T", "f", "1"), to("T", "f", "b*"), to("U", "f", "> 1")}
		e.subscribe(a, subs...)
		for range 40 {
			e.f.Advance(40 * time.Hour)
			a.DeleteAt = e.f.Now().Add(48 * time.Hour).Truncate(time.Second)
			if err := power[sumu.Toucher](e).Touch(e.ctx, a.Ref(), a.DeleteAt); err != nil {
				e.Fatalf("Touch: %v", err)
			}
			if err := e.subscriptions().Prolong(e.ctx, a.Ref(), a.DeleteAt); err != nil {
				e.Fatalf("Prolong: %v", err)
			}
		}
		e.f.Advance(40 * time.Hour)
		e.wantSubscribers("T", `{"f":1}`, want(a, subs[0], subs[1]))
		e.wantSubscribers("T", `{"f":"b"}`, want(a, subs[0], subs[2]))
		e.wantSubscriptions(a, subs...)
		e.f.Advance(40 * time.Hour)
		e.wantSubscribers("T", `{"f":1}`, nil)
		e.wantSubscriptions(a)
	}},
}
