package events_test

import (
	"context"
	"encoding/json"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/events"
)

// now is when the tests happen, unless they move it.
var now = time.Now().Truncate(time.Second)

// store keeps subscriptions as simply as can be, and fails when it is told to.
type store struct {
	*memstore.Store
	err    error
	subs   map[sumu.ConnectionRef][]sumu.Subscription
	writes int
}

func same(s sumu.Subscription) func(sumu.Subscription) bool {
	text := jsonText(s)
	return func(other sumu.Subscription) bool { return jsonText(other) == text }
}

func (s *store) Subscribe(_ context.Context, c sumu.Connection, most int, subs ...sumu.Subscription) error {
	s.writes++
	if s.err != nil {
		return s.err
	}
	list := slices.Clone(s.subs[c.Ref()])
	for _, sub := range subs {
		if !slices.ContainsFunc(list, same(sub)) {
			list = append(list, sub)
		}
	}
	if most > 0 && len(list) > most {
		return &sumu.Error{Op: "subscribe", Kind: sumu.ErrLimit}
	}
	s.subs[c.Ref()] = list
	return nil
}

func (s *store) Unsubscribe(_ context.Context, ref sumu.ConnectionRef, subs ...sumu.Subscription) error {
	s.writes++
	for _, sub := range subs {
		s.subs[ref] = slices.DeleteFunc(s.subs[ref], same(sub))
	}
	return s.err
}

func (s *store) Subscriptions(_ context.Context, ref sumu.ConnectionRef) iter.Seq2[sumu.Subscription, error] {
	return func(yield func(sumu.Subscription, error) bool) {
		for _, sub := range s.subs[ref] {
			if !yield(sub, nil) {
				return
			}
		}
	}
}

func (s *store) Subscribers(context.Context, *sumu.EventReader, string) iter.Seq2[sumu.Subscriber, error] {
	panic("who answers clients does not ask for subscribers")
}

func (s *store) Forget(_ context.Context, ref sumu.ConnectionRef) error {
	delete(s.subs, ref)
	return nil
}

func (s *store) Prolong(context.Context, sumu.ConnectionRef, time.Time) error { return nil }

// sent records what is sent, or refuses it.
type sent struct {
	err error
	all []sumu.Notification
}

func (s *sent) Send(_ context.Context, n sumu.Notification) error {
	if s.err == nil {
		s.all = append(s.all, n)
	}
	return s.err
}

func jsonText(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// world is an App with events, and a connection to it.
type world struct {
	t      testing.TB
	store  *store
	client *sent
	app    *sumu.App
	feed   *events.Events
	now    time.Time
	ann    sumu.Session
}

func newWorld(t testing.TB, grants sumu.Grants, optFns ...func(*events.Options)) *world {
	t.Helper()
	w := &world{
		t: t, client: new(sent), now: now,
		store: &store{Store: new(memstore.Store), subs: make(map[sumu.ConnectionRef][]sumu.Subscription)},
	}
	auth := sumu.AuthorizerFunc(func(context.Context, *sumu.ConnectRequest) (sumu.Identity, error) {
		return sumu.Identity{UserID: "ann", Grants: grants}, nil
	})
	clock := func() time.Time { return w.now }
	var err error
	if w.app, err = sumu.NewApp(auth, w.store, func(o *sumu.AppOptions) { o.Now = clock }); err != nil {
		t.Fatal(err)
	}
	optFns = append([]func(*events.Options){func(o *events.Options) { o.Now = clock }}, optFns...)
	if w.feed, err = events.New(w.store, optFns...); err != nil {
		t.Fatal(err)
	}
	if err := w.feed.Attach(w.app); err != nil {
		t.Fatal(err)
	}
	w.app.Handle("submitIotEvent", w.feed.Submit(w.client))
	if w.ann, err = w.app.Connect(t.Context(), &sumu.ConnectRequest{ConnectionID: "c1"}); err != nil {
		t.Fatal(err)
	}
	return w
}

// answer is what a client gets.
type answer struct{ Type, Action, Ref, ID, Code, Message string }

func (w *world) say(frame string) (a answer) {
	w.t.Helper()
	got := w.app.Message(w.t.Context(), sumu.Message{Connection: w.ann.Connection, Identity: w.ann.Identity, Body: []byte(frame)})
	if err := json.Unmarshal(got, &a); err != nil {
		w.t.Fatalf("answer %q: %v", got, err)
	}
	if a.Type == "error" && (a.Code == "" || a.Message == "") || a.Type == "ack" && a.ID == "" {
		w.t.Errorf("%s is answered with %s", frame, got)
	}
	return a
}

func (w *world) subscribe(subs string) answer {
	w.t.Helper()
	return w.say(`{"action":"subscribe","subscriptions":` + subs + `}`)
}

// subs are Ann's, as JSON.
func (w *world) subs() (list []string) {
	for s, err := range w.feed.Of(w.t.Context(), w.ann.Connection.Ref()) {
		if err != nil {
			w.t.Error(err)
		}
		list = append(list, jsonText(s))
	}
	return list
}
