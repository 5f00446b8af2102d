package presence_test

import (
	"errors"
	"iter"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/presence"
)

// worker is a process with a watcher of its own. A delivery to it runs as a
// coroutine, which the scheduler resumes for one step at a time: real code,
// but no step happens by chance of the machine.
type worker struct {
	w       *world
	seam    *seam
	watcher *presence.Watcher

	batch    []record
	outcomes []error
	next     func() (struct{}, bool) // nil: idle
	stop     func()
}

func newWorker(w *world) *worker {
	s := &seam{modelStore: w.store, w: w}
	if w.plan.skewed {
		s.skew = time.Duration(w.rng.IntN(4000)-2000) * time.Millisecond
	}
	watcher, err := presence.New(s, s, func(o *presence.Options) {
		o.Concurrency = 1 // On the caller's goroutine: it is the coroutine.
		o.Attempts = w.plan.attempts
		o.Now = func() time.Time { return w.now.Add(s.skew) }
		if o.Grace = w.plan.grace; o.Grace > 0 {
			o.Delay = s.delay
		}
	})
	w.must(err)
	return &worker{w: w, seam: s, watcher: watcher}
}

func (k *worker) start(run func() []error) {
	k.next, k.stop = iter.Pull(func(yield func(struct{}) bool) {
		k.seam.yield, k.seam.dead = yield, false
		k.outcomes = run()
	})
	k.resume() // To its first step, which is not done yet.
}

// deliver hands over some records of the bag. Any of them may stay in it too:
// a duplicate.
func (k *worker) deliver() {
	w := k.w
	batch := w.take()
	if len(batch) == 0 {
		return
	}
	k.batch = batch
	w.tracef("deliver %d records, check %v", len(batch), batch[0].check)
	k.seam.change = !batch[0].check
	switch {
	case w.broken == original:
		k.start(func() []error { return k.observeAsOriginal(batch) })
	case batch[0].check && w.broken != checksRestart, !batch[0].check && w.broken == changesDoNotRestart:
		users := make([]string, len(batch))
		for i, r := range batch {
			users[i] = r.user.id
		}
		k.start(func() []error { outcomes, _ := k.watcher.Check(bg, users...); return outcomes })
	default:
		changes := make([]sumu.Change, len(batch))
		for i, r := range batch {
			changes[i] = sumu.Change{UserID: r.user.id}
		}
		k.start(func() []error { outcomes, _ := k.watcher.Observe(bg, changes...); return outcomes })
	}
}

// take picks up to three records of a kind, in any order. Now and then a check
// comes too early.
func (w *world) take() (batch []record) {
	early := !w.calm && w.chance(20)
	for want := 1 + w.rng.IntN(3); want > 0; want-- {
		var fit []int
		for i, r := range w.bag {
			if (len(batch) == 0 || r.check == batch[0].check) && (early || !r.due.After(w.now)) {
				fit = append(fit, i)
			}
		}
		if len(fit) == 0 {
			break
		}
		i := fit[w.rng.IntN(len(fit))]
		r := w.bag[i]
		if w.calm || !w.chance(25) {
			w.bag = append(w.bag[:i], w.bag[i+1:]...)
		}
		if r.due.After(w.now) {
			w.stats.early++
		}
		if w.broken == staleChecksDropped && r.check && w.seqOf(r.user) != r.seq {
			continue
		}
		batch = append(batch, r)
	}
	return batch
}

func (w *world) seqOf(u *user) int64 {
	row, err := w.store.Presence(bg, w.rowOf(u.id))
	w.must(err)
	return row.Seq
}

// resume does one step of a delivery. Records that were not acknowledged go
// back into the bag.
func (k *worker) resume() {
	if _, more := k.next(); more {
		return
	}
	k.next = nil
	for i, err := range k.outcomes {
		if i < len(k.batch) && err != nil && !k.w.acksFailure(err) {
			k.w.bag = append(k.w.bag, k.batch[i])
		}
	}
	k.w.tracef("outcomes %v", k.outcomes)
}

func (w *world) acksFailure(err error) bool {
	return errors.Is(err, errAbandoned) || w.broken == failureAcked
}

// crash ends a delivery where it is. Nothing of it is acknowledged.
func (k *worker) crash() {
	k.w.tracef("CRASH")
	k.w.stats.crashes++
	k.stop()
	k.next = nil
	k.w.bag = append(k.w.bag, k.batch...)
}

// walk runs one random walk and returns the first violation.
func (w *world) walk() error {
	w.tracef("%+v", w.plan)
	for w.step = 1; w.step <= w.plan.steps && w.violation == nil; w.step++ {
		w.anything()
	}
	w.calm = true
	w.tracef("calm")
	for end := w.step + 5000; w.violation == nil && w.calmDown(); w.step++ {
		if w.step == end {
			w.failf("never quiet: %d records left", len(w.bag))
		}
	}
	for _, k := range w.workers { // After a violation some may be under way.
		if k.next != nil {
			k.stop()
		}
	}
	if w.violation == nil {
		w.settled()
	}
	w.stats.steps += w.step
	return w.violation
}

// anything does one step, of the world or of a watcher.
func (w *world) anything() {
	if w.chance(w.plan.busy) {
		w.change()
		w.moved()
		return
	}
	k := w.workers[w.rng.IntN(len(w.workers))]
	switch {
	case k.next == nil:
		k.deliver()
	case w.chance(w.plan.crashes):
		k.crash()
	default:
		k.resume()
	}
}

func (w *world) change() {
	switch p := w.rng.IntN(100); {
	case p < 25:
		w.connect()
	case p < 50:
		w.disconnect()
	case p < 65:
		w.renew()
	case p < 80:
		w.advance(time.Duration(w.rng.IntN(8000)) * time.Millisecond)
	case p < 90:
		w.advance(time.Millisecond)
	default:
		w.sweep()
	}
}

// calmDown does one step towards the end of the walk; false: it is all done.
func (w *world) calmDown() bool {
	busy := w.workers[:0:0]
	due, first := false, time.Time{}
	for _, k := range w.workers {
		if k.next != nil {
			busy = append(busy, k)
		}
	}
	for _, r := range w.bag {
		due = due || !r.due.After(w.now)
		if first.IsZero() || r.due.Before(first) {
			first = r.due
		}
	}
	switch {
	case due && len(busy) < len(w.workers) && (len(busy) == 0 || w.chance(30)):
		for _, k := range w.workers {
			if k.next == nil {
				k.deliver()
				break
			}
		}
	case len(busy) > 0:
		busy[w.rng.IntN(len(busy))].resume()
	case len(w.expired()) > 0 && w.broken != noSweeper:
		w.sweep()
	case len(w.bag) > 0:
		w.advance(first.Sub(w.now))
	case w.plan.lossy && w.broken != noReconciliation && w.broken != original:
		return w.repair()
	default:
		return false
	}
	w.moved()
	return true
}

// repair runs a reconciliation; false: there was nothing to repair.
func (w *world) repair() bool {
	k := w.workers[0]
	var checked int
	k.batch, k.seam.change = nil, false
	k.start(func() []error {
		var err error
		checked, err = k.watcher.Reconcile(bg)
		return []error{err}
	})
	for k.next != nil {
		k.resume()
	}
	if err := errors.Join(k.outcomes...); err != nil {
		w.failf("reconciliation failed by itself: %v", err)
	}
	w.stats.repaired += checked
	w.moved()
	return checked > 0
}
