package memstore

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/leak"
)

func TestAFeedThatNobodyReadsIsReleased(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		s := new(Store)
		ctx, cancel := context.WithCancel(t.Context())
		s.Changes(ctx)
		stays := s.Changes(t.Context())
		if n := len(*s.subscribers.Load()); n != 2 {
			t.Fatalf("there are %d subscribers, want 2", n)
		}
		if err := s.Put(t.Context(), sumu.Connection{UserID: "u1", ID: "c1"}); err != nil {
			t.Fatal(err)
		}
		sub := (*s.subscribers.Load())[0]
		cancel()
		synctest.Wait()
		if n := len(*s.subscribers.Load()); n != 1 {
			t.Errorf("there are %d subscribers, want 1", n)
		}
		sub.add("u2", "c1") // A write that began before the end.
		if sub.pending != nil || sub.order != nil {
			t.Errorf("the subscriber holds %v, %v", sub.pending, sub.order)
		}
		for c := range stays {
			if c.UserID != "u1" {
				t.Errorf("the other feed yields %v", c)
			}
			break
		}
	})
}

func TestPendingChangesAreBoundedByTheUsers(t *testing.T) {
	sub := &subscriber{pending: make(map[string]string), wake: make(chan struct{}, 1)}
	// A reader that is always a bit behind: order must not grow with the writes.
	for i := range 100 * keepPending {
		sub.add(fmt.Sprint("u", i%(2*keepPending)), "c")
		if i >= keepPending {
			sub.next()
		}
		if n := len(sub.order); n > 6*keepPending {
			t.Fatalf("after %d changes the order has %d entries", i, n)
		}
	}
	for {
		if _, ok := sub.next(); !ok {
			break
		}
	}
	if len(sub.pending) != 0 || len(sub.order) != sub.head {
		t.Errorf("%d changes are pending, %d in order, read up to %d", len(sub.pending), len(sub.order), sub.head)
	}
}

func TestNobodyIsToldTwiceOfOneChange(t *testing.T) {
	sub := &subscriber{pending: make(map[string]string), wake: make(chan struct{}, 1)}
	const users = 5 * keepPending
	for i := range users {
		sub.add(fmt.Sprint("u", i), "c")
	}
	for i := range users {
		if c, ok := sub.next(); !ok || c.UserID != fmt.Sprint("u", i) || c.ConnectionID != "c" {
			t.Fatalf("change %d is %v, %t", i, c, ok)
		}
	}
	if c, ok := sub.next(); ok {
		t.Fatalf("there is one more: %v", c)
	}
}
