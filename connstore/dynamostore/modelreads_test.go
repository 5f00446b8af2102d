package dynamostore_test

import (
	"encoding/json"
	"math"
	"slices"

	"github.com/sumu-live/sumu"
)

// reading begins a call that finds recipients. It is held to what had ended
// before it began: who joined is found, and who left is not.
func (w *walk) reading(p *proc) (do func(s modelStore) error) {
	n, i := w.rnd.IntN(len(modelChannels)), w.rnd.IntN(modelConns)
	channel := modelChannels[n]
	switch w.rnd.IntN(4) {
	case 0:
		p.name = "members " + channel
		return func(s modelStore) error {
			found := make(map[target]int)
			for m, err := range s.Members(bg, channel, "") {
				if err != nil {
					return err
				}
				found[target{w.connOf(m.Connection), n}]++
			}
			for i := range w.conns {
				w.checkFound(p, target{i, n}, found[target{i, n}])
			}
			return nil
		}
	case 1:
		p.name = "subscribers"
		return func(s modelStore) error {
			found, err := subscribersFound(w, s)
			if err != nil {
				return err
			}
			for i := range w.conns {
				for n := range modelSubs {
					t := target{i, len(modelChannels) + n}
					w.checkFound(p, t, found[t])
				}
			}
			return nil
		}
	case 2:
		p.name = "is member " + channel
		return func(s modelStore) error {
			is, err := s.IsMember(bg, w.conns[i].Ref(), channel)
			if err != nil {
				return err
			}
			found := 0
			if is {
				found = 1
			}
			w.checkFound(p, target{i, n}, found)
			return nil
		}
	}
	p.name = "count " + channel
	return func(s modelStore) error {
		count, err := s.CountMembers(bg, channel)
		if err != nil {
			return err
		}
		least, most := 0, 0
		for i := range w.conns {
			may, must := w.expected(p, target{i, n})
			if must {
				least++
			}
			if may {
				most++
			}
		}
		if count < least || count > most {
			w.failf("%s counts %d, want %d to %d", p.name, count, least, most)
		}
		return nil
	}
}

func subscribersFound(w *walk, s modelStore) (found map[target]int, err error) {
	found = make(map[target]int)
	r := sumu.NewEventReader(&sumu.Event{Type: "T", Payload: json.RawMessage(`{"f":1}`)})
	for sub, err := range s.Subscribers(bg, r, "") {
		if err != nil {
			return nil, err
		}
		n := len(modelChannels)
		if sub.Subscription.Filter != "" {
			n++
		}
		found[target{w.connOf(sub.Connection), n}]++
	}
	return found, nil
}

// checkFound checks what a read has found of a target.
func (w *walk) checkFound(p *proc, t target, found int) {
	switch may, must := w.expected(p, t); {
	case must && found == 0:
		w.failf("%s misses %v, which had joined before: %+v", p.name, t, w.attempts[t])
	case must && found > 1:
		w.failf("%s finds %v %d times", p.name, t, found)
	case !may && found > 0:
		w.failf("%s finds %v, which had left or never joined: %+v", p.name, t, w.attempts[t])
	}
}

// expected says whether a read that has begun with p, and ends now, may find a
// target, and whether it must.
func (w *walk) expected(p *proc, t target) (may, must bool) {
	attempts := slices.Clone(w.attempts[t])
	excused := w.excused[t]
	for _, other := range w.procs {
		if slices.Contains(other.targets, t) && !other.done { // It may yet end so or so.
			attempts = append(attempts, attempt{adds: other.adds, start: other.start, end: math.MaxInt})
			excused = excused || (other.crashed || other.faulted) && slices.Contains(other.exposed, t)
		}
	}
	if excused {
		return true, false
	}
	for _, join := range attempts {
		// One that has undone itself may have been seen before it did.
		if !join.adds || join.void && join.end < p.start && !w.muddled(t, join) {
			continue
		}
		left, leaving := false, false
		for _, leave := range attempts {
			if !leave.adds {
				left = left || leave.ok && leave.start > join.end && leave.end < p.start
				leaving = leaving || leave.end > join.start
			}
		}
		may = may || !left
		must = must || join.ok && join.end < p.start && !leaving
	}
	if _, err := w.store.Get(bg, w.conns[t.conn].Ref()); err != nil {
		must = false // It has ended, or is about to.
	}
	return may, must
}
