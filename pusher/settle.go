package pusher

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"github.com/sumu-live/sumu"
)

// turn settles the posts of a worker and gives it the next ones. It reports
// false when there is nothing left for it.
func (r *run) turn(t *task) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	done := t.jobs
	if t.batch != nil {
		done = t.batch.jobs
	}
	for i := range done {
		r.settle(&done[i])
		done[i] = job{}
	}
	if t.batch != nil {
		r.batches.landed(t.batch)
	}
	t.jobs, t.batch = t.jobs[:0], nil
	r.fill(t)
	r.taken += len(t.jobs)
	more := len(r.ready) > 0 || !r.ended || r.batches.held > 0
	switch {
	case len(t.jobs) == 0 && t.batch == nil:
		r.workers--
		return false
	case more && r.workers < r.p.opts.Concurrency && !r.stopped.Load():
		r.workers++
		r.wg.Go(r.work)
	}
	return true
}

// fill gives a worker posts to be made alone, or else a batch.
func (r *run) fill(t *task) {
	want := min(maxChunk, 1+r.taken/(4*r.p.opts.Concurrency))
	last := false // Nothing more comes into a batch by itself.
	for len(t.jobs) < want && !last && !r.batches.crowded() && !r.batches.due() {
		j, ok := r.take()
		if !ok {
			last = true
		} else if !r.batches.take(j) {
			j.batched = false
			t.jobs = append(t.jobs, j)
		}
	}
	if len(t.jobs) > 0 || r.batches.held == 0 {
		return
	}
	if err := r.due(); err != nil {
		r.stopLocked(err)
	}
	if !r.stopped.Load() {
		t.batch = r.batches.next(last)
	}
}

// take returns the next post that may be made now.
func (r *run) take() (job, bool) {
	if len(r.ready) > 0 && !r.stopped.Load() {
		j := r.ready[0]
		r.ready = r.ready[1:]
		return j, true
	}
	for !r.ended {
		if err := r.due(); err != nil {
			r.stopLocked(err)
		}
		if r.stopped.Load() {
			break
		}
		rw, ok := r.next()
		if !ok {
			r.ended = true
			if err := r.due(); err != nil {
				r.stopLocked(err) // It may have ended early for that.
			}
			break
		}
		if j, ok := r.found(rw); ok {
			return j, true
		}
	}
	return job{}, false
}

// due returns why no more posts may be started.
func (r *run) due() error {
	if err := r.ctx.Err(); err != nil {
		return err
	}
	if !r.stopAt.IsZero() && !time.Now().Before(r.stopAt) {
		return errDeadline
	}
	return nil
}

// found keeps account of what the stream yields. It reports whether that is a
// target to post to now.
func (r *run) found(rw row) (job, bool) {
	pl := rw.unit.plan
	if pl.found || pl.cut != nil {
		return job{}, false // Stopped on the way: expired, or its scan has failed.
	}
	pl.reached = rw.unit
	switch {
	case rw.end:
		pl.passed(rw.unit)
		return job{}, false
	case rw.err != nil:
		r.lookupFailed(pl, rw)
		return job{}, false
	case pl.expired(r.p):
		pl.result.Err = errExpired
		pl.found = true
		return job{}, false
	}
	ref := rw.conn.Ref()
	pl.last = place{ref, rw.cursor}
	if rw.unit.named() {
		pl.passed(rw.unit)
	}
	if pl.excluded(ref) || has(pl.seen, ref) {
		return job{}, false
	}
	if pl.seen != nil {
		pl.seen[ref] = struct{}{}
	}
	pl.result.Targets++
	j := job{plan: pl, src: rw.src, conn: rw.conn, err: rw.refused}
	if j.err != nil {
		pl.fail(&j)
		return job{}, false
	}
	return r.admit(j)
}

func (r *run) lookupFailed(pl *plan, rw row) {
	if rw.unit.named() && errors.Is(rw.err, sumu.ErrGone) {
		pl.result.Targets++
		pl.result.Gone++
		pl.passed(rw.unit)
		return
	}
	if err := r.due(); err != nil {
		r.stopLocked(err) // The stream was cut, and goes on where it has come to.
		return
	}
	if pl.result.Err == nil {
		pl.result.Err = rw.err
	}
	if rw.unit.resumes() {
		pl.cut = rw.err
		return
	}
	f := failedUnit{rw.unit.index, pl.last.ref}
	if mayYet(rw.err) {
		pl.failedUnits = append(pl.failedUnits, f)
	} else {
		pl.lostUnits = append(pl.lostUnits, f)
	}
	pl.passed(rw.unit)
}

// mayYet reports whether a look-up may succeed later. A right that is missing
// is one that somebody will add.
func mayYet(err error) bool { return sumu.Retryable(err) || errors.Is(err, sumu.ErrForbidden) }

// passed moves the search behind a unit: at its end, and at once where a stop
// before its end must not have it looked up again.
func (pl *plan) passed(u unit) {
	pl.reached.index = u.index + 1
	pl.last = place{}
	pl.found = pl.reached.index == pl.size()
}

// admit puts a post behind an earlier one to the same connection, if there is
// one. It reports whether the post may be made now.
func (r *run) admit(j job) (job, bool) {
	if r.lines == nil {
		return j, true
	}
	l := r.lines[j.conn.Ref()]
	switch {
	case l == nil:
		r.lines[j.conn.Ref()] = &line{}
		return j, true
	case l.gone:
		j.plan.result.Gone++
		return job{}, false
	}
	l.waiting = append(l.waiting, j)
	return job{}, false
}

// settle accounts for a post that was tried, or could not be started.
func (r *run) settle(j *job) {
	res := &j.plan.result
	switch {
	case j.err == nil:
		res.Delivered++
	case errors.Is(j.err, errNotStarted):
		j.plan.leave(j)
	case j.refused():
		j.tries--
		j.alone = true
		r.ready = append(r.ready, *j)
		return // Its line waits as well.
	case errors.Is(j.err, sumu.ErrGone):
		res.Gone++
	case errors.Is(j.err, sumu.ErrForbidden):
		// A fault of configuration: every post would fail, none is proved gone.
		r.stopLocked(j.err)
		r.again(j)
	case !sumu.Retryable(j.err):
		j.plan.fail(j)
	case j.tries < r.p.opts.Tries && len(r.retry) < maxRetrying && !r.stopped.Load():
		r.retry = append(r.retry, *j)
		return // Its line waits as well.
	default:
		r.again(j)
	}
	r.advance(j)
}

// advance lets the next post to the same connection go.
func (r *run) advance(j *job) {
	l := r.lines[j.conn.Ref()]
	switch {
	case l == nil:
	case errors.Is(j.err, sumu.ErrGone):
		l.gone = true
		for _, w := range l.waiting {
			w.plan.result.Gone++
		}
		l.waiting = nil
	case len(l.waiting) > 0:
		r.ready = append(r.ready, l.waiting[0])
		l.waiting = l.waiting[1:]
	default:
		delete(r.lines, j.conn.Ref())
	}
}

// again leaves a target that was tried to the remainder, or fails it when that
// was the last attempt.
func (r *run) again(j *job) {
	pl := j.plan
	pl.again = append(pl.again, target{j.conn.Ref(), j.src})
	if pl.n.Attempt+1 >= r.p.opts.Attempts {
		pl.fail(j)
	} else {
		pl.result.Requeued++
	}
	if len(pl.again) >= maxAgain {
		r.stopLocked(errTooMany)
	}
}

var (
	errExpired  = &sumu.Error{Op: "notification", Kind: sumu.ErrExpired}
	errDeadline = &sumu.Error{Op: "stopped before the deadline", Kind: sumu.ErrUnavailable}
	errTooMany  = &sumu.Error{Op: "stopped because too many posts fail", Kind: sumu.ErrUnavailable}
)

func (pl *plan) fail(j *job) {
	pl.result.Failed++
	if len(pl.result.Failures) < sumu.MaxFailures {
		pl.result.Failures = append(pl.result.Failures, sumu.Failure{Target: j.conn.Ref(), Err: j.err})
	}
}

func compareRefs(a, b sumu.ConnectionRef) int {
	return cmp.Or(cmp.Compare(a.UserID, b.UserID), cmp.Compare(a.ConnectionID, b.ConnectionID))
}

func (pl *plan) leave(j *job) { pl.left = append(pl.left, target{j.conn.Ref(), j.src}) }

// settleRest accounts for what is still waiting when the run has ended.
func (r *run) settleRest() {
	for i := range r.retry {
		r.again(&r.retry[i])
	}
	rest := append(r.ready, r.batches.waiting()...)
	for _, l := range r.lines {
		rest = append(rest, l.waiting...)
	}
	slices.SortFunc(rest, func(a, b job) int { return compareRefs(a.conn.Ref(), b.conn.Ref()) })
	for i := range rest {
		if rest[i].tries > 0 {
			r.again(&rest[i])
		} else {
			rest[i].plan.leave(&rest[i])
		}
	}
	for _, pl := range r.plans {
		if !pl.found && pl.result.Err == nil {
			pl.result.Err = r.cause
		}
	}
}
