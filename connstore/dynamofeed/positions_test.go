package dynamofeed_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sumu-live/sumu/connstore/dynamofeed"
	"github.com/sumu-live/sumu/connstore/memstore"
)

// Positions are of a minute ago: what came later comes again, and what came
// while nobody read comes too.
func TestPositions(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		f, store := newFake(), new(memstore.Store)
		f.write("a", "before")
		kept := func(o *dynamofeed.Options) { o.Positions = store }
		first, end := context.WithCancel(ctx)
		changes := newFeed(t, f, kept).Changes(first)
		var got []string
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for c := range changes {
				got = append(got, c.UserID)
			}
		}()
		f.write("a", "old")
		time.Sleep(time.Minute)
		f.split("a", "b")
		f.write("b", "young")
		time.Sleep(30 * time.Second)
		end()
		<-ended
		want(t, got, "old", "young")

		f.write("b", "meanwhile")
		f.split("b", "c")
		f.write("c", "meanwhile too")
		want(t, told(t, newFeed(t, f, kept).Changes(ctx), 3), "young", "meanwhile", "meanwhile too")

		// In a stream that replaced the other everything is new.
		f.with(func() { f.stream = "arn:2" })
		f.add("a", "")
		f.write("a", "new")
		want(t, told(t, newFeed(t, f, kept).Changes(ctx), 1), "new")
	})
}

// Who takes over within the first minute misses nothing either.
func TestFirstPositions(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		f, store := newFake(), new(memstore.Store)
		kept := func(o *dynamofeed.Options) { o.Positions = store }
		first, end := context.WithCancel(ctx)
		changes := newFeed(t, f, kept).Changes(first)
		end()
		for range changes {
			t.Error("a change was told after the end")
		}
		f.write("a", "meanwhile")
		want(t, told(t, newFeed(t, f, kept).Changes(ctx), 1), "meanwhile")
	})
}

// Of several readers each keeps its positions, over the other's.
func TestPositionsOfTwoReaders(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		f, store := newFake(), new(memstore.Store)
		short, cancel := context.WithTimeout(ctx, 5*time.Minute)
		defer cancel()
		done := make(chan struct{}, 2)
		for range 2 {
			changes := newFeed(t, f, func(o *dynamofeed.Options) { o.Positions = store }).Changes(short)
			go func() {
				defer func() { done <- struct{}{} }()
				for range changes {
				}
			}()
		}
		for i := range 20 {
			f.write("a", fmt.Sprint(i))
			time.Sleep(10 * time.Second)
		}
		<-done
		<-done
		r, err := store.LoadRecord(ctx, "stream", "connections")
		if err != nil || r.Rev < 20 || !strings.Contains(string(r.Value), `"a":"20"`) {
			t.Errorf("the record is rev %d, %s, %v", r.Rev, r.Value, err)
		}
	})
}
