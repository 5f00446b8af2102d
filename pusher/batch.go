package pusher

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sumu-live/sumu"
)

const (
	// maxHeld is how many targets wait for their batch to be posted, and
	// maxFlying how many are being posted when no more batches are begun: what
	// bounds their memory, and what a deadline leaves to the remainder.
	maxHeld   = 8_000
	maxFlying = 8_000
	// maxBatchBytes is how long the ids of a batch may be together.
	maxBatchBytes = 512 << 10
	// maxWait is how long a target waits for others of its batch.
	maxWait  = 500 * time.Millisecond
	maxSpare = 8
	// prunesAtOnce is how many rows that a batch found gone are removed at a time.
	prunesAtOnce = 8
)

// batch is targets of one payload at one endpoint, which one request posts to.
type batch struct {
	key   batchKey
	jobs  []job
	conns []sumu.Connection // of the jobs, while they are posted
	bytes int
	since time.Time
}

type batchKey struct {
	plan     *plan
	src      *source
	endpoint string
}

// batches are the targets that wait for others of their batch, or for their
// batch to be posted. Under the run's lock.
type batches struct {
	sender sumu.BatchSender // nil: there are none
	most   int              // targets of one
	open   map[batchKey]*batch
	order  []*batch // the open ones, the oldest first
	full   []*batch // to be posted next
	spare  []*batch
	held   int // targets in open and full
	flying int // targets that are posted just now
}

func (b *batches) init(p *Pusher) {
	if s, ok := p.sender.(sumu.BatchSender); ok && p.opts.Batch > 0 {
		b.sender, b.most, b.open = s, p.opts.Batch, make(map[batchKey]*batch)
	}
}

// take puts a post into its batch. It reports false for one that is made alone.
func (b *batches) take(j *job) bool {
	if b.sender == nil || j.alone || j.src.topic {
		return false
	}
	most := min(b.limit(&j.conn), b.most)
	if most < 2 {
		return false
	}
	key := batchKey{j.plan, j.src, j.conn.Endpoint}
	of := b.open[key]
	if of == nil {
		of = b.fresh()
		of.key, of.since = key, time.Now()
		b.open[key] = of
		b.order = append(b.order, of)
	}
	j.batched = true
	of.jobs = append(of.jobs, *j)
	of.bytes += len(j.conn.ID)
	b.held++
	if len(of.jobs) >= most || of.bytes >= maxBatchBytes {
		b.close(of)
	}
	return true
}

func (b *batches) limit(c *sumu.Connection) (most int) {
	_ = safely(func() error { most = b.sender.MaxBatch(*c); return nil }) // A panic: none.
	return most
}

func (b *batches) fresh() *batch {
	n := len(b.spare)
	if n == 0 {
		return new(batch)
	}
	of := b.spare[n-1]
	b.spare = b.spare[:n-1]
	return of
}

// close lets an open batch be posted.
func (b *batches) close(of *batch) {
	delete(b.open, of.key)
	for i := range b.order {
		if b.order[i] == of {
			b.order = append(b.order[:i], b.order[i+1:]...)
			break
		}
	}
	b.full = append(b.full, of)
}

// crowded closes what has waited long enough, and, when too many are held and
// none are full, the largest. It reports whether no more may be held.
func (b *batches) crowded() bool {
	for len(b.order) > 0 && time.Since(b.order[0].since) >= maxWait {
		b.close(b.order[0])
	}
	if b.held < maxHeld {
		return false
	}
	if len(b.full) == 0 {
		largest := b.order[0]
		for _, of := range b.order {
			if len(of.jobs) > len(largest.jobs) {
				largest = of
			}
		}
		b.close(largest)
	}
	return true
}

// due reports whether a full batch may be posted now.
func (b *batches) due() bool { return len(b.full) > 0 && b.flying < maxFlying }

// next returns a batch to be posted; nil when there is none, or those under way
// must land first. With last, those that are not full are posted as well.
func (b *batches) next(last bool) *batch {
	if b.flying >= maxFlying {
		return nil
	}
	if last && len(b.full) == 0 && len(b.order) > 0 {
		b.close(b.order[0])
	}
	if len(b.full) == 0 {
		return nil
	}
	of := b.full[0]
	b.full = b.full[1:]
	b.held -= len(of.jobs)
	b.flying += len(of.jobs)
	return of
}

// landed takes a batch back whose posts are settled.
func (b *batches) landed(of *batch) {
	b.flying -= len(of.jobs)
	clear(of.conns)
	*of = batch{jobs: of.jobs[:0], conns: of.conns[:0]}
	if len(b.spare) < maxSpare {
		b.spare = append(b.spare, of)
	}
}

// waiting are the targets that were held and not posted.
func (b *batches) waiting() (jobs []job) {
	for _, of := range append(b.full, b.order...) {
		jobs = append(jobs, of.jobs...)
	}
	return jobs
}

// postBatch tries once, for all.
func (r *run) postBatch(t *patience, of *batch) {
	var refused error
	switch {
	case r.stopped.Load():
		refused = errNotStarted
	case of.key.plan.expired(r.p):
		refused = errExpired
	}
	if refused != nil {
		for i := range of.jobs {
			of.jobs[i].err = refused
		}
		return
	}
	for i := range of.jobs {
		of.jobs[i].tries++
		of.conns = append(of.conns, of.jobs[i].conn)
	}
	outcomes, err := postBatch(t.begin(), r.batches.sender, of)
	late := t.done()
	if err == nil && len(outcomes) != len(of.jobs) {
		err = errNoOutcome
	}
	gone := make([]*job, 0)
	for i := range of.jobs {
		j := &of.jobs[i]
		if j.err = err; err == nil {
			j.err = outcomes[i]
		}
		if late && j.err != nil {
			j.err = t.timedOut(j.err)
		}
		if errors.Is(j.err, sumu.ErrGone) {
			gone = append(gone, j)
		}
	}
	r.pruneAll(gone)
	for i := range of.jobs {
		if !of.jobs[i].refused() {
			r.p.observePosted(r.ctx, &of.jobs[i])
		}
	}
}

var errNoOutcome = &sumu.Error{Op: "the batch has other outcomes than connections", Kind: sumu.ErrUnavailable}

func postBatch(ctx context.Context, s sumu.BatchSender, of *batch) (outcomes []error, err error) {
	defer sumu.RecoverTo(&err)
	return s.PostBatch(ctx, of.conns, of.key.src.payload), nil
}

// refused reports whether a batch did not post to the connection, which must be
// posted to alone.
func (j *job) refused() bool {
	return j.batched && errors.Is(j.err, sumu.ErrUnsupported) && !sumu.Retryable(j.err)
}

// pruneAll removes the rows of a batch that are gone: all of a node's, when it
// has begun anew.
func (r *run) pruneAll(gone []*job) {
	limit := min(prunesAtOnce, r.p.opts.Concurrency, len(gone))
	if limit <= 1 {
		for _, j := range gone {
			r.prune(j)
		}
		return
	}
	var wg sync.WaitGroup
	var taken atomic.Int64
	for range limit {
		wg.Go(func() {
			for i := taken.Add(1); i <= int64(len(gone)); i = taken.Add(1) {
				r.prune(gone[i-1])
			}
		})
	}
	wg.Wait()
}
