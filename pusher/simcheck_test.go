package pusher_test

import (
	"strings"
	"time"

	"github.com/sumu-live/sumu"
)

// judgePost holds a post, which was begun at a time, against its request.
func (w *world) judgePost(r *request, c *simConn, begun time.Time) {
	if !r.wants(c) {
		w.failf("audience: %v is posted to, but %+v is not for it", c.ref, r.n)
	}
	if d := r.n.Deadline; !d.IsZero() && begun.After(d) {
		w.failf("late: %v is posted to after the deadline", c.ref)
	}
}

// delivered takes note that a connection has got a request.
func (w *world) delivered(req int, c *simConn) {
	r := w.reqs[req]
	w.stats.posts++
	r.got[c]++
	if r.got[c] > 1 {
		w.stats.repeats++
		return
	}
	if w.plan.kind != fifoOrder {
		return
	}
	if last, ok := c.last[r.group]; ok && req < last && !w.failed[req] {
		w.failf("order: %v got request %d after %d", c.ref, req, last)
	}
	c.last[r.group] = max(c.last[r.group], req)
}

// pushed is told of a result when it is settled.
func (w *world) pushed(s *seam, r sumu.Result) {
	if r.Targets != r.Delivered+r.Gone+r.Failed+r.Requeued {
		w.failf("counts: they do not add up: %+v", r)
	}
	if s.dead {
		return // Nobody hears of it.
	}
	if w.broken != countedAtPush && w.plan.kind != fifoOrder && !w.plan.unrecorded {
		w.count(r.ID + "/" + r.Part)
	}
	for i := range r.Remainder {
		if r.Targets > 0 && strings.HasSuffix(r.Remainder[i].Part, "c") {
			w.stats.cut++
		}
	}
}

// count: the targets of a message are counted once, however often it is pushed.
func (w *world) count(key string) {
	if w.counted[key]++; w.counted[key] > 1 {
		w.failf("counted: the targets of %s are counted twice", key)
	}
}

// judgeCall compares the results of a call with what it has done.
func (w *world) judgeCall(k *simWorker) {
	w.excuse(k, false)
	for req, posts := range k.seam.ok {
		told, exact := 0, true
		for i, m := range k.msgs {
			if m.req == req {
				told += k.outcomes[i].Result.Delivered
				settled := k.outcomes[i].Err == nil && !k.seam.sent[m.key] // Not what was moved.
				exact = exact && (settled || k.outcomes[i].Result.Targets > 0)
			}
		}
		made := 0
		for _, n := range posts {
			made += n
		}
		if exact && told != made {
			w.failf("counts: request %d had %d posts, %d in the results", req, made, told)
		}
	}
}

// excuse: what a worker has posted and could not settle is posted again, if it
// was killed or the store failed it. What was settled is not.
func (w *world) excuse(k *simWorker, killed bool) {
	for _, m := range k.msgs {
		if m.poison || w.plan.clean() {
			continue
		}
		if s := k.seam.states[m.key]; s != "" && s != "lease" {
			continue
		}
		if !killed && !k.seam.refused[m.key] && !k.seam.piecesRefused {
			continue
		}
		for c, n := range k.seam.ok[m.req] {
			w.reqs[m.req].allow[c] += n
		}
		delete(k.seam.ok, m.req) // Not once more for another message of it.
	}
}

// settled checks the end: everybody who was there has it, once, or it is
// reported who has not.
func (w *world) settled() {
	// Without records any redelivery repeats; without one nothing does.
	exact := !w.plan.unrecorded || w.plan.clean() && w.plan.dups == 0
	if w.plan.unrecorded {
		w.stats.unrecorded++
	}
	for i, r := range w.reqs {
		// By the fastest clock.
		expired := !r.n.Deadline.IsZero() && time.Now().Add(w.plan.skew).After(r.n.Deadline)
		for _, c := range w.conns {
			if n := r.got[c]; n > 1+r.allow[c] && exact {
				w.failf("repeated: %v got request %d %d times; %d repeats are excused", c.ref, i, n, r.allow[c])
			}
			if c.open && c.since <= r.step && !expired && r.got[c] == 0 && r.wants(c) && !w.reported(i, c) {
				w.failf("lost: %v never got request %d, and nobody was told", c.ref, i)
			}
		}
	}
}

// reported reports whether a dead letter of the request names the connection.
func (w *world) reported(req int, c *simConn) bool {
	for i := range w.dead {
		if n := &w.dead[i]; w.requestOf(n) == req && covers(n, c.ref) {
			return true
		}
	}
	return false
}
