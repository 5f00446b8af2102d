package main

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sumu-live/sumu"
)

// told is a feed of some changes, and then of none until its end.
type told []sumu.Change

func (f told) Changes(ctx context.Context) iter.Seq[sumu.Change] {
	return func(yield func(sumu.Change) bool) {
		for _, c := range f {
			if !yield(c) {
				return
			}
		}
		<-ctx.Done()
	}
}

// flaky is a cleaner that fails a change as often as it is told to.
type flaky struct {
	fail  map[string][]error // by connection
	asked []string
	most  int // changes at a time
}

func (c *flaky) Observe(_ context.Context, changes ...sumu.Change) ([]error, error) {
	c.most = max(c.most, len(changes))
	outcomes := make([]error, len(changes))
	for i, change := range changes {
		id := change.ConnectionID
		c.asked = append(c.asked, id)
		if left := c.fail[id]; len(left) > 0 {
			outcomes[i], c.fail[id] = left[0], left[1:]
		}
	}
	return outcomes, errors.Join(outcomes...)
}

// The cleaner sees what whoever follows the feed sees; what failed comes again,
// unless that is of no use.
func TestCleaned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := &sumu.Error{Op: "clean", Kind: sumu.ErrUnavailable}
		cleaner := &flaky{fail: map[string][]error{
			"b": {down, down},
			"c": {&sumu.Error{Op: "clean", Kind: sumu.ErrInvalid}, nil},
		}}
		feed := told{{UserID: "ann", ConnectionID: "a"}, {UserID: "bob", ConnectionID: "b"}, {UserID: "cem", ConnectionID: "c"}}
		f := cleaned{feed: feed, cleaner: cleaner, log: slog.New(slog.DiscardHandler)}
		ctx, cancel := context.WithCancel(t.Context())
		var seen told
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for c := range f.Changes(ctx) {
				seen = append(seen, c)
			}
		}()
		synctest.Wait()
		for range 5 {
			pause(ctx, 2*time.Second)
		}
		cancel()
		<-ended // And with it what it started, or the bubble complains.
		if !slices.Equal(seen, feed) {
			t.Errorf("told %v, want %v", seen, feed)
		}
		slices.Sort(cleaner.asked)
		if want := []string{"a", "b", "b", "b", "c"}; !slices.Equal(cleaner.asked, want) {
			t.Errorf("the cleaner was asked of %v, want %v", cleaner.asked, want)
		}
	})
}

// Nothing is lost, and nothing grows, while the cleaner can clean nothing.
func TestCleanedWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cleaner := &flaky{fail: make(map[string][]error)}
		var feed told
		for range 10 * cleanAhead {
			c := sumu.Change{UserID: "ann", ConnectionID: sumu.NewID()}
			feed = append(feed, c)
			cleaner.fail[c.ConnectionID] = []error{sumu.ErrUnavailable, sumu.ErrUnavailable}
		}
		f := cleaned{feed: feed, cleaner: cleaner, log: slog.New(slog.DiscardHandler)}
		ctx, cancel := context.WithCancel(t.Context())
		var seen atomic.Int64
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for range f.Changes(ctx) {
				seen.Add(1)
			}
		}()
		synctest.Wait()
		if n := seen.Load(); n > 2*cleanAhead+1 {
			t.Errorf("%d changes were told while the cleaner is at the first ones", n)
		}
		pause(ctx, time.Minute)
		cancel()
		<-ended
		if int(seen.Load()) != len(feed) || len(cleaner.asked) != 3*len(feed) || cleaner.most > cleanAhead {
			t.Errorf("%d of %d were told, %d cleaned or tried, up to %d at a time", seen.Load(), len(feed), len(cleaner.asked), cleaner.most)
		}
	})
}

// Who leaves the loop need not end its context.
func TestCleanedIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := cleaned{
			feed:    told{{UserID: "ann", ConnectionID: "a"}, {UserID: "bob", ConnectionID: "b"}},
			cleaner: new(flaky), log: slog.New(slog.DiscardHandler),
		}
		for range f.Changes(t.Context()) {
			break
		}
	})
}
