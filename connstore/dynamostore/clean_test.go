package dynamostore_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/dynamostore"
	"github.com/sumu-live/sumu/connstore/sweep"
)

// A connection whose row is gone, while nobody forgot what it had, is in no
// channel any more once it has expired, was forgotten, or the cleaner has seen
// its change; and none of them scans.
func TestMembersWithoutARowDisappear(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, s *dynamostore.StateStore, now *time.Time, ref sumu.ConnectionRef){
		"by expiry": func(_ *testing.T, _ *dynamostore.StateStore, now *time.Time, _ sumu.ConnectionRef) {
			*now = now.Add(time.Hour)
		},
		"by Forget": func(t *testing.T, s *dynamostore.StateStore, _ *time.Time, ref sumu.ConnectionRef) {
			if err := s.Forget(t.Context(), ref); err != nil {
				t.Error(err)
			}
		},
		"by the cleaner": func(t *testing.T, s *dynamostore.StateStore, _ *time.Time, ref sumu.ConnectionRef) {
			cleaner, err := sweep.NewCleaner(s)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := cleaner.Observe(t.Context(), sumu.Change(ref)); err != nil {
				t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			now := time.Unix(1_800_000_000, 0)
			db := newMemDB()
			s, err := dynamostore.NewWithState(db, func(o *dynamostore.Options) { o.Now, o.SweepConcurrency = func() time.Time { return now }, 1 })
			if err != nil {
				t.Fatal(err)
			}
			ctx, sub := t.Context(), sumu.Subscription{EventType: "T"}
			c := sumu.Connection{UserID: "ann", ID: "c1", DeleteAt: now.Add(time.Hour)}
			err = errors.Join(s.Put(ctx, c), s.RaiseShards(ctx, "room", 3), s.Join(ctx, c, "room", 9), s.Subscribe(ctx, c, 9, sub), s.Delete(ctx, c.Ref()))
			if err != nil {
				t.Fatal(err)
			}
			if n := membersOf(ctx, t, s) + subscribers(ctx, t, s); n != 2 {
				t.Fatalf("there are %d, want a member and a subscriber", n)
			}
			end(t, s, &now, c.Ref())
			if n := membersOf(ctx, t, s) + subscribers(ctx, t, s); n != 0 {
				t.Errorf("%d are left", n)
			}
			if n := db.Calls("Scan"); n > 0 {
				t.Errorf("the table is scanned %d times", n)
			}
		})
	}
}

func membersOf(ctx context.Context, t *testing.T, s *dynamostore.StateStore) (n int) {
	for _, err := range s.Members(ctx, "room", "") {
		if err != nil {
			t.Error(err)
		}
		n++
	}
	return n
}

func subscribers(ctx context.Context, t *testing.T, s *dynamostore.StateStore) (n int) {
	for _, err := range s.Subscribers(ctx, event("T", `{}`), "") {
		if err != nil {
			t.Error(err)
		}
		n++
	}
	return n
}
