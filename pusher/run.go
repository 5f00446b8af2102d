package pusher

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sumu-live/sumu"
)

const (
	maxChunk    = 8     // targets taken by a worker at once, when there are many
	maxRetrying = 1_000 // posts waiting for another try
	maxAgain    = 5_000 // targets of one plan left to its remainder; then the run stops
)

// job is one post.
type job struct {
	plan    *plan
	src     *source
	conn    sumu.Connection
	tries   int
	err     error // of the last try; errNotStarted when there was none
	batched bool  // the last try was one of a batch
	alone   bool  // a batch has refused it
}

var errNotStarted = errors.New("not started")

// run is one call of Push. Its workers take targets from one stream, so that
// memory stays flat and the stream's position says what is left.
type run struct {
	p      *Pusher
	plans  []*plan
	ctx    context.Context
	stopAt time.Time // no post is started after; zero: no deadline

	mu      sync.Mutex
	next    func() (struct{}, bool) // goes on with the stream; called under mu; nil: it has not begun
	filling *task                   // what the stream goes into
	ended   bool                    // the stream has
	ready   []job                   // before the stream's: due again, or held back till now
	retry   []job                   // for the next round
	lines   map[sumu.ConnectionRef]*line
	batches batches
	job     job // that was found last
	taken   int
	workers int
	coming  bool // one of them has had no turn yet: it begins with the next
	wg      sync.WaitGroup

	look    context.Context // of the look-ups
	close   []func()        // releases the stream
	stopped atomic.Bool     // no more posts are started
	cause   error           // why
}

// line is the queue before one connection, in a batch of several
// notifications: they reach it in their order, also when a post is retried.
type line struct {
	waiting []job
	gone    bool
}

func newRun(ctx context.Context, p *Pusher, plans []*plan) *run {
	r := &run{p: p, ctx: ctx, plans: plans}
	if deadline, ok := ctx.Deadline(); ok {
		left := time.Until(deadline)
		r.stopAt = deadline.Add(-min(left/10, time.Second))
	}
	if len(plans) > 1 {
		r.lines = make(map[sumu.ConnectionRef]*line)
	}
	r.batches.init(p)
	// Looking up ends at stopAt: afterwards there must be time to hand the
	// remainder on.
	r.look = ctx
	if !r.stopAt.IsZero() {
		var cancel context.CancelFunc
		r.look, cancel = context.WithDeadline(ctx, r.stopAt)
		r.close = append(r.close, cancel)
	}
	return r
}

// do posts to everybody, then once more to those that may yet succeed, and so
// on: a target that has to wait holds up nobody else.
func (r *run) do() {
	defer func() {
		for _, f := range slices.Backward(r.close) {
			f()
		}
	}()
	r.readEarly()
	for round := 1; ; round++ {
		r.workers = 1
		r.work()
		r.wg.Wait()
		if len(r.retry) == 0 || !r.pause(round) {
			break
		}
		r.ready, r.retry = r.retry, nil
	}
	r.settleRest()
}

// pause waits before the next round. It reports false when the run has stopped
// or would have to stop in the meantime.
func (r *run) pause(round int) bool {
	d := min(r.p.opts.Backoff<<(round-1), 10*time.Second)
	d = d/2 + r.p.random(d/2+1)
	if r.stopped.Load() {
		return false
	}
	if !r.stopAt.IsZero() && time.Now().Add(d).After(r.stopAt) {
		r.stop(errDeadline)
		return false
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.ctx.Done():
		r.stop(r.ctx.Err())
		return false
	}
}

// stop starts no more posts. The first cause counts.
func (r *run) stop(cause error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopLocked(cause)
}

func (r *run) stopLocked(cause error) {
	if r.cause == nil {
		r.cause = cause
		r.stopped.Store(true)
	}
}

// task is what a worker does in a turn: some posts, one after another, or a batch.
type task struct {
	jobs  []job
	want  int // jobs
	batch *batch
	begun bool // there was a turn
}

// work posts until nothing is left.
func (r *run) work() {
	p := newPatience(r.ctx, r.p.opts.PostTimeout)
	defer p.end()
	var t task
	for r.turn(&t) {
		if t.batch != nil {
			r.postBatch(p, t.batch)
			continue
		}
		for i := range t.jobs {
			r.post(p, &t.jobs[i])
		}
	}
}

// post tries once.
func (r *run) post(t *patience, j *job) {
	if r.stopped.Load() {
		j.err = errNotStarted
		return
	}
	if j.plan.expired(r.p) {
		j.err = errExpired
		return
	}
	j.tries++
	j.err = t.post(r.p.sender, j)
	if errors.Is(j.err, sumu.ErrGone) && !j.src.topic {
		r.prune(j)
	}
	r.p.observePosted(r.ctx, j)
}

// prune removes the row of a connection that is gone. Its failure is not the
// push's: the row is found gone again, or expires.
func (r *run) prune(j *job) {
	ref := j.conn.Ref()
	var removed bool
	err := safely(func() (err error) {
		removed, err = r.p.store.Prune(r.ctx, ref, r.p.opts.Now().Add(-r.p.opts.PruneAge))
		if err != nil || !removed && !j.src.attached {
			return err
		}
		return r.p.detach(r.ctx, j)
	})
	if removed || err != nil {
		r.p.observePruned(r.ctx, ref, err)
	}
}
