package pusher_test

import (
	"context"
	"encoding/json"
	"time"

	"github.com/sumu-live/sumu"
)

// nodes are the endpoints of the model; the first takes no batches.
var nodes = []string{"", "node-1", "node-2"}

func (s *seam) MaxBatch(c sumu.Connection) int {
	if c.Endpoint == "" {
		return 0
	}
	return s.w.plan.batch
}

// PostBatch is one request, and one step. Like a post it takes time when the
// walk is slow; without an answer in time nobody knows how far the node came.
func (s *seam) PostBatch(ctx context.Context, conns []sumu.Connection, p *sumu.Payload) []error {
	w := s.w
	var body struct{ N int }
	w.must(json.Unmarshal(p.Bytes(), &body))
	all := func(err error) []error {
		outcomes := make([]error, len(conns))
		for i := range outcomes {
			outcomes[i] = err
		}
		return outcomes
	}
	begun := time.Now().Add(s.skew)
	if err := s.turn(); err != nil {
		return all(err)
	}
	if err := ctx.Err(); err != nil {
		return all(err)
	}
	r := w.reqs[body.N]
	w.judgeBatch(conns)
	for _, c := range conns {
		w.judgePost(r, w.conn(c.Ref()), begun)
	}
	w.stats.batches++
	w.stats.batched += len(conns)
	late, err := s.linger(ctx)
	faulty := !w.calm && w.chance(w.plan.faults)
	switch {
	case err != nil:
		return all(err)
	case w.downs[ofSender].err() != nil:
		w.tracef("batch of %d to %v: all are down", len(conns), conns[0].Endpoint)
		return all(w.downs[ofSender].err())
	case w.chance(w.plan.oldNodes):
		w.stats.refusedBatches++
		w.tracef("batch of %d to %v is refused", len(conns), conns[0].Endpoint)
		if w.broken == batchRefusalFinal {
			return all(sumu.ErrInvalid)
		}
		return all(&sumu.Error{Op: "batch", Kind: sumu.ErrUnsupported})
	case late && w.chance(50):
		return all(ctx.Err())
	case faulty && w.chance(40):
		w.stats.faults++
		w.tracef("batch of %d to %v fails", len(conns), conns[0].Endpoint)
		return all([]error{errFault, sumu.ErrThrottled, sumu.ErrForbidden}[w.rng.IntN(3)])
	}
	return s.carryOut(body.N, conns, late || faulty)
}

// carryOut is what a node does with a batch: all of it, or, when its answer is
// lost, perhaps only the beginning.
func (s *seam) carryOut(req int, conns []sumu.Connection, lost bool) []error {
	w := s.w
	reach := len(conns)
	if lost {
		w.stats.lostBatches++
		reach = w.rng.IntN(len(conns) + 1)
	}
	outcomes := make([]error, len(conns))
	var failed error
	for i, c := range conns {
		conn := w.conn(c.Ref())
		switch {
		case i >= reach:
		case conn.lost:
			outcomes[i] = errFault
		case !conn.open:
			outcomes[i] = sumu.ErrGone
		case conn.stuck:
			outcomes[i], failed = sumu.ErrThrottled, sumu.ErrThrottled
		default:
			w.delivered(req, conn)
			if lost {
				w.stats.lostAnswers++
				w.reqs[req].allow[conn]++
				break
			}
			if s.ok[req] == nil {
				s.ok[req] = map[*simConn]int{}
			}
			s.ok[req][conn]++
		}
		w.tracef("batch: post %d to %v: %v, answer lost: %v", req, c.Ref(), outcomes[i], lost)
	}
	for i := range outcomes {
		switch {
		case lost && w.broken == batchLostTaken:
			outcomes[i] = nil
		case lost:
			outcomes[i] = errFault
		case w.broken == batchOneForAll:
			outcomes[i] = failed
		}
	}
	return outcomes
}

// judgeBatch holds a batch against what its sender asks for.
func (w *world) judgeBatch(conns []sumu.Connection) {
	named := map[sumu.ConnectionRef]bool{}
	for _, c := range conns {
		if c.Endpoint != conns[0].Endpoint || c.Endpoint == "" {
			w.failf("batch: of %q and of %q", conns[0].Endpoint, c.Endpoint)
		}
		if named[c.Ref()] {
			w.failf("batch: %v is named twice", c.Ref())
		}
		named[c.Ref()] = true
	}
	if n := len(conns); n == 0 || n > w.plan.batch {
		w.failf("batch: it has %d posts, at most %d are allowed", n, w.plan.batch)
	}
}
