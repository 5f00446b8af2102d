package presence

import (
	"fmt"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/components"
	"github.com/sumu-live/sumu/presence"
)

// TestKilledNode: a node is killed. Everybody who was there alone goes OFFLINE
// once, after the sweeper and not before, and nobody else does.
func TestKilledNode(t *testing.T) {
	w := newWorld(t, components.DynamoDBLocal(t))
	watcher, _ := w.watch("a")
	a, b := w.node("a"), w.node("b")
	const each = 10
	only := func(i int) string { return fmt.Sprint("only-a-", i) }
	both := func(i int) string { return fmt.Sprint("both-", i) }
	other := func(i int) string { return fmt.Sprint("only-b-", i) }
	for i := range each {
		a.join(t, only(i))
		a.join(t, only(i)) // A second device.
		a.join(t, both(i))
		b.join(t, both(i))
		b.join(t, other(i))
	}
	for i := range each {
		w.until(only(i), "+")
		w.until(both(i), "+")
		w.until(other(i), "+")
	}
	a.kill(t)

	sweeper := w.sweeper(a.base, b.base)
	removed := 0
	w.eventually("all rows of a are removed", func() bool {
		// Until a row is removed nothing says that anybody has gone.
		for i := range each {
			if removed == 0 {
				w.want(only(i), "+")
			}
		}
		r, _, err := sweeper.Run(t.Context(), sumu.Segment{})
		if err != nil {
			t.Fatal(err)
		}
		removed += r.NodeDead
		return removed >= 3*each
	})
	for i := range each {
		w.until(only(i), "+-")
	}
	// What b does comes after all that in the stream.
	marker := b.join(t, "marker")
	w.until("marker", "+")
	marker.Close()
	w.until("marker", "+-")
	w.agrees(watcher)
	for i := range each {
		w.want(only(i), "+-")
		w.want(both(i), "+")
		w.want(other(i), "+")
	}
	users, err := presence.Online(t.Context(), w.store, only(0), both(0), other(0))
	if err != nil || users[0].Online() || !users[1].Online() || !users[2].Online() {
		t.Errorf("Online returns %+v, %v", users, err)
	}
	var who int
	for _, err := range presence.WhoIsOnline(t.Context(), w.store, sumu.Segment{}) {
		if err != nil {
			t.Fatal(err)
		}
		who++
	}
	if who != 2*each {
		t.Errorf("%d users are online, want %d", who, 2*each)
	}
}

// TestWatcherChanges: of two processes one watches; what happens while neither
// does, and while the destination is down, is not lost.
func TestWatcherChanges(t *testing.T) {
	w := newWorld(t, components.DynamoDBLocal(t))
	_, stopFirst := w.watch("first")
	b := w.node("b")
	ann := b.join(t, "ann")
	w.until("ann", "+")
	stopFirst()

	ann.Close()
	bob := b.join(t, "bob")
	w.gone("ann")
	w.mu.Lock()
	w.refused["cem"] = 5
	w.mu.Unlock()
	b.join(t, "cem")
	second, _ := w.watch("second")
	w.watch("third")
	w.until("ann", "+-")
	w.until("bob", "+")
	w.until("cem", "+")
	bob.Close()
	w.until("bob", "+-")
	for range 5 {
		ann = b.join(t, "ann")
		w.until("ann", w.history("ann")+"+")
		ann.Close()
		w.until("ann", w.history("ann")+"-")
	}
	w.want("ann", "+-+-+-+-+-+-")
	w.agrees(second)
}

// gone waits until a user has no row any more.
func (w *world) gone(user string) {
	w.t.Helper()
	w.eventually(user+" has no row", func() bool {
		live, err := w.store.HasLive(w.t.Context(), user)
		if err != nil {
			w.t.Fatal(err)
		}
		return !live
	})
}

// absent waits until a user's grace period runs.
func (w *world) absent(user string) {
	w.t.Helper()
	w.eventually(user+" is absent", func() bool {
		row, err := w.store.Presence(w.t.Context(), user)
		if err != nil {
			w.t.Fatal(err)
		}
		return !row.AbsentSince.IsZero()
	})
}

func (w *world) eventually(what string, so func() bool) {
	w.t.Helper()
	for began := time.Now(); !so(); {
		if time.Since(began) > patience {
			w.t.Fatalf("still not so: %s", what)
		}
		time.Sleep(10 * time.Millisecond) // What another program does is nothing to be told of.
	}
}
