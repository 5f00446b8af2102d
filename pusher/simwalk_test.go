package pusher_test

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"testing/synctest"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/pusher"
)

// simWorker is a process with a worker of its own. A call of it runs as a
// coroutine, which the scheduler resumes for one step at a time: real code,
// but no step happens by chance of the machine.
type simWorker struct {
	w      *world
	seam   *seam
	worker *pusher.Worker

	msgs     []*queued
	outcomes []sumu.Outcome
	deadline time.Time
	cancel   context.CancelFunc
	zombie   bool                    // it goes on after its deadline
	next     func() (struct{}, bool) // nil: idle
	stop     func()
}

func newSimWorker(w *world) *simWorker {
	s := &seam{Store: w.store, w: w}
	if w.plan.skew > 0 {
		s.skew = time.Duration(w.rng.Int64N(int64(2*w.plan.skew))) - w.plan.skew
	}
	p, err := pusher.New(s, s, func(o *pusher.Options) {
		o.Concurrency, o.Lookahead = 1, 1 // On the caller's goroutine: it is the coroutine.
		o.Tries, o.Attempts, o.MaxOutage = w.plan.tries, w.plan.attempts, maxOutage
		if w.broken == attemptsUncapped {
			o.Attempts = 100
		}
		o.Now = func() time.Time { return time.Now().Add(s.skew) }
		o.Observer.Pushed = func(_ context.Context, r sumu.Result) { w.pushed(s, r) }
	})
	w.must(err)
	p.SetRandom(func(n time.Duration) time.Duration { return time.Duration(w.rng.Int64N(int64(n))) })
	k := &simWorker{w: w, seam: s}
	k.worker, err = pusher.NewWorker(p, s, func(o *pusher.WorkerOptions) {
		o.Segments, o.DeadLetter, o.Backoff = w.plan.segments, s.deadLetter, time.Second
		if w.broken != noRecords && !w.plan.unrecorded {
			o.Records = s
		}
		if w.broken == recordsExpire {
			o.Keep = time.Minute
		}
	})
	w.must(err)
	if w.plan.inline > 0 {
		k.worker.SetInline(w.plan.inline)
	}
	return k
}

// deliver begins a call with some messages of the queue.
func (k *simWorker) deliver() {
	w := k.w
	if k.msgs = w.receive(); len(k.msgs) == 0 {
		return
	}
	batch := make([]sumu.Delivery, len(k.msgs))
	for i, m := range k.msgs {
		w.tracef("deliver %s %s", m.id, m.body)
		batch[i] = sumu.Delivery{Body: m.body, MessageID: m.id, Group: m.group, Receives: m.receives}
		if w.plan.kind == fifo || w.broken == notMoved {
			batch[i].Receives = 1 // A FIFO queue would take a copy that is moved for a repetition.
		}
		if w.broken == groupForgotten {
			batch[i].Group = ""
		}
	}
	ctx, cancel := context.WithTimeout(bg, w.plan.timeout)
	k.cancel = cancel
	k.deadline = time.Now().Add(w.plan.timeout)
	if w.broken == noDeadline {
		cancel()
		ctx, k.cancel = context.WithCancel(bg)
	}
	k.zombie = false
	s := k.seam
	s.dead, s.busy, s.piecesRefused = false, time.Time{}, false
	s.ok, s.states = map[int]map[*simConn]int{}, map[string]string{}
	s.refused, s.sent, s.batch = map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, m := range k.msgs {
		s.batch[m.key] = true
	}
	k.next, k.stop = iter.Pull(func(yield func(struct{}) bool) {
		s.yield = yield
		k.outcomes = k.worker.Handle(ctx, batch...)
	})
	k.resume() // To its first step, which is not done yet.
}

// waits reports whether the worker has nothing to do before time goes on.
func (k *simWorker) waits() bool {
	s := k.seam
	return !s.busy.IsZero() && time.Now().Before(s.busy) && s.waits.Err() == nil
}

// resume does one step of a call. At its end the queue learns the outcomes.
func (k *simWorker) resume() {
	if _, more := k.next(); more {
		return
	}
	k.next = nil
	k.cancel()
	k.w.judgeCall(k)
	for i, m := range k.msgs {
		out := k.outcomes[i]
		k.w.tracef("outcome of %s: %v, fault: %v, after %v", m.id, out.Err, out.Fault, out.RetryAfter)
		k.w.judgeOutcome(m, &out)
		k.w.ended(m, out)
	}
}

// crash ends a call where it is. Nothing of it is acknowledged.
func (k *simWorker) crash() {
	k.w.tracef("CRASH")
	k.w.stats.crashes++
	k.cancel()
	k.stop()
	k.next = nil
	k.w.excuse(k, true)
}

// walk runs one random walk and returns the first violation.
func (w *world) walk() error {
	w.tracef("%+v", w.plan)
	w.request()
	for w.step = 1; w.step <= w.plan.steps && w.violation == nil; w.step++ {
		w.anything()
		w.overdue()
	}
	w.calm = true
	w.tracef("calm")
	for end := w.step + 6000; w.violation == nil && w.calmDown(); w.step++ {
		if w.step == end {
			w.failf("never quiet: %d messages left, %d dead", len(w.queue), len(w.dlq))
		}
		w.overdue()
	}
	for _, k := range w.workers { // After a violation some may be under way.
		if k.next != nil {
			k.cancel()
			k.stop()
		}
	}
	synctest.Wait()
	if w.violation == nil {
		w.settled()
	}
	w.stats.steps += w.step
	return w.violation
}

// anything does one step, of the world or of a worker.
func (w *world) anything() {
	if w.chance(w.plan.busy) {
		w.change()
		return
	}
	k := w.workers[w.rng.IntN(len(w.workers))]
	switch {
	case k.next == nil:
		k.deliver()
	case w.chance(w.plan.crashes):
		k.crash()
	case k.waits():
		w.idle()
	default:
		k.resume()
	}
}

func (w *world) change() {
	switch p := w.rng.IntN(100); {
	case w.chance(w.plan.outages) && time.Since(w.begin) < time.Hour:
		w.outage()
	case p < 10:
		w.connect(string(rune('a'+w.rng.IntN(4))), fmt.Sprint("n", len(w.conns)))
	case p < 30:
		w.conns[w.rng.IntN(len(w.conns))].open = false
	case p < 60 && len(w.reqs) < w.plan.requests:
		w.request()
	default:
		if w.plan.steady() && w.running() {
			w.idle()
			return
		}
		w.advance(time.Duration(w.rng.IntN([]int{100, 1_000, 20_000}[w.rng.IntN(3)])) * time.Millisecond)
	}
}

func (w *world) running() bool {
	return slices.ContainsFunc(w.workers, func(k *simWorker) bool { return k.next != nil })
}

// idle lets time go on to the next answer, if everybody waits for one.
func (w *world) idle() {
	first := time.Time{}
	for _, k := range w.workers {
		if k.next == nil {
			continue
		}
		if !k.waits() {
			return
		}
		until := k.seam.busy
		if d, ok := k.seam.waits.Deadline(); ok && d.Before(until) {
			until = d
		}
		if first.IsZero() || until.Before(first) {
			first = until
		}
	}
	if !first.IsZero() {
		w.advance(time.Until(first))
	}
}

func (w *world) advance(d time.Duration) {
	w.tracef("advance %v", d)
	time.Sleep(d)
	synctest.Wait()
}

// overdue ends calls that outlive their deadline, as a platform does, but for
// those of a process that was only halted for a while.
func (w *world) overdue() {
	for _, k := range w.workers {
		if k.next == nil || k.zombie || time.Now().Before(k.deadline) {
			continue
		}
		switch {
		case w.plan.steady():
			w.failf("deadline: a call outlives it")
		case w.plan.stalls && w.chance(50):
			k.zombie = true
		default:
			k.crash()
		}
	}
}

// calmDown does one step towards the end of the walk; false: it is all done.
func (w *world) calmDown() bool {
	var free []*simWorker
	for _, k := range w.workers {
		if k.next != nil && !k.waits() {
			free = append(free, k)
		}
	}
	if len(free) > 0 && w.chance(80) {
		free[w.rng.IntN(len(free))].resume()
		return true
	}
	for _, k := range w.workers {
		if k.next == nil {
			if k.deliver(); len(k.msgs) > 0 {
				return true
			}
			break
		}
	}
	switch {
	case len(free) > 0:
		free[0].resume()
	case w.running():
		w.idle()
	case len(w.queue) > 0:
		var first time.Time // Of those in sight there is none to be had.
		for _, m := range w.queue {
			if m.visibleAt.After(time.Now()) && (first.IsZero() || m.visibleAt.Before(first)) {
				first = m.visibleAt
			}
		}
		w.advance(max(time.Until(first), time.Millisecond))
	case len(w.dlq) > 0:
		// Not for longer than records are kept: what is redriven again and again
		// may outlive its own, and is posted again then.
		wait := time.Duration(w.rng.IntN(10*24)) * time.Hour
		wait = min(wait, max(0, 28*24*time.Hour-time.Since(w.begin)))
		w.advance(wait)
		w.redrive()
	default:
		return false
	}
	return true
}
