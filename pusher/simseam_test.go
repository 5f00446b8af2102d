package pusher_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
)

var (
	errFault   = &sumu.Error{Op: "injected fault", Kind: sumu.ErrUnavailable}
	errCrashed = &sumu.Error{Op: "crashed", Kind: sumu.ErrClosed} // Not tried again.
)

// seam stands between one worker and the world. Every call through it waits
// for its turn and is one step; faults, and the rules that a test breaks on
// purpose, are made here.
type seam struct {
	*memstore.Store // of which the look-ups are replaced
	w               *world
	skew            time.Duration
	yield           func(struct{}) bool
	dead            bool
	busy            time.Time       // it waits for an answer until then
	waits           context.Context // and no longer than this

	ok      map[int]map[*simConn]int // posts of this call that were answered, by request
	states  map[string]string        // what this call has written to records
	refused map[string]bool          // records that this call could not settle
	sent    map[string]bool          // what this call has sent to the queue
	batch   map[string]bool          // the messages of this call

	piecesRefused bool // or a piece of one
}

// turn waits until the scheduler goes on with this worker. A crashed one gets
// nothing done any more.
func (s *seam) turn() error {
	if s.dead || !s.yield(struct{}{}) {
		s.dead = true
		return errCrashed
	}
	return nil
}

// call does one thing in one step, or fails before it, or loses its answer.
func (s *seam) call(op string, of dependency, effect func() error) error {
	if err := s.turn(); err != nil {
		return err
	}
	w := s.w
	if err := w.downs[of].err(); err != nil {
		w.tracef("%s: it is down", op)
		return err
	}
	if w.calm || !w.chance(w.plan.faults) {
		err := effect()
		w.tracef("%s: %v", op, err)
		return err
	}
	w.stats.faults++
	if w.chance(50) {
		w.tracef("%s: fails", op)
		return errFault
	}
	err := effect()
	w.tracef("%s: %v, but the answer is lost", op, err)
	return errors.Join(errFault, err)
}

func (s *seam) Get(ctx context.Context, ref sumu.ConnectionRef) (c sumu.Connection, err error) {
	err = s.call("get "+ref.ConnectionID, ofStore, func() (err error) {
		c, err = s.Store.Get(ctx, ref)
		return err
	})
	return c, err
}

func (s *seam) Prune(ctx context.Context, ref sumu.ConnectionRef, notAfter time.Time) (removed bool, err error) {
	err = s.call("prune "+ref.UserID+ref.ConnectionID, ofStore, func() (err error) {
		removed, err = s.Store.Prune(ctx, ref, notAfter)
		return err
	})
	return removed, err
}

func (s *seam) ByUser(ctx context.Context, user string) iter.Seq2[sumu.Connection, error] {
	return s.scan(ctx, "query "+user, func() []sumu.Connection {
		return s.rows(func(c sumu.Connection) bool { return c.UserID == user })
	})
}

// All is in an order that a seed always gives.
func (s *seam) All(ctx context.Context, seg sumu.Segment) iter.Seq2[sumu.Connection, error] {
	return s.scan(ctx, "scan", func() []sumu.Connection {
		all := s.rows(func(c sumu.Connection) bool {
			return seg.Count <= 1 || segmentOf(c.Ref(), seg.Count) == seg.Index
		})
		if seg.After == (sumu.ConnectionRef{}) {
			return all
		}
		if s.w.broken == offsetCursor {
			// As many rows are skipped as had been seen, counting those that
			// have been pruned since.
			skip := 0
			for _, c := range s.w.conns {
				in := seg.Count <= 1 || segmentOf(c.ref, seg.Count) == seg.Index
				if in && compareRefs(c.ref, seg.After) <= 0 {
					skip++
				}
			}
			return all[min(skip, len(all)):]
		}
		return slices.DeleteFunc(all, func(c sumu.Connection) bool { return compareRefs(c.Ref(), seg.After) <= 0 })
	})
}

// scan yields two rows a page; each page is a call.
func (s *seam) scan(ctx context.Context, op string, find func() []sumu.Connection) iter.Seq2[sumu.Connection, error] {
	return func(yield func(sumu.Connection, error) bool) {
		last := sumu.ConnectionRef{}
		for first := true; ; first = false {
			var page []sumu.Connection
			err := s.call(op, ofStore, func() error {
				page = find()
				return ctx.Err()
			})
			if err != nil {
				yield(sumu.Connection{}, err)
				return
			}
			if !first {
				page = slices.DeleteFunc(page, func(c sumu.Connection) bool { return compareRefs(c.Ref(), last) <= 0 })
			}
			more := len(page) > 2
			for _, c := range page[:min(len(page), 2)] {
				last = c.Ref()
				if !yield(c, nil) {
					return
				}
			}
			if !more {
				return
			}
		}
	}
}

func (s *seam) rows(match func(sumu.Connection) bool) []sumu.Connection {
	var rows []sumu.Connection
	for c, err := range s.Store.All(bg, sumu.Segment{}) {
		s.w.must(err)
		if match(c) {
			rows = append(rows, c)
		}
	}
	slices.SortFunc(rows, func(a, b sumu.Connection) int { return compareRefs(a.Ref(), b.Ref()) })
	return rows
}

func compareRefs(a, b sumu.ConnectionRef) int {
	return cmp.Or(strings.Compare(a.UserID, b.UserID), strings.Compare(a.ConnectionID, b.ConnectionID))
}

// Post takes time when the walk is slow; without an answer in time nobody
// knows whether it has arrived.
func (s *seam) Post(ctx context.Context, c sumu.Connection, p *sumu.Payload) error {
	w := s.w
	var body struct{ N int }
	w.must(json.Unmarshal(p.Bytes(), &body))
	begun := time.Now().Add(s.skew)
	if err := s.turn(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	r, conn := w.reqs[body.N], w.conn(c.Ref())
	w.judgePost(r, conn, begun)
	late, err := s.linger(ctx)
	if err != nil {
		return err
	}
	faulty := !w.calm && w.chance(w.plan.faults)
	switch {
	case late && w.chance(50):
		return ctx.Err()
	case conn.lost:
		w.tracef("post %d to %v: its node is down", body.N, c.Ref())
		return errFault
	case w.downs[ofSender].err() != nil:
		w.tracef("post %d to %v: all are down", body.N, c.Ref())
		return w.downs[ofSender].err()
	case faulty && w.chance(40):
		w.stats.faults++
		w.tracef("post %d to %v fails", body.N, c.Ref())
		return []error{errFault, sumu.ErrThrottled, sumu.ErrForbidden}[w.rng.IntN(3)]
	case !conn.open:
		w.tracef("post %d to %v: gone", body.N, c.Ref())
		return sumu.ErrGone
	case conn.stuck:
		w.tracef("post %d to %v: stuck", body.N, c.Ref())
		return sumu.ErrThrottled
	}
	w.delivered(body.N, conn)
	if late || faulty {
		w.stats.lostAnswers++
		r.allow[conn]++
		w.tracef("post %d to %v, but the answer is lost", body.N, c.Ref())
		return errFault
	}
	if s.ok[body.N] == nil {
		s.ok[body.N] = map[*simConn]int{}
	}
	s.ok[body.N][conn]++
	w.tracef("post %d to %v", body.N, c.Ref())
	return nil
}

// linger is the time that an answer takes.
func (s *seam) linger(ctx context.Context) (late bool, err error) {
	w := s.w
	if w.plan.slow == 0 || w.calm {
		return false, nil
	}
	s.busy, s.waits = time.Now().Add(w.plan.slow), ctx
	err = s.turn()
	late = time.Now().Before(s.busy)
	s.busy = time.Time{}
	return late, err
}

func (w *world) conn(ref sumu.ConnectionRef) *simConn {
	for i := len(w.conns) - 1; ; i-- {
		if w.conns[i].ref == ref {
			return w.conns[i]
		}
	}
}

// Requeue is what remains of a push on its way to the queue.
func (s *seam) Requeue(_ context.Context, n sumu.Notification, delay time.Duration) error {
	w := s.w
	switch {
	case w.broken == unreachedDropped && strings.HasSuffix(n.Part, "c"):
		return nil
	case w.broken == attemptsUncapped:
		n.Attempt = 0
	case w.broken == faultForgotten:
		n.Since = time.Time{}
	case w.broken == movedRenamed && s.batch[n.Key()]:
		n.Part += "m"
	case w.broken == exclusionsForgotten:
		n.ExcludeConnections, n.ExcludeUsers = nil, nil
	case w.broken == deadlineForgotten:
		n.Deadline = time.Time{}
	}
	err := s.call("requeue "+n.Key(), ofQueue, func() error {
		w.stats.children++
		s.sent[n.Key()] = true
		if s.batch[n.Key()] {
			w.stats.moved++
		}
		w.enqueue(w.requestOf(&n), n, delay)
		return nil
	})
	if w.broken == requeueFailureIgnored && !s.dead {
		return nil
	}
	return err
}

func (w *world) requestOf(n *sumu.Notification) int {
	var body struct{ N int }
	w.must(json.Unmarshal(n.Data, &body))
	return body.N
}

func (s *seam) deadLetter(_ context.Context, n sumu.Notification, _ error) error {
	w := s.w
	err := s.call("dead letter "+n.Key(), ofQueue, func() error {
		if w.broken != deadLettersDropped {
			w.stats.deadLetters++
			w.dead = append(w.dead, n)
			w.judgeDead(&n)
		}
		return nil
	})
	if w.broken == deadLetterFailureIgnored && !s.dead {
		return nil
	}
	return err
}
