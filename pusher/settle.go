package pusher

import (
	"cmp"
	"errors"
	"slices"

	"github.com/sumu-live/sumu"
)

// turn settles the posts of a worker and gives it the next ones. It reports
// false when there is nothing left for it.
func (r *run) turn(t *task) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !t.begun {
		t.begun, r.coming = true, false
	}
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
	case more && !r.coming && r.workers < r.p.opts.Concurrency && !r.stopped.Load():
		r.workers++
		r.coming = true
		r.wg.Go(r.work)
	}
	return true
}

// admit puts a post behind an earlier one to the same connection, if there is
// one. It reports whether the post may be made now.
func (r *run) admit(j *job) bool {
	if r.lines == nil {
		return true
	}
	l := r.lines[j.conn.Ref()]
	switch {
	case l == nil:
		r.lines[j.conn.Ref()] = &line{}
		return true
	case l.gone:
		j.plan.result.Gone++
		return false
	}
	l.waiting = append(l.waiting, *j)
	return false
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
	if r.lines == nil {
		return
	}
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
// was the last attempt or, after faults, there was no time left.
func (r *run) again(j *job) {
	pl := j.plan
	pl.note(j.err)
	t := target{j.conn.Ref(), j.src}
	last := pl.n.Attempt+1 >= r.p.opts.Attempts
	if isPostFault(j.err) {
		pl.down = append(pl.down, t)
		last = pl.outlasted
	} else {
		pl.again = append(pl.again, t)
	}
	if last {
		pl.fail(j)
	} else {
		pl.result.Requeued++
	}
	if len(pl.again)+len(pl.down) >= maxAgain {
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
