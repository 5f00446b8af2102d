package pusher

import (
	"errors"
	"iter"
	"time"

	"github.com/sumu-live/sumu"
)

// fill gives a worker posts to be made alone, or else a batch.
func (r *run) fill(t *task) {
	t.want = min(maxChunk, 1+r.taken/(4*r.p.opts.Concurrency))
	last := false // Nothing more comes into a batch by itself.
	for !last && !r.full(t) {
		if len(r.ready) > 0 && !r.stopped.Load() {
			j := &r.ready[0]
			r.ready = r.ready[1:]
			r.give(t, j)
		} else {
			last = !r.read(t)
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

// full reports whether a worker has something to do first.
func (r *run) full(t *task) bool {
	return len(t.jobs) >= t.want || r.batches.crowded() || r.batches.due()
}

// give hands a post to a worker, or to its batch.
func (r *run) give(t *task, j *job) {
	if !r.batches.take(j) {
		j.batched = false
		t.jobs = append(t.jobs, *j)
	}
}

// read goes on with the stream until the task is full. It reports false when
// nothing more comes from there.
func (r *run) read(t *task) bool {
	if r.ended || r.halted() {
		return false
	}
	if r.next == nil {
		next, stop := iter.Pull(r.stream())
		r.next, r.close = next, append(r.close, stop)
	}
	r.filling = t
	if _, ok := r.next(); !ok {
		r.ended = true
		r.halted() // It may have ended early for that.
	}
	return true
}

// stream puts what the look-ups find into tasks. It is a coroutine, and goes
// back to the worker that has called it when that one's task is full: to go to
// and fro for each row would cost more than the row.
func (r *run) stream() iter.Seq[struct{}] {
	return func(yield func(struct{}) bool) {
		for rw := range r.p.rows(r.look, r.plans) {
			if r.found(rw) {
				r.give(r.filling, &r.job)
			}
			if (r.full(r.filling) || r.halted()) && !yield(struct{}{}) {
				return
			}
		}
	}
}

// maxEarly is how many connections of one user are found before the first post
// of a push to that user alone.
const maxEarly = 64

// readEarly looks up a single user, or a single connection, at once: the most
// common push of all needs no coroutine, and knows how many posts there are.
// Of a user with more connections the stream finds the others.
func (r *run) readEarly() {
	pl := r.plans[0]
	u := unit{pl, 0}
	if len(r.plans) > 1 || pl.found || pl.size() > 1 || !u.isUser() && !u.named() || r.halted() {
		return
	}
	more := false
	r.p.lookup(r.look, func(rw *row) bool {
		if r.found(rw) {
			r.ready = append(r.ready, r.job)
		}
		more = len(r.ready) == maxEarly
		return !more && !r.halted()
	}).look(u)
	r.ended = !more
	pl.early = pl.last.ref.ConnectionID
	r.halted() // It may have ended early for that.
}

// halted stops the run when it is due, and reports whether it has stopped.
func (r *run) halted() bool {
	if err := r.due(); err != nil {
		r.stopLocked(err)
	}
	return r.stopped.Load()
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
// target to post to now: r.job.
func (r *run) found(rw *row) bool {
	pl := rw.unit.plan
	if pl.found || pl.cut != nil {
		return false // Stopped on the way: expired, or its scan has failed.
	}
	pl.reached = rw.unit
	switch {
	case rw.end:
		pl.passed(rw.unit)
		return false
	case rw.err != nil:
		r.lookupFailed(pl, rw)
		return false
	case pl.expired(r.p):
		pl.result.Err = errExpired
		pl.found = true
		return false
	}
	ref := rw.conn.Ref()
	pl.last = place{ref, rw.cursor}
	if rw.unit.named() || rw.unit.isChannel() && r.p.topics != nil {
		pl.passed(rw.unit)
	}
	if pl.excluded(ref) || has(pl.seen, ref) {
		return false
	}
	if pl.seen != nil {
		pl.seen[ref] = struct{}{}
	}
	pl.result.Targets++
	r.job = job{plan: pl, src: rw.src, conn: rw.conn, err: rw.refused}
	if rw.refused != nil {
		pl.fail(&r.job)
		return false
	}
	return r.admit(&r.job)
}

func (r *run) lookupFailed(pl *plan, rw *row) {
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
	switch {
	case isFault(rw.err):
		pl.downUnits = append(pl.downUnits, f)
	case sumu.Retryable(rw.err):
		pl.failedUnits = append(pl.failedUnits, f)
	default:
		pl.lostUnits = append(pl.lostUnits, f)
	}
	pl.passed(rw.unit)
}

// passed moves the search behind a unit: at its end, and at once where a stop
// before its end must not have it looked up again.
func (pl *plan) passed(u unit) {
	pl.reached.index = u.index + 1
	pl.last = place{}
	pl.found = pl.reached.index == pl.size()
}
