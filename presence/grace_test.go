package presence_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/presence"
)

// graced is a watcher with a grace of 10 s, whose delayed checks are noted.
type graced struct {
	*presence.Watcher
	t      *testing.T
	clock  *clock
	store  *memstore.Store
	events *recorder
	delays []time.Duration // since the last call of wantDelays
	refuse error
}

func newGraced(t *testing.T) *graced {
	g := &graced{t: t, clock: newClock(), store: new(memstore.Store), events: new(recorder)}
	g.Watcher = newWatcher(t, g.store, g.events, func(o *presence.Options) {
		o.Grace = 10 * time.Second
		o.Now = g.clock.now
		o.Delay = func(_ context.Context, _ string, after time.Duration) error {
			if g.refuse == nil {
				g.delays = append(g.delays, after)
			}
			return g.refuse
		}
	})
	return g
}

func (g *graced) check(userID string) {
	g.t.Helper()
	if _, err := g.Check(g.t.Context(), userID); err != nil {
		g.t.Fatal(err)
	}
}

func (g *graced) wantDelays(seconds ...int) {
	g.t.Helper()
	var want []time.Duration
	for _, s := range seconds {
		want = append(want, time.Duration(s)*time.Second)
	}
	if !slices.Equal(g.delays, want) {
		g.t.Errorf("checks were asked for after %v, want %v", g.delays, want)
	}
	g.delays = nil
}

func (g *graced) comeAndGo() {
	g.t.Helper()
	connect(g.t, g.store, "u", "c")
	observe(g.t, g.Watcher, "u")
	disconnect(g.t, g.store, "u", "c")
	observe(g.t, g.Watcher, "u")
	g.wantDelays(10)
	wantEvents(g.t, g.events, "u:1 ONLINE")
}

func TestGraceEndsInOffline(t *testing.T) {
	g := newGraced(t)
	g.comeAndGo()
	g.clock.advance(4 * time.Second)
	g.check("u")
	g.wantDelays(6) // Too early: only the rest.
	g.clock.advance(6 * time.Second)
	g.check("u")
	g.wantDelays()
	wantEvents(t, g.events, "u:1 ONLINE", "u:2 OFFLINE")
	g.check("u") // A duplicate, much later.
	wantEvents(t, g.events, "u:1 ONLINE", "u:2 OFFLINE")
}

func TestGraceHidesReconnect(t *testing.T) {
	g := newGraced(t)
	g.comeAndGo()
	g.clock.advance(9 * time.Second)
	connect(t, g.store, "u", "d")
	observe(t, g.Watcher, "u")
	if since := row(t, g.store, "u").AbsentSince; !since.IsZero() {
		t.Errorf("the user is back, but absent since %v", since)
	}
	g.clock.advance(time.Minute)
	g.check("u")
	g.wantDelays()
	wantEvents(t, g.events, "u:1 ONLINE")
}

func TestGraceIsRestartedByChangesAlone(t *testing.T) {
	g := newGraced(t)
	g.comeAndGo()
	g.clock.advance(9 * time.Second)
	observe(t, g.Watcher, "u") // Came and went once more.
	g.wantDelays(10)
	g.clock.advance(time.Second)
	g.check("u") // That of the first absence.
	g.wantDelays(9)
	wantEvents(t, g.events, "u:1 ONLINE")
	g.clock.advance(9 * time.Second)
	g.check("u")
	wantEvents(t, g.events, "u:1 ONLINE", "u:2 OFFLINE")
}

func TestGraceIsNotAcknowledgedWithoutItsCheck(t *testing.T) {
	g := newGraced(t)
	connect(t, g.store, "u", "c")
	observe(t, g.Watcher, "u")
	disconnect(t, g.store, "u", "c")
	g.refuse = errDown
	_, err := g.Observe(t.Context(), changesOf("u")...)
	wantKind(t, err, errDown, "delayed check")
	_, err = g.Check(t.Context(), "u")
	wantKind(t, err, errDown, "delayed check")
	g.refuse = nil
	observe(t, g.Watcher, "u")
	g.wantDelays(10)
}

func TestGraceOfAClockAheadEnds(t *testing.T) {
	g := newGraced(t)
	g.comeAndGo()
	g.clock.advance(-time.Hour) // As if another's clock, ahead by an hour, had begun it.
	g.check("u")
	g.wantDelays(10)
	g.clock.advance(10 * time.Second)
	g.check("u")
	wantEvents(t, g.events, "u:1 ONLINE", "u:2 OFFLINE")
}

func TestGraceWithoutTimersIsRefused(t *testing.T) {
	s := &spy{Store: new(memstore.Store)}
	w := newWatcher(t, s, new(recorder), func(o *presence.Options) { o.Grace = time.Second })
	outcomes, err := w.Observe(t.Context(), changesOf("u", "v")...)
	wantKind(t, err, sumu.ErrUnavailable, "Run")
	for i, err := range outcomes {
		if err == nil || !sumu.Retryable(err) {
			t.Errorf("outcome %d is %v, want an error that may be tried again", i, err)
		}
	}
	if reads, writes := s.calls(); reads+writes > 0 {
		t.Errorf("%d reads and %d writes, want none", reads, writes)
	}
}
