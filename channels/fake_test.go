package channels_test

import (
	"cmp"
	"context"
	"encoding/json"
	"iter"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/channels"
	"github.com/sumu-live/sumu/connstore/memstore"
)

// now is when the tests happen, unless they move it.
var now = time.Now().Truncate(time.Second)

// store keeps memberships as simply as can be, and fails when it is told to.
type store struct {
	*memstore.Store
	err     error
	members map[string][]sumu.Connection // by channel
	writes  int
}

func newStore() *store {
	return &store{Store: new(memstore.Store), members: make(map[string][]sumu.Connection)}
}

func (s *store) find(ref sumu.ConnectionRef, channel string) int {
	return slices.IndexFunc(s.members[channel], func(c sumu.Connection) bool { return c.Ref() == ref })
}

func (s *store) of(ref sumu.ConnectionRef) (names []string) {
	for name := range s.members {
		if s.find(ref, name) >= 0 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (s *store) Join(ctx context.Context, c sumu.Connection, channel string, most int) error {
	s.writes++
	if s.err != nil {
		return s.err
	}
	if _, err := s.Get(ctx, c.Ref()); err != nil {
		return err
	}
	if s.find(c.Ref(), channel) >= 0 {
		return nil
	}
	if most > 0 && len(s.of(c.Ref())) >= most {
		return &sumu.Error{Op: "join", Kind: sumu.ErrLimit}
	}
	s.members[channel] = append(s.members[channel], c)
	return nil
}

func (s *store) Leave(_ context.Context, ref sumu.ConnectionRef, channel string) error {
	s.writes++
	if s.err != nil {
		return s.err
	}
	if i := s.find(ref, channel); i >= 0 {
		s.members[channel] = slices.Delete(s.members[channel], i, i+1)
	}
	return nil
}

func (s *store) IsMember(_ context.Context, ref sumu.ConnectionRef, channel string) (bool, error) {
	return s.find(ref, channel) >= 0, s.err
}

func (s *store) Members(_ context.Context, channel, after string) iter.Seq2[sumu.Member, error] {
	return func(yield func(sumu.Member, error) bool) {
		from, _ := strconv.Atoi(cmp.Or(after, "0"))
		for i, c := range slices.Clone(s.members[channel])[from:] {
			if !yield(sumu.Member{Connection: c, Cursor: strconv.Itoa(from + i + 1)}, nil) {
				return
			}
		}
		if s.err != nil {
			yield(sumu.Member{}, s.err)
		}
	}
}

func (s *store) CountMembers(_ context.Context, channel string) (int, error) {
	return len(s.members[channel]), s.err
}

func (s *store) Channels(_ context.Context, ref sumu.ConnectionRef) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for _, name := range s.of(ref) {
			if !yield(name, nil) {
				return
			}
		}
	}
}

func (s *store) Forget(_ context.Context, ref sumu.ConnectionRef) error {
	for _, name := range s.of(ref) {
		i := s.find(ref, name)
		s.members[name] = slices.Delete(s.members[name], i, i+1)
	}
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

// world is an App with channels, and connections to it.
type world struct {
	t      testing.TB
	store  *store
	client *sent
	app    *sumu.App
	rooms  *channels.Channels
	now    time.Time
	grants sumu.Grants // of who connects
}

func newWorld(t testing.TB, optFns ...func(*channels.Options)) *world {
	t.Helper()
	w := &world{t: t, store: newStore(), client: new(sent), now: now}
	auth := sumu.AuthorizerFunc(func(_ context.Context, r *sumu.ConnectRequest) (sumu.Identity, error) {
		return sumu.Identity{UserID: r.Query["user"][0], Grants: w.grants}, nil
	})
	clock := func() time.Time { return w.now }
	var err error
	if w.app, err = sumu.NewApp(auth, w.store, func(o *sumu.AppOptions) { o.Now = clock }); err != nil {
		t.Fatal(err)
	}
	optFns = append([]func(*channels.Options){func(o *channels.Options) { o.Now = clock }}, optFns...)
	if w.rooms, err = channels.New(w.store, w.client, optFns...); err != nil {
		t.Fatal(err)
	}
	if err := w.rooms.Attach(w.app); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) connect(user, id string) sumu.Session {
	w.t.Helper()
	s, err := w.app.Connect(w.t.Context(), &sumu.ConnectRequest{
		ConnectionID: id, Query: map[string][]string{"user": {user}},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func (w *world) say(s sumu.Session, frame string) string {
	return string(w.app.Message(w.t.Context(), sumu.Message{Connection: s.Connection, Identity: s.Identity, Body: []byte(frame)}))
}

// want says a frame and compares the answer.
func (w *world) want(s sumu.Session, frame, answer string) {
	w.t.Helper()
	if got := w.say(s, frame); got != answer {
		w.t.Errorf("%s is answered with\n%s; want\n%s", frame, got, answer)
	}
}

// code says a frame and returns the code of the error frame; "": it is none.
func (w *world) code(s sumu.Session, frame string) string {
	w.t.Helper()
	var e struct{ Type, Code, Message string }
	got := w.say(s, frame)
	if err := json.Unmarshal([]byte(got), &e); err != nil {
		w.t.Fatalf("answer %q: %v", got, err)
	}
	if e.Type == "error" && (e.Code == "" || e.Message == "") {
		w.t.Errorf("%s is answered with %s", frame, got)
	}
	return e.Code
}

func (w *world) channelsOf(s sumu.Session) []string { return w.store.of(s.Connection.Ref()) }
