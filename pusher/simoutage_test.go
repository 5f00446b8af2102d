package pusher_test

import (
	"errors"
	"time"

	"github.com/sumu-live/sumu"
)

// dependency is what may be down for a while, for all workers.
type dependency int

const (
	ofStore dependency = iota // and the records
	ofSender
	ofQueue
	dependencies = iota
)

// maxOutage is longer than all outages of a walk together.
const maxOutage = 3 * time.Hour

type down struct {
	until time.Time
	cause error
}

func (d *down) err() error {
	if time.Now().Before(d.until) {
		return d.cause
	}
	return nil
}

// outage begins one, of up to half an hour.
func (w *world) outage() {
	of := dependency(w.rng.IntN(dependencies))
	if of == ofQueue && w.plan.strict {
		of = ofStore // Nothing can be moved then: the poller holds what it has.
	}
	kinds := []error{sumu.ErrUnavailable, sumu.ErrForbidden, sumu.ErrThrottled}
	switch {
	case of == ofSender && w.broken == faultCounted:
		kinds = kinds[2:] // Of one connection, for all that a pusher knows.
	case of == ofSender:
		kinds = kinds[:2]
	}
	kind := kinds[w.rng.IntN(len(kinds))]
	length := time.Duration(w.rng.IntN([]int{10, 100, 1800}[w.rng.IntN(3)])) * time.Second
	w.downs[of] = down{time.Now().Add(length), &sumu.Error{Op: "outage", Kind: kind}}
	w.stats.outages++
	w.tracef("outage of %d for %v: %v", of, length, kind)
}

// onlyOutages: nothing but outages fails, of anything but the queue, and the
// queue does what a worker relies on.
func (p *walkPlan) onlyOutages() {
	p.strict = true
	p.kind, p.receives = standard, 5
	p.faults, p.crashes, p.dups, p.stalls = 0, 0, 0, false
}

// judgeOutcome: nothing but an outage is why a message fails then.
func (w *world) judgeOutcome(m *queued, out *sumu.Outcome) {
	if w.plan.strict && out.Err != nil && !m.poison && !out.Fault && !errors.Is(out.Err, sumu.ErrConflict) {
		w.failf("outage: %s is to blame for %v", m.id, out.Err)
	}
	if m.poison && out.Fault {
		w.failf("poison: %s is nobody's fault: %v", m.id, out.Err)
	}
}

// judgeDead: only those are given up who take nothing, or whose node is down
// for ever.
func (w *world) judgeDead(n *sumu.Notification) {
	late := !n.Since.IsZero() && time.Since(n.Since) > maxOutage-w.plan.skew
	if late {
		w.stats.outlasted++
	}
	if !w.plan.strict {
		return
	}
	for _, c := range w.conns {
		switch {
		case !covers(n, c.ref) || c.stuck || c.lost && late:
		default:
			w.failf("outage: %v is given up, since %v: %s", c.ref, n.Since, n.Key())
		}
	}
}
