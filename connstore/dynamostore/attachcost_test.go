package dynamostore_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/dynamostore"
	"github.com/sumu-live/sumu/internal/components"
)

// What memberships and subscriptions may cost is fixed by the design: in tenths
// of a unit.
func TestCostOfAttachments(t *testing.T) { overAll(t, testCostOfAttachments) }

func costConn(user string) sumu.Connection {
	now := time.Now()
	return sumu.Connection{
		UserID: user, ID: "L0SM9cOFvHcCIhw=", Endpoint: "https://a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com/prod",
		ConnectedAt: now, DeleteAt: now.Add(2 * time.Hour).Truncate(time.Second),
	}
}

func testCostOfAttachments(t *testing.T, db database) {
	ctx := t.Context()
	d := &double{next: db.client}
	s, err := dynamostore.NewWithState(d, db.named)
	if err != nil {
		t.Fatal(err)
	}
	ann, bob := costConn("1f0c9a52-7c1e-4d63-9f2e-0d5b3a7e6c11"), costConn("8d2c9a52-7c1e-4d63-9f2e-0d5b3a7e6c12")
	for _, c := range []sumu.Connection{ann, bob} {
		if err := s.Put(ctx, c); err != nil {
			t.Fatal(err)
		}
	}
	const room = "room.1f0c9a52-7c1e-4d63"
	sub := sumu.Subscription{EventType: "NESClick", Field: "player.color", Filter: "blue", Fields: []string{"player.id", "x", "y"}}
	join := func() error { return s.Join(ctx, ann, room, 50) }
	leave := func() error { return s.Leave(ctx, ann.Ref(), room) }
	subscribe := func() error { return s.Subscribe(ctx, ann, 50, sub) }
	members := func() error {
		for _, err := range s.Members(ctx, room, "") {
			if err != nil {
				return err
			}
		}
		return nil
	}
	for _, tt := range []struct {
		what          string
		call          func() error
		reads, writes uint64
	}{
		{"join", join, 40, 20},
		{"join again", join, 40, 20},
		{"is member", func() error { _, err := s.IsMember(ctx, ann.Ref(), room); return err }, 20, 0},
		{"is not member", func() error { _, err := s.IsMember(ctx, bob.Ref(), room); return err }, 10, 0},
		{"members of a small channel", members, 10, 0},
		{"count", func() error { _, err := s.CountMembers(ctx, room); return err }, 20, 0},
		{"leave", leave, 20, 20},
		{"leave what was never joined", leave, 30, 0},
		{"subscribe, the first of its kind", subscribe, 40, 30},
		{"subscribe", func() error { return s.Subscribe(ctx, bob, 50, sub) }, 35, 20},
		{"an event", subscribersOf(s, event("NESClick", `{"player":{"color":"blue"}}`), 2), 20, 0},
		{"an event of which nobody wants that value", subscribersOf(s, event("NESClick", `{"player":{"color":"red"}}`), 0), 20, 0},
		{"an event of which nobody wants the type", subscribersOf(s, event("Other", `{}`), 0), 10, 0},
		{"prolong", func() error { return s.Prolong(ctx, ann.Ref(), ann.DeleteAt.Add(time.Hour)) }, 15, 20},
		{"unsubscribe", func() error { return s.Unsubscribe(ctx, bob.Ref(), sub) }, 20, 20},
		{"forget", func() error { return s.Forget(ctx, ann.Ref()) }, 10, 20},
		{"forget what has nothing", func() error { return s.Forget(ctx, ann.Ref()) }, 10, 0},
	} {
		if reads, writes := d.costs(t, tt.call); reads > tt.reads || writes > tt.writes {
			t.Errorf("%s costs %.1f RCU and %.1f WCU, want at most %.1f and %.1f", tt.what,
				float64(reads)/10, float64(writes)/10, float64(tt.reads)/10, float64(tt.writes)/10)
		}
	}
}

func event(eventType, payload string) *sumu.EventReader {
	return sumu.NewEventReader(&sumu.Event{Type: eventType, Payload: json.RawMessage(payload)})
}

// subscribersOf reads the subscribers of an event, of which there must be n.
func subscribersOf(s sumu.SubscriptionStore, e *sumu.EventReader, n int) func() error {
	return func() error {
		found := 0
		for _, err := range s.Subscribers(context.Background(), e, "") {
			if err != nil {
				return err
			}
			found++
		}
		if found != n {
			return fmt.Errorf("%d subscribers are found, want %d", found, n)
		}
		return nil
	}
}

// others subscribes connections to what the event of TestReadsOfAnEvent is not.
func others(from, to int, subscribe func(c sumu.Connection, subs ...sumu.Subscription) error) error {
	for i := from; i < to; i++ {
		err := subscribe(costConn(fmt.Sprint("other-", i)),
			sumu.Subscription{EventType: "T", Field: "f", Filter: fmt.Sprint("value-", i)},
			sumu.Subscription{EventType: "T", Field: "f", Filter: fmt.Sprintf("prefix-%06d*", i)},
			sumu.Subscription{EventType: fmt.Sprint("U", i%100)},
		)
		if err != nil {
			return err
		}
	}
	return nil
}

// However many other connections have subscribed, to other values and types, an
// event reads the same.
func TestReadsOfAnEvent(t *testing.T) {
	client, ctx := newClient(t, components.Dynoxide(t)), t.Context()
	d := &double{next: client}
	s, err := dynamostore.NewWithState(d, newTables(t, client))
	if err != nil {
		t.Fatal(err)
	}
	sizes := []int{10, 1_000}
	if os.Getenv("SUMU_SLOW") == "1" {
		sizes = append(sizes, 10_000)
	}
	testReadsOfAnEvent(t, s, sizes, func() (reads uint64) {
		reads, _ = d.costs(t, subscribersOf(s, event("T", `{"f":"blue","n":5}`), 4))
		return reads
	}, func(c sumu.Connection, subs ...sumu.Subscription) error {
		if err := s.Put(ctx, c); err != nil {
			return err
		}
		return s.Subscribe(ctx, c, 0, subs...)
	})
}

// The same over rows in memory, counted.
func TestRowsReadForAnEvent(t *testing.T) {
	db := newMemDB()
	s, err := dynamostore.NewWithState(db, func(o *dynamostore.Options) { o.SweepConcurrency = 1 })
	if err != nil {
		t.Fatal(err)
	}
	sizes := []int{10, 1_000}
	if os.Getenv("SUMU_SLOW") == "1" {
		sizes = append(sizes, 10_000, 100_000)
	}
	testReadsOfAnEvent(t, s, sizes, func() uint64 {
		before, calls := db.RowsRead(), db.Calls("Query")
		if err := subscribersOf(s, event("T", `{"f":"blue","n":5}`), 4)(); err != nil {
			t.Fatal(err)
		}
		return uint64(1000*(db.Calls("Query")-calls) + db.RowsRead() - before)
	}, func(c sumu.Connection, subs ...sumu.Subscription) error {
		if err := s.Put(bg, c); err != nil {
			return err
		}
		return s.Subscribe(bg, c, 0, subs...)
	})
}

func testReadsOfAnEvent(
	t *testing.T, s *dynamostore.StateStore, sizes []int, reads func() uint64, subscribe func(sumu.Connection, ...sumu.Subscription) error,
) {
	err := subscribe(costConn("ann"),
		sumu.Subscription{EventType: "T"},
		sumu.Subscription{EventType: "T", Field: "f", Filter: "blue"},
		sumu.Subscription{EventType: "T", Field: "f", Filter: "blu*"},
		sumu.Subscription{EventType: "T", Field: "n", Filter: ">= 5"},
		sumu.Subscription{EventType: "T", Field: "f", Filter: "a-prefix-of-*"},
	)
	if err != nil {
		t.Fatal(err)
	}
	n, first := 0, uint64(0)
	for _, size := range sizes {
		if err := others(n, size, subscribe); err != nil {
			t.Fatal(err)
		}
		n = size
		got := reads()
		if t.Logf("%d others: %d", n, got); first == 0 {
			first = got
		}
		if got != first {
			t.Errorf("an event reads %d with %d others, %d with %d", got, n, first, sizes[0])
		}
	}
}
