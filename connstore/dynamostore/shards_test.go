package dynamostore_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/dynamostore"
)

func newMemStore(t testing.TB, db *memDB) *dynamostore.StateStore {
	t.Helper()
	s, err := dynamostore.NewWithState(db, func(o *dynamostore.Options) {
		o.SweepConcurrency, o.PageSize = 1, 7
		o.Now = func() time.Time { return time.Unix(1_800_000_000, 0) }
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestRaiseShards(t *testing.T) {
	db := newMemDB()
	s := newMemStore(t, db)
	for _, n := range []int{0, -1, dynamostore.MaxShards + 1} {
		if err := s.RaiseShards(bg, "room", n); !errors.Is(err, sumu.ErrInvalid) {
			t.Errorf("%d shards: %v", n, err)
		}
	}
	if err := s.RaiseShards(bg, "a b", 2); !errors.Is(err, sumu.ErrInvalid) {
		t.Errorf("shards of a channel that cannot be: %v", err)
	}
	joined := make(map[string]sumu.Connection)
	join := func(from, to int) {
		for i := from; i < to; i++ {
			c := sumu.Connection{UserID: fmt.Sprint("u", i), ID: "c"}
			if err := errors.Join(s.Put(bg, c), s.Join(bg, c, "room", 0)); err != nil {
				t.Fatal(err)
			}
			joined[c.UserID] = c
		}
	}
	check := func() {
		t.Helper()
		seen, after := make(map[string]bool), ""
		for { // Resumed behind every third.
			n := 0
			for m, err := range s.Members(bg, "room", after) {
				if err != nil {
					t.Fatal(err)
				}
				if seen[m.Connection.UserID] || joined[m.Connection.UserID].ID == "" {
					t.Errorf("%s comes twice, or is no member", m.Connection.UserID)
				}
				seen[m.Connection.UserID], after = true, m.Cursor
				if n++; n == 3 {
					break
				}
			}
			if n == 0 {
				break
			}
		}
		count, err := s.CountMembers(bg, "room")
		if len(seen) != len(joined) || count != len(joined) || err != nil {
			t.Errorf("%d members come, %d are counted, %v; want %d", len(seen), count, err, len(joined))
		}
	}
	join(0, 50)
	check()
	for i, n := range []int{4, 4, 17} {
		if err := s.RaiseShards(bg, "room", n); err != nil {
			t.Fatal(err)
		}
		check()
		join(50+50*i, 100+50*i)
		// Those who join again stay where they are.
		join(0, 50)
		check()
	}
	if err := s.RaiseShards(bg, "room", 16); !errors.Is(err, sumu.ErrInvalid) {
		t.Errorf("shards are taken away: %v", err)
	}
	shards := make(map[string]int)
	for key := range db.Rows("state") {
		if strings.HasPrefix(key[1], "member/") {
			shards[key[0]]++
		}
	}
	if len(shards) < 14 {
		t.Errorf("the members are in %d shards, want most of 17: %v", len(shards), shards)
	}
	for user, c := range joined {
		is, err := s.IsMember(bg, c.Ref(), "room")
		if !is || err != nil {
			t.Errorf("IsMember of %s is %t, %v", user, is, err)
		}
		if err := errors.Join(s.Leave(bg, c.Ref(), "room")); err != nil {
			t.Fatal(err)
		}
		delete(joined, user)
	}
	check()
}

// What a crash has left without a reverse row is found in whatever shard.
func TestLeaveFindsWhatACrashHasLeft(t *testing.T) {
	db := newMemDB()
	s := newMemStore(t, db)
	c := sumu.Connection{UserID: "ann", ID: "c"}
	if err := errors.Join(s.Put(bg, c), s.RaiseShards(bg, "room", 5), s.Join(bg, c, "room", 0), s.Subscribe(bg, c, 0, sumu.Subscription{EventType: "T"})); err != nil {
		t.Fatal(err)
	}
	for key := range db.Rows("state") {
		if strings.HasPrefix(key[0], "attached/") {
			db.Set("state", key, nil)
		}
	}
	if n, err := s.CountMembers(bg, "room"); n != 1 || err != nil {
		t.Fatalf("%d members, %v", n, err)
	}
	if err := errors.Join(s.Leave(bg, c.Ref(), "room"), s.Unsubscribe(bg, c.Ref(), sumu.Subscription{EventType: "T"})); err != nil {
		t.Fatal(err)
	}
	for key := range db.Rows("state") {
		if strings.HasPrefix(key[1], "member/") || strings.HasPrefix(key[1], "sub/") {
			t.Errorf("%q is left", key)
		}
	}
}

func FuzzCursors(f *testing.F) {
	for _, cursor := range []string{"0/", "0/" + strings.Repeat("A", 43), "999/" + strings.Repeat("_", 43), "MA.QQ", "MQ.QQ", "MS8wL2Y.QQ"} {
		f.Add(cursor)
	}
	s := newMemStore(f, newMemDB())
	f.Fuzz(func(t *testing.T, cursor string) {
		for _, err := range s.Members(bg, "room", cursor) {
			if !errors.Is(err, sumu.ErrInvalid) {
				t.Errorf("members after %q: %v", cursor, err)
			}
		}
		for _, err := range s.Subscribers(bg, event("T", `{}`), cursor) {
			if !errors.Is(err, sumu.ErrInvalid) {
				t.Errorf("subscribers after %q: %v", cursor, err)
			}
		}
	})
}
