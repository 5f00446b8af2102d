package presence_test

import (
	"context"
	"iter"
	"slices"
	"strconv"
	"testing"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/internal/leak"
	"github.com/sumu-live/sumu/presence"
)

// disagreeingStore has users that a lost change, a lost event or a lost
// acknowledgement left behind, and two who are fine.
func disagreeingStore(t *testing.T) *memstore.Store {
	t.Helper()
	s := new(memstore.Store)
	w := newWatcher(t, s, new(recorder))
	for _, u := range []string{"fine", "went", "away", "came"} {
		connect(t, s, u, "c")
	}
	observe(t, w, "fine", "went", "away", "came")
	disconnect(t, s, "away", "c")
	disconnect(t, s, "came", "c")
	observe(t, w, "away", "came")
	disconnect(t, s, "went", "c")
	connect(t, s, "came", "d")
	connect(t, s, "rowless", "c")

	connect(t, s, "pending", "c")
	down := newWatcher(t, s, &recorder{err: func(sumu.PresenceEvent) error { return errDown }})
	_, err := down.Observe(t.Context(), changesOf("pending")...)
	wantKind(t, err, errDown, "pending")
	return s
}

func TestReconcile(t *testing.T) {
	leak.Check(t)
	s := &spy{Store: disagreeingStore(t)}
	r := new(recorder)
	w := newWatcher(t, s, r)
	checked, err := w.Reconcile(t.Context())
	if checked != 4 || err != nil {
		t.Errorf("checked %d users (%v), want 4", checked, err)
	}
	slices.Sort(r.events)
	wantEvents(t, r, "came:3 ONLINE", "pending:1 ONLINE", "rowless:1 ONLINE", "went:2 OFFLINE")
	if n := s.counts.Load(); n != 4 {
		t.Errorf("connections were asked for %d times, want 4: the others are known from the scan", n)
	}
	if checked, err := w.Reconcile(t.Context()); checked != 0 || err != nil {
		t.Errorf("checked %d users again (%v), want none", checked, err)
	}
}

func TestReconcileWithoutConnections(t *testing.T) {
	r := new(recorder)
	narrow := struct{ presence.Store }{disagreeingStore(t)} // Not a sumu.Store.
	checked, err := newWatcher(t, narrow, r).Reconcile(t.Context())
	if checked != 3 || err != nil {
		t.Errorf("checked %d users (%v), want 3", checked, err)
	}
	slices.Sort(r.events)
	wantEvents(t, r, "came:3 ONLINE", "pending:1 ONLINE", "went:2 OFFLINE")
}

func TestReconcileManyUsers(t *testing.T) {
	s, r := new(memstore.Store), new(recorder)
	const users = 600 // More than it checks at a time.
	for i := range users {
		connect(t, s, strconv.Itoa(i), "c")
	}
	checked, err := newWatcher(t, s, r).Reconcile(t.Context())
	if checked != users || len(r.got()) != users || err != nil {
		t.Errorf("checked %d users, %d events (%v); want %d", checked, len(r.got()), err, users)
	}
}

// tornRows is a store whose scan of the presence rows breaks off.
type tornRows struct{ *memstore.Store }

func (s tornRows) PresenceRows(ctx context.Context, seg sumu.Segment) iter.Seq2[sumu.PresenceRow, error] {
	return func(yield func(sumu.PresenceRow, error) bool) {
		for row := range s.Store.PresenceRows(ctx, seg) {
			if row.UserID == "went" && !yield(row, nil) {
				return
			}
		}
		yield(sumu.PresenceRow{}, errDown)
	}
}

func TestReconcileReportsErrors(t *testing.T) {
	s := &failing{Store: new(memstore.Store)}
	s.down.Store(true)
	_, err := newWatcher(t, s, new(recorder)).Reconcile(t.Context())
	wantKind(t, err, errDown, "reconcile")

	r := new(recorder)
	checked, err := newWatcher(t, tornRows{disagreeingStore(t)}, r).Reconcile(t.Context())
	wantKind(t, err, errDown, "reconcile")
	if checked != 1 {
		t.Errorf("checked %d users, want the one seen before the error", checked)
	}
	wantEvents(t, r, "went:2 OFFLINE") // And not those whose row was not seen.

	refusing := &recorder{err: func(sumu.PresenceEvent) error { return errDown }}
	checked, err = newWatcher(t, disagreeingStore(t), refusing).Reconcile(t.Context())
	wantKind(t, err, errDown, "presence of went: publish went:2")
	if checked != 4 {
		t.Errorf("checked %d users, want 4: one's failure is not another's", checked)
	}
}
