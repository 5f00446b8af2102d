package pusher_test

import (
	"errors"
	"slices"
	"time"

	"github.com/sumu-live/sumu"
)

// receive hands out up to three messages: of a standard queue any, now and
// then one that another worker has or that was deleted; of a FIFO queue the
// first of their groups, while none of these is with a worker.
func (w *world) receive() []*queued {
	var batch []*queued
	blocked := map[string]bool{}
	now := time.Now()
	want := 1 + w.rng.IntN(3)
	order := slices.Clone(w.queue)
	if w.plan.kind == standard {
		w.rng.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	}
	for _, m := range order {
		if len(batch) == want {
			break
		}
		visible := !m.visibleAt.After(now)
		if m.group != "" && (blocked[m.group] || !visible) {
			blocked[m.group] = true
			continue
		}
		if !visible && (w.calm || !w.chance(w.plan.dups)) {
			continue
		}
		m.receives++
		if m.receives > w.plan.receives {
			w.bury(m)
			continue
		}
		m.visibleAt = now.Add(w.plan.visibility)
		batch = append(batch, m)
		if !w.calm && w.chance(w.plan.dups/3) {
			batch = append(batch, m) // One record twice.
		}
	}
	return batch
}

// bury moves a message to the dead-letter queue.
func (w *world) bury(m *queued) {
	w.tracef("%s is dead", m.id)
	w.queue = slices.DeleteFunc(w.queue, func(q *queued) bool { return q == m })
	if m.poison {
		return
	}
	if w.plan.strict {
		w.failf("outage: %s spent its receives", m.id)
	}
	w.failed[m.req] = true
	w.dlq = append(w.dlq, m)
}

func (w *world) redrive() {
	w.stats.redriven += len(w.dlq)
	for _, m := range w.dlq {
		w.tracef("redrive %s", m.id)
		m.receives, m.visibleAt = 0, time.Now()
		w.queue = append(w.queue, m)
	}
	w.dlq = nil
}

// ended is what a transport does with an outcome.
func (w *world) ended(m *queued, out sumu.Outcome) {
	if m.poison && !(out.Rejected && out.Err != nil) {
		w.failf("poison: %s was not rejected", m.id)
	}
	if !m.poison && out.Rejected {
		w.failf("rejected: %s: %v", m.id, out.Err)
	}
	if w.broken == leaseAcked && errors.Is(out.Err, sumu.ErrConflict) {
		out.Err = nil
	}
	if out.Err == nil {
		// A standard queue may deliver a message that was deleted.
		if !w.calm && w.chance(w.plan.dups) {
			m.visibleAt = time.Now().Add(time.Duration(w.rng.IntN(20)) * time.Second)
			return
		}
		w.queue = slices.DeleteFunc(w.queue, func(q *queued) bool { return q == m })
		w.dlq = slices.DeleteFunc(w.dlq, func(q *queued) bool { return q == m })
		return
	}
	wait := out.RetryAfter
	if !w.plan.strict && w.chance(30) { // Not every transport can wait as told.
		wait = time.Duration(w.rng.IntN(2)) * time.Second
	}
	m.visibleAt = time.Now().Add(wait)
}
