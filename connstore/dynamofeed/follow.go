package dynamofeed

import (
	"context"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/sumu-live/sumu"
)

// Changes yields the changes that happen after the call, until ctx ends; some
// that happened before may come too, and any may come twice. It waits until its
// place in the stream is known, or ctx has ended. Nothing runs but in the loop
// over it: what nobody reads stays in the stream. A loop that is left can be
// entered again, and goes on where it ended.
func (f *Feed) Changes(ctx context.Context) iter.Seq[sumu.Change] {
	r := &reader{f: f, shards: make(map[shardID]*shard), wake: make(chan struct{}, 1), changes: make(chan sumu.Change)}
	for try := 1; ; try++ {
		err := r.subscribe(ctx)
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return func(func(sumu.Change) bool) {}
		}
		f.opts.Logger.WarnContext(ctx, "the stream cannot be followed yet", "table", f.opts.Table, "error", err)
		if pause(ctx, backoff(try)) != nil {
			return func(func(sumu.Change) bool) {}
		}
	}
	return func(yield func(sumu.Change) bool) { r.read(ctx, yield) }
}

// reader is one call of Changes.
type reader struct {
	f       *Feed
	wake    chan struct{}    // holds one token when a shard has ended
	changes chan sumu.Change // unbuffered: what was sent was taken, in that order

	reading sync.Mutex // one loop at a time
	stream  string     // the ARN of the table's stream

	mu     sync.Mutex // below, and the shards' places
	shards map[shardID]*shard

	snapshots []snapshot // of the last minute; see positions.go
	rev       int64      // of the record of positions
}

// shardID names a shard: ids are unique in their stream alone.
type shardID struct{ stream, id string }

// shard is a shard and the place in it.
type shard struct {
	shardID
	parent string

	iterator *string // nil: to be made from seq
	latest   bool    // the iterator that is to be made is for what comes
	seq      string  // the last record that was told; "": from the beginning
	done     bool    // read to its end
	running  bool
}

// read follows all shards until ctx or the loop ends.
func (r *reader) read(ctx context.Context, yield func(sumu.Change) bool) {
	r.reading.Lock()
	defer r.reading.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() { r.manage(ctx, &wg) })
	for {
		select {
		case c := <-r.changes:
			if !yield(c) {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// manage starts the shards whose turn has come, looks for new ones, and keeps
// the positions.
func (r *reader) manage(ctx context.Context, wg *sync.WaitGroup) {
	discover := time.NewTicker(r.f.opts.DiscoverEvery)
	defer discover.Stop()
	save := time.NewTicker(saveEvery)
	defer save.Stop()
	for {
		for _, s := range r.ready() {
			wg.Go(func() { r.follow(ctx, s) })
		}
		select {
		case <-ctx.Done():
			return
		case <-save.C:
			r.keepPositions(ctx)
			continue
		case <-r.wake:
		case <-discover.C:
		}
		if err := r.discover(ctx); err != nil && ctx.Err() == nil {
			r.f.opts.Logger.WarnContext(ctx, "shards of the stream were not found, will try again", "table", r.f.opts.Table, "error", err)
		}
	}
}

// ready returns the shards that can be read now, and counts them as running: a
// connection may have changes in a shard and in its parent, and those of the
// parent come first.
func (r *reader) ready() (shards []*shard) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.shards {
		parent := r.shards[shardID{s.stream, s.parent}]
		if s.done || s.running || parent != nil && !parent.done {
			continue
		}
		s.running = true
		shards = append(shards, s)
	}
	return shards
}

// discover adds the shards that are new, to be read from their beginning, and
// forgets those that the stream has forgotten.
func (r *reader) discover(ctx context.Context) error {
	stream, err := r.f.streamOf(ctx)
	if err != nil {
		return err
	}
	listed, err := r.f.shardsOf(ctx, stream)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stream = stream
	known := make(map[shardID]bool, len(listed))
	for _, l := range listed {
		known[l.shardID] = true
		if r.shards[l.shardID] == nil {
			r.shards[l.shardID] = &shard{shardID: l.shardID, parent: l.parent}
		}
	}
	maps.DeleteFunc(r.shards, func(id shardID, s *shard) bool { return s.done && !known[id] })
	return nil
}

// follow reads a shard until its end, or that of ctx.
func (r *reader) follow(ctx context.Context, s *shard) {
	defer func() {
		r.mu.Lock()
		s.running = false
		r.mu.Unlock()
		select {
		case r.wake <- struct{}{}:
		default:
		}
	}()
	for failures := 0; ctx.Err() == nil && !s.done; {
		told, err := r.page(ctx, s)
		wait := r.f.opts.PollEvery
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			failures++
			wait = backoff(failures)
			r.f.opts.Logger.WarnContext(ctx, "a shard was not read, will try again", "table", r.f.opts.Table, "shard", s.id, "error", err)
		case told >= large || s.done:
			failures, wait = 0, 0 // There may be more.
		default:
			failures = 0
		}
		_ = pause(ctx, wait)
	}
}

// large is a page behind which another is expected. DynamoDB ends pages at 1 MB
// or 1,000 records, and does not say how far behind one is.
const large = 100

// tell hands over the changes of a page. What was handed over when ctx ends is
// not told again by this reader.
func (r *reader) tell(ctx context.Context, s *shard, page []record) error {
	for _, rec := range page {
		if rec.change.UserID != "" {
			select {
			case r.changes <- rec.change:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if rec.seq != "" {
			r.mu.Lock()
			s.seq = rec.seq
			r.mu.Unlock()
		}
	}
	return nil
}

// sorted are the shards in an order that is always the same.
func (r *reader) sorted() []*shard {
	return slices.SortedFunc(maps.Values(r.shards), func(a, b *shard) int {
		return slices.Compare([]string{a.stream, a.id}, []string{b.stream, b.id})
	})
}

// backoff doubles with every failure, from 100 ms up to 10 s, with jitter.
func backoff(failures int) time.Duration {
	d := min(100*time.Millisecond<<min(failures-1, 10), 10*time.Second)
	return d/2 + rand.N(d/2+1)
}

func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
