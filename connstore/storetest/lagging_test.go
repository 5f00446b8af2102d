package storetest

import (
	"context"
	"iter"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/internal/leak"
)

// A store may lag where the contract says so: the suite does not mind.
func TestTheSuitePassesAStoreThatLags(t *testing.T) {
	leak.Check(t)
	clock := newClock()
	f := everything(clock)
	f.CatchUp = CatchUp
	Run(t, func(*testing.T) sumu.Store { return Lagging(&memstore.Store{Now: clock.now}, clock.now) }, f)
}

// And its changes may come late, twice, and in any order.
func TestTheSuitePassesAFeedThatReorders(t *testing.T) {
	leak.Check(t)
	clock, seed := newClock(), uint64(0)
	Run(t, func(*testing.T) sumu.Store {
		s := &memstore.Store{Now: clock.now}
		seed++
		return reordered{s, Reordering(s, seed)}
	}, everything(clock))
}

// reordered is a memstore whose changes are reordered.
type reordered struct {
	*memstore.Store
	feed sumu.ChangeFeed
}

func (r reordered) Changes(ctx context.Context) iter.Seq[sumu.Change] { return r.feed.Changes(ctx) }

func TestLaggingSeesWhatWasWrittenOnceItHasCaughtUp(t *testing.T) {
	inner := new(memstore.Store)
	a, b := sumu.Connection{UserID: "ann", ID: "a"}, sumu.Connection{UserID: "bob", ID: "b", DeleteAt: time.Now().Add(time.Hour)}
	want := func(s sumu.Store, rows ...sumu.ConnectionRef) {
		t.Helper()
		var got []sumu.ConnectionRef
		for _, c := range list(s.All(t.Context(), sumu.Segment{})) {
			got = append(got, c.Ref())
		}
		if !slices.Equal(got, rows) {
			t.Errorf("All yields %v, want %v", got, rows)
		}
	}
	if err := inner.Put(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	s := Lagging(inner, nil)
	if err := s.Put(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(t.Context(), a.Ref()); err != nil {
		t.Fatal(err)
	}
	want(s, a.Ref())
	if _, err := s.Get(t.Context(), b.Ref()); err != nil {
		t.Errorf("Get lags: %v", err)
	}
	CatchUp(s)
	want(s, b.Ref())
	CatchUp(inner) // Of a store that does not lag: nothing.
}

// Powers that are wrapped are kept, or are missed aloud.
func TestLaggingKeepsThePowersOfTheStore(t *testing.T) {
	plain := struct{ sumu.Store }{new(memstore.Store)}
	one := struct {
		sumu.Store
		sumu.Toucher
		sumu.Refresher
		sumu.Sweeper
	}{plain, new(memstore.Store), new(memstore.Store), new(memstore.Store)}
	for name, tt := range map[string]struct {
		store               sumu.Store
		touch, state, feeds bool
	}{
		"a memstore":     {new(memstore.Store), true, true, true},
		"of one table":   {one, true, false, false},
		"of no optional": {plain, false, false, false},
	} {
		s := Lagging(tt.store, nil)
		_, touch := s.(sumu.Toucher)
		_, state := s.(sumu.ChannelStore)
		_, feeds := s.(sumu.ChangeFeed)
		if touch != tt.touch || state != tt.state || feeds != tt.feeds {
			t.Errorf("%s: it is a Toucher %t, a ChannelStore %t, a ChangeFeed %t", name, touch, state, feeds)
		}
	}
}

// late is a second memstore, to which every write comes when the next one is
// made: a replica that is behind.
type late struct {
	*memstore.Store
	mu   sync.Mutex
	last func(s *memstore.Store)
}

func (l *late) follow(write func(s *memstore.Store)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last != nil {
		l.last(l.Store)
	}
	l.last = write
}

// lags has reads of a store be those of a replica that is behind.
func lags(reads func(h *hooked, l *memstore.Store)) func(h *hooked) {
	return func(h *hooked) {
		l := &late{Store: &memstore.Store{Now: h.clock.now}}
		ctx := context.Background()
		s := h.Store
		h.put = func(_ context.Context, c conn) error {
			l.follow(func(s *memstore.Store) { _ = s.Put(ctx, c) })
			return s.Put(ctx, c)
		}
		h.delete = func(_ context.Context, r ref) error {
			l.follow(func(s *memstore.Store) { _ = s.Delete(ctx, r) })
			return s.Delete(ctx, r)
		}
		h.savePresence = func(_ context.Context, row sumu.PresenceRow) error {
			l.follow(func(s *memstore.Store) { _ = s.SavePresence(ctx, row) })
			return s.SavePresence(ctx, row)
		}
		h.saveRecord = func(_ context.Context, r sumu.Record) error {
			l.follow(func(s *memstore.Store) { _ = s.SaveRecord(ctx, r) })
			return s.SaveRecord(ctx, r)
		}
		h.join = func(_ context.Context, c conn, channel string, most int) error {
			l.follow(func(s *memstore.Store) { _ = s.Join(ctx, c, channel, most) })
			return s.Join(ctx, c, channel, most)
		}
		h.subscribe = func(_ context.Context, c conn, most int, subs ...sub) error {
			l.follow(func(s *memstore.Store) { _ = s.Subscribe(ctx, c, most, subs...) })
			return s.Subscribe(ctx, c, most, subs...)
		}
		reads(h, l.Store)
	}
}

// lagFlaws are reads that lag, of which the contract says that they do not. That
// All may, as the suite is told, excuses none of them.
var lagFlaws = []flaw{
	{"Get lags", lags(func(h *hooked, l *memstore.Store) { h.get = l.Get }), "Get returns the row that Put wrote"},
	{"HasLive lags", lags(func(h *hooked, l *memstore.Store) { h.hasLive = l.HasLive }), "HasLive reports whether the user has a row, at once"},
	{"ByUser lags", lags(func(h *hooked, l *memstore.Store) { h.byUser = l.ByUser }), "ByUser yields the rows in ascending byte order of their ids"},
	{"Presence lags", lags(func(h *hooked, l *memstore.Store) { h.presence = l.Presence }), "Presence returns the row that SavePresence wrote"},
	{"PresenceRows lag", lags(func(h *hooked, l *memstore.Store) { h.presenceRows = l.PresenceRows }), "Segments of presence rows are disjoint and cover the table"},
	{"LoadRecord lags", lags(func(h *hooked, l *memstore.Store) { h.loadRecord = l.LoadRecord }), "LoadRecord returns the record that SaveRecord wrote"},
	{"PutCapped counts on a replica", lags(func(h *hooked, l *memstore.Store) {
		h.putCapped = func(ctx context.Context, c conn, most int, evict bool) ([]conn, error) {
			if rows := list(l.ByUser(ctx, c.UserID)); len(rows) < most {
				return nil, h.Store.Put(ctx, c)
			}
			return h.Store.PutCapped(ctx, c, most, evict)
		}
	}), "PutCapped counts the rows of one user"},
	{"Members lag", lags(func(h *hooked, l *memstore.Store) {
		h.members, h.countMembers = l.Members, l.CountMembers
	}), "Who joined is a member, with what a sender needs"},
	{"CountMembers lags", lags(func(h *hooked, l *memstore.Store) { h.countMembers = l.CountMembers }), "Who joined is a member, with what a sender needs"},
	{"IsMember lags", lags(func(h *hooked, l *memstore.Store) { h.isMember = l.IsMember }), "Who joined is a member, with what a sender needs"},
	{"Channels lag", lags(func(h *hooked, l *memstore.Store) { h.channels = l.Channels }), "Channels come in ascending byte order and are kept apart"},
	{"Subscribers lag", lags(func(h *hooked, l *memstore.Store) { h.subscribers = l.Subscribers }), "Who subscribed gets the events of the type, with what a sender needs"},
	{"Subscriptions lag", lags(func(h *hooked, l *memstore.Store) { h.subscriptions = l.Subscriptions }), "A subscription that differs in anything is another, and an equal one the same"},
}

// Changes that are held back come once it is quiet; none is left out.
func TestReorderingLeavesNoChangeOut(t *testing.T) {
	leak.Check(t)
	var all []sumu.Change
	for i := range 200 {
		all = append(all, sumu.Change{UserID: string(rune('A' + i)), ConnectionID: "c"})
	}
	missing, inOrder, twice := make(map[sumu.Change]bool), true, 0
	for _, c := range all {
		missing[c] = true
	}
	n := 0
	for c := range Reordering(fixedFeed(all), 7).Changes(t.Context()) {
		if n < len(all) && c != all[n] {
			inOrder = false
		}
		if n++; !missing[c] {
			twice++
		}
		if delete(missing, c); len(missing) == 0 {
			break
		}
	}
	if inOrder || twice == 0 {
		t.Errorf("in order: %t; %d came again", inOrder, twice)
	}
}

// fixedFeed yields its changes, and then waits.
type fixedFeed []sumu.Change

func (f fixedFeed) Changes(ctx context.Context) iter.Seq[sumu.Change] {
	return func(yield func(sumu.Change) bool) {
		for _, c := range f {
			if !yield(c) {
				return
			}
		}
		<-ctx.Done()
	}
}
