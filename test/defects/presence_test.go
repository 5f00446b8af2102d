package defects_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/awslambda"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/presence"
	"github.com/sumu-live/sumu/sumutest"
)

// published keeps presence events, but those of a user that is down.
type published struct {
	mu     sync.Mutex
	down   string
	events []string
}

func (p *published) PublishPresence(_ context.Context, e sumu.PresenceEvent) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e.UserID == p.down {
		return sumu.ErrThrottled
	}
	p.events = append(p.events, e.ID()+" "+string(e.Status))
	return nil
}

// want compares the events in the order of their ids.
func (p *published) want(t testing.TB, want ...string) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	slices.Sort(p.events)
	if !slices.Equal(p.events, want) {
		t.Errorf("events are %q, want %q", p.events, want)
	}
}

func observe(t testing.TB, w *presence.Watcher, users ...string) {
	t.Helper()
	for _, user := range users {
		if _, err := w.Observe(t.Context(), sumu.Change{UserID: user}); err != nil {
			t.Error(err)
		}
	}
}

// streamEvent is an event of a table's stream, an hour old: a change of each user.
func streamEvent(users ...string) []byte {
	var records []string
	for i, user := range users {
		records = append(records, fmt.Sprintf(`{"eventName":"INSERT","eventSource":"aws:dynamodb",
			"eventSourceARN":"arn:aws:dynamodb:us-east-1:123456789012:table/connections/stream/2026-11-20T00:00:00.000",
			"dynamodb":{"ApproximateCreationDateTime":%d,"Keys":{"user_id":{"S":%q},"connection_id":{"S":"c"}},"SequenceNumber":"%d"}}`,
			time.Now().Add(-time.Hour).Unix(), user, i+1))
	}
	return []byte(`{"Records":[` + strings.Join(records, ",") + `]}`)
}

// ONLINE came with every device that connected, and OFFLINE twice when two
// were closed.
func TestDefectPresencePerDevice(t *testing.T) {
	env := sumutest.New(t, func(o *sumutest.Options) { o.Presence = func(*presence.Options) {} })
	bob := env.Connect(t, "bob")
	last := int64(0)
	next := func(want sumu.Status) { // An event may come twice, with its version.
		t.Helper()
		for {
			var e sumu.PresenceEvent
			if err := e.UnmarshalJSON([]byte(bob.NextType(t, "presence"))); err != nil {
				t.Fatal(err)
			}
			if e.UserID != "ann" || e.Version <= last {
				continue
			}
			if last++; e.Version != last || e.Status != want {
				t.Errorf("bob got %s %s, want version %d, %s", e.ID(), e.Status, last, want)
			}
			return
		}
	}
	first := env.Connect(t, "ann")
	next(sumu.Online)
	second := env.Connect(t, "ann")
	first.Cut(t)
	second.Close(t)
	next(sumu.Offline)
	env.Connect(t, "ann")
	next(sumu.Online)
}

// An exception dropped the events of a whole batch, and those that came later
// than 60 s were dropped as too old.
func TestDefectPresenceFailureDropsTheBatch(t *testing.T) {
	store, seen := new(memstore.Store), &published{down: "bob"}
	h := must(awslambda.NewPresence(must(presence.New(store, seen))))
	users := []string{"ann", "bob", "eve"}
	for _, user := range users {
		put(t, store, user, "c")
	}
	out, err := h.Invoke(t.Context(), streamEvent(users...))
	if want := `{"batchItemFailures":[{"itemIdentifier":"2"}]}`; err != nil || string(out) != want {
		t.Errorf("answer is %s, %v; want %s", out, err, want)
	}
	seen.want(t, "ann:1 ONLINE", "eve:1 ONLINE")
	seen.down = ""
	for range 2 { // The second time for nothing.
		if out, err = h.Invoke(t.Context(), streamEvent(users[1:]...)); err != nil || string(out) != `{"batchItemFailures":[]}` {
			t.Errorf("answer is %s, %v", out, err)
		}
	}
	seen.want(t, "ann:1 ONLINE", "bob:1 ONLINE", "eve:1 ONLINE")
}
