package main

import (
	"context"
	"iter"
	"log/slog"
	"sync"
	"time"

	"github.com/sumu-live/sumu"
)

// cleaned is a feed whose changes a cleaner sees too. It works beside whoever
// follows the feed, who need not wait for it, and is behind by few changes: the
// next reader of the stream begins a minute earlier than this one ended, so that
// what it had not got to yet comes again.
type cleaned struct {
	feed    sumu.ChangeFeed
	cleaner sumu.PresenceWatcher
	log     *slog.Logger
}

// cleanAhead is by how many changes the cleaner may be behind, and how many it
// gets at most at a time.
const cleanAhead = 100

func (f cleaned) Changes(ctx context.Context) iter.Seq[sumu.Change] {
	changes := f.feed.Changes(ctx)
	return func(yield func(sumu.Change) bool) {
		ctx, cancel := context.WithCancel(ctx)
		todo := make(chan sumu.Change, cleanAhead)
		var cleaning sync.WaitGroup
		defer cleaning.Wait()
		defer cancel()
		cleaning.Go(func() { f.clean(ctx, todo) })
		for c := range changes {
			select {
			case todo <- c:
			case <-ctx.Done():
				return
			}
			if !yield(c) {
				return
			}
		}
	}
}

// clean tries again what failed, until ctx ends.
func (f cleaned) clean(ctx context.Context, todo <-chan sumu.Change) {
	var batch []sumu.Change
	for ctx.Err() == nil {
		if len(batch) == 0 {
			select {
			case c := <-todo:
				batch = append(batch, c)
			case <-ctx.Done():
				return
			}
		}
		for more := true; more && len(batch) < cleanAhead; {
			select {
			case c := <-todo:
				batch = append(batch, c)
			default:
				more = false
			}
		}
		outcomes, err := f.cleaner.Observe(ctx, batch...)
		again := batch[:0]
		for i, err := range outcomes {
			if err != nil && sumu.Retryable(err) {
				again = append(again, batch[i])
			}
		}
		batch = again
		if err != nil && ctx.Err() == nil {
			f.log.Warn("what connections have left was not removed", "again", len(again), "err", err)
			pause(ctx, time.Second)
		}
	}
}
