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

func TestEvaluationCost(t *testing.T) {
	s := &spy{Store: new(memstore.Store)}
	w := newWatcher(t, s, new(recorder))
	steps := []struct {
		what          string
		do            func()
		reads, writes int32
	}{
		{"a user of whom nothing is known", func() {}, 2, 1},
		{"came", func() { connect(t, s.Store, "u", "c") }, 2, 2},
		{"nothing changed while online", func() {}, 2, 1},
		{"a second connection", func() { connect(t, s.Store, "u", "d") }, 2, 1},
		{"one of two ended", func() { disconnect(t, s.Store, "u", "c") }, 2, 1},
		{"went", func() { disconnect(t, s.Store, "u", "d") }, 2, 2},
		{"nothing changed while offline", func() {}, 2, 1},
	}
	for _, step := range steps {
		step.do()
		observe(t, w, "u", "u", "u")
		if reads, writes := s.calls(); reads != step.reads || writes != step.writes {
			t.Errorf("%s: %d reads and %d writes, want %d and %d", step.what, reads, writes, step.reads, step.writes)
		}
	}
}

func TestEvaluationWithoutRowOrConnection(t *testing.T) {
	s := new(memstore.Store)
	r := new(recorder)
	observe(t, newWatcher(t, s, r), "u")
	want := sumu.PresenceRow{UserID: "u", Status: sumu.Offline, Seq: 1}
	if got := row(t, s, "u"); got != want {
		t.Errorf("row is %+v, want %+v", got, want)
	}
	wantEvents(t, r)
}

func TestEvaluationFinishesPendingEventFirst(t *testing.T) {
	c := newClock()
	s := &memstore.Store{Now: c.now}
	r := &recorder{err: func(sumu.PresenceEvent) error { return errDown }}
	w := newWatcher(t, s, r, func(o *presence.Options) { o.Now = c.now })
	connect(t, s, "u", "c")
	_, err := w.Observe(t.Context(), changesOf("u")...)
	wantKind(t, err, errDown, "publish u:1")
	pending := row(t, s, "u").Event()

	// The user is gone again before the first event is out.
	c.advance(time.Minute)
	disconnect(t, s, "u", "c")
	var got []sumu.PresenceEvent
	r.setErr(func(e sumu.PresenceEvent) error { got = append(got, e); return nil })
	observe(t, w, "u")
	want := []sumu.PresenceEvent{
		pending,
		{UserID: "u", Status: sumu.Offline, At: c.now(), Version: 2},
	}
	if !slices.Equal(got, want) {
		t.Errorf("published %+v, want %+v", got, want)
	}
	if at := row(t, s, "u"); at.Announced != 2 {
		t.Errorf("row is %+v, want version 2 announced", at)
	}
}

func TestEvaluationTimesIncrease(t *testing.T) {
	c := newClock()
	s := new(memstore.Store)
	w := newWatcher(t, s, new(recorder), func(o *presence.Options) { o.Now = c.now })
	var last time.Time
	for i := range 6 {
		if i%2 == 0 {
			connect(t, s, "u", "c")
		} else {
			disconnect(t, s, "u", "c")
			c.advance(-time.Second) // A clock that was set back.
		}
		observe(t, w, "u")
		at := row(t, s, "u").At
		if !at.After(last) {
			t.Errorf("version %d is of %v, the one before of %v", i+1, at, last)
		}
		last = at
	}
}

func TestEvaluationStartsAnewOnConflict(t *testing.T) {
	s := &spy{Store: new(memstore.Store)}
	r := new(recorder)
	w := newWatcher(t, s, r)
	other := newWatcher(t, s.Store, r)
	connect(t, s.Store, "u", "c")
	first := true
	s.onCount = func(string) error {
		if first { // After the count, before the write.
			first = false
			disconnect(t, s.Store, "u", "c")
			observe(t, other, "u")
		}
		return nil
	}
	observe(t, w, "u")
	wantEvents(t, r) // Never a false ONLINE: it counted again.
	if reads, writes := s.calls(); reads != 4 || writes != 2 {
		t.Errorf("%d reads and %d writes, want 4 and 2", reads, writes)
	}
}

func TestEvaluationOvertakenWhilePublishing(t *testing.T) {
	s, quick := new(memstore.Store), new(recorder)
	other := newWatcher(t, s, quick)
	connect(t, s, "u", "c")
	slow := &recorder{err: func(sumu.PresenceEvent) error { // Before the mark.
		disconnect(t, s, "u", "c")
		observe(t, other, "u")
		return nil
	}}
	observe(t, newWatcher(t, s, slow), "u") // It has nothing left to do.
	wantEvents(t, quick, "u:1 ONLINE", "u:2 OFFLINE")
	wantEvents(t, slow, "u:1 ONLINE")
	if p := row(t, s, "u"); p.Version != 2 || p.Announced != 2 {
		t.Errorf("row is %+v, want version 2 announced", p)
	}
}

func TestEvaluationGivesUpWithConflict(t *testing.T) {
	s := &spy{Store: new(memstore.Store)}
	s.onSave = func(sumu.PresenceRow) error { return sumu.ErrConflict }
	w := newWatcher(t, s, new(recorder), func(o *presence.Options) { o.Attempts = 3 })
	outcomes, err := w.Observe(t.Context(), changesOf("u")...)
	wantKind(t, err, sumu.ErrConflict, "presence of u: others were first 3 times")
	if !sumu.Retryable(err) || outcomes[0] == nil {
		t.Errorf("outcome %v must be an error that may be tried again", outcomes[0])
	}
	if n := s.reads.Load(); n != 3 {
		t.Errorf("the row was read %d times, want 3", n)
	}
}

func TestObserverHearsOfAcceptedEvents(t *testing.T) {
	s := new(memstore.Store)
	r := &recorder{err: func(sumu.PresenceEvent) error { return errDown }}
	var heard []string
	w := newWatcher(t, s, r, func(o *presence.Options) {
		o.Observer.Presence = func(_ context.Context, e sumu.PresenceEvent) { heard = append(heard, e.ID()) }
	})
	connect(t, s, "u", "c")
	_, err := w.Observe(t.Context(), changesOf("u")...)
	wantKind(t, err, errDown, "u:1")
	if len(heard) > 0 {
		t.Errorf("heard %v of an event that was refused", heard)
	}
	r.setErr(nil)
	observe(t, w, "u")
	if !slices.Equal(heard, []string{"u:1"}) {
		t.Errorf("heard %v, want u:1", heard)
	}
}
