package presence_test

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/sumu-live/sumu"
)

// seam stands between one watcher and the world. Every call through it waits
// for its turn and is one step; faults, and the rules that a test breaks on
// purpose, are made here.
type seam struct {
	modelStore // for the scans of Reconcile
	w          *world
	skew       time.Duration
	yield      func(struct{}) bool
	dead       bool

	change    bool             // it evaluates a change, not a check
	read      sumu.PresenceRow // the last one
	readAt    int              // the step of that
	counted   bool             // what the last count said
	countedAt time.Time        // and when
	snapshot  bool             // see countBeforeRow
}

// turn waits until the scheduler goes on with this watcher. A crashed one gets
// nothing done any more.
func (s *seam) turn() error {
	if s.dead || !s.yield(struct{}{}) {
		s.dead = true
		return errCrashed
	}
	return nil
}

// call does one thing in one step, or fails before it, or loses its answer.
func (s *seam) call(op string, effect func() error) error {
	if err := s.turn(); err != nil {
		return err
	}
	w := s.w
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

func (s *seam) Presence(_ context.Context, userID string) (row sumu.PresenceRow, err error) {
	w := s.w
	if w.broken == countBeforeRow {
		if err := s.turn(); err != nil {
			return row, err
		}
		s.snapshot = w.users[userID[0]-'a'].live
	}
	err = s.call("read "+userID, func() (err error) {
		if w.broken == presenceRowsExpire && w.chance(3) {
			w.users[userID[0]-'a'].epoch++
		}
		s.readAt = w.step
		row, err = w.store.Presence(bg, w.rowOf(userID))
		row.UserID = userID
		if w.broken == pendingIgnored {
			row.Announced = row.Version
		}
		s.read = row
		return err
	})
	return row, err
}

func (s *seam) HasLive(_ context.Context, userID string) (live bool, err error) {
	w := s.w
	err = s.call("count "+userID, func() (err error) {
		live, err = w.store.HasLive(bg, userID)
		u := w.users[userID[0]-'a']
		if live != u.live && !w.trusting {
			w.failf("the store's HasLive is wrong: %v", live)
		}
		switch w.broken {
		case countBeforeRow:
			live = s.snapshot
		case staleCount, original:
			// A replica that has not got the last change.
			if w.step-u.since < 30 && w.chance(30) {
				live = !u.live && u.since > 0
			}
		case firstRowOnly, expiredCounted:
			live = w.countWrongly(userID)
		}
		s.counted, s.countedAt = live, w.now
		return err
	})
	return live, err
}

// countWrongly looks at the first row only, or at the expired ones too.
func (w *world) countWrongly(userID string) bool {
	for _, c := range w.conns {
		if c.ref.UserID == userID && c.present {
			return w.broken == expiredCounted || c.live(w.now)
		}
	}
	return false
}

func (s *seam) SavePresence(_ context.Context, row sumu.PresenceRow) error {
	w := s.w
	return s.call("save "+row.UserID+" "+string(row.Status), func() error {
		written := row
		written.UserID = w.rowOf(row.UserID)
		flips := row.Version > s.read.Version
		switch w.broken {
		case noTrace:
			if !flips && row.AbsentSince.Equal(s.read.AbsentSince) {
				return nil
			}
		case blindSave:
			stored, err := w.store.Presence(bg, written.UserID)
			w.must(err)
			written.Seq = stored.Seq + 1
		case markFirst:
			written.Announced = written.Version
		case clockTime:
			if flips {
				written.At = w.now.Add(s.skew)
			}
		case absenceKept:
			if s.counted && !flips {
				written.AbsentSince = s.read.AbsentSince
			}
		}
		err := w.store.SavePresence(bg, written)
		if errors.Is(err, sumu.ErrConflict) {
			w.stats.conflicts++
			if w.broken == conflictAcked {
				return errAbandoned
			}
		}
		if err == nil {
			s.saved(row, flips)
		}
		return err
	})
}

// saved judges an evaluation by what its watcher could know.
func (s *seam) saved(row sumu.PresenceRow, flips bool) {
	w := s.w
	u := w.users[row.UserID[0]-'a']
	if flips && w.broken.judgedByTruth() && !u.wasSo(row.Status == sumu.Online, s.readAt) {
		w.failf("untrue: %s became %s, which it was at no time since the row was read", u.id, row.Status)
	}
	switch {
	case s.counted:
		u.graceFrom = time.Time{}
	case s.change || u.graceFrom.IsZero():
		u.graceFrom = s.countedAt
	}
	if early := w.plan.grace - w.now.Sub(u.graceFrom); flips && !s.counted && early > 0 && !w.plan.skewed {
		w.failf("grace: %s became OFFLINE %v too early", u.id, early)
	}
}

func (s *seam) MarkAnnounced(_ context.Context, userID string, version int64) error {
	w := s.w
	return s.call("mark "+userID, func() error {
		if w.broken == blindMark {
			row, err := w.store.Presence(bg, w.rowOf(userID))
			w.must(err)
			version = row.Version
		}
		return w.store.MarkAnnounced(bg, w.rowOf(userID), version)
	})
}

// PresenceRows and All are in order, so that a seed always gives the same walk.
func (s *seam) PresenceRows(ctx context.Context, seg sumu.Segment) iter.Seq2[sumu.PresenceRow, error] {
	return inOrder(s.modelStore.PresenceRows(ctx, seg), func(r sumu.PresenceRow) string { return r.UserID })
}

func (s *seam) All(ctx context.Context, seg sumu.Segment) iter.Seq2[sumu.Connection, error] {
	return inOrder(s.modelStore.All(ctx, seg), func(c sumu.Connection) string { return c.ID })
}

func inOrder[T any](seq iter.Seq2[T, error], by func(T) string) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var rows []T
		for row, err := range seq {
			if err != nil {
				yield(row, err)
				return
			}
			rows = append(rows, row)
		}
		slices.SortFunc(rows, func(a, b T) int { return strings.Compare(by(a), by(b)) })
		for _, row := range rows {
			if !yield(row, nil) {
				return
			}
		}
	}
}

func (s *seam) PublishPresence(_ context.Context, e sumu.PresenceEvent) error {
	w := s.w
	return s.call("publish "+e.ID(), func() error {
		if w.broken == publishSkipped && w.chance(10) {
			return nil
		}
		if w.broken == clockTime { // The watcher does not know what was written.
			row, err := w.store.Presence(bg, w.rowOf(e.UserID))
			w.must(err)
			if row.Version == e.Version {
				e.At = row.At
			}
		}
		w.published(e)
		return nil
	})
}

func (s *seam) delay(_ context.Context, userID string, after time.Duration) error {
	w := s.w
	err := s.call("delay "+userID, func() error {
		if w.broken == checkNotSent && w.chance(50) {
			return nil
		}
		u := w.users[userID[0]-'a']
		row, err := w.store.Presence(bg, w.rowOf(userID))
		w.must(err)
		w.bag = append(w.bag, record{user: u, check: true, due: w.now.Add(after), seq: row.Seq})
		return nil
	})
	if w.broken == delayFailureIgnored && errors.Is(err, errFault) {
		return nil
	}
	return err
}
