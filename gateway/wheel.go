package gateway

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// wheel watches the times of all sockets with one goroutine, which lives while
// there are sockets. A socket lies in the slot of the second in which it is due
// next. What moves a deadline away (traffic) does not touch the wheel: a socket
// that comes up too early is put back.
//
// Deadlines of a few seconds come and go with single reads and writes: the
// sockets that have one are watched, which means looked at every second.
type wheel struct {
	g *Gateway

	mu      sync.Mutex
	slots   [1024]*socket // heads of lists; a slot is one second
	at      int64         // the last second that was turned to
	size    int
	watched map[*socket]struct{}
	stop    chan struct{} // ends the goroutine; nil: there is none
}

// timer is a socket's place in the wheel, guarded by the wheel's mu.
type timer struct {
	next, prev *socket
	second     uint32 // when it comes up; its slot follows from it
	in         bool   // in a slot
	known      bool   // added and not removed
}

func (w *wheel) init(g *Gateway) {
	w.g = g
	w.watched = make(map[*socket]struct{})
}

// add puts a new socket in, to be looked at with the next turn.
func (w *wheel) add(s *socket) {
	now := w.g.now()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.size == 0 {
		w.at = now / 1000
		if !w.g.opts.manual {
			w.stop = make(chan struct{})
			w.g.running.add()
			go w.run(w.stop)
		}
	}
	w.size++
	s.timer.known = true
	w.link(s, now)
}

// hasten makes a socket come up at due (ms), unless it does so earlier anyway;
// then it is put back. Never later: who knows of one deadline does not know of
// the others. A socket that was removed stays so.
func (w *wheel) hasten(s *socket, due int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !s.timer.known || s.timer.in && int64(s.timer.second) <= w.second(due) {
		return
	}
	w.unlink(s)
	w.link(s, due)
}

// second is the one in which due (ms) comes up: after the last that was turned
// to, and within the wheel.
func (w *wheel) second(due int64) int64 {
	return min(max((due+999)/1000, w.at+1), w.at+int64(len(w.slots))-1)
}

func (w *wheel) slot(second uint32) **socket {
	return &w.slots[second%uint32(len(w.slots))]
}

// watch makes a socket come up every second, for as long as it has a short
// deadline.
func (w *wheel) watch(s *socket) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s.timer.known {
		w.watched[s] = struct{}{}
	}
}

// remove may be called for a socket that was never added.
func (w *wheel) remove(s *socket) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !s.timer.known {
		return
	}
	s.timer.known = false
	w.unlink(s)
	delete(w.watched, s)
	w.size--
	if w.size == 0 && w.stop != nil {
		close(w.stop)
		w.stop = nil
	}
}

func (w *wheel) link(s *socket, due int64) {
	s.timer.second, s.timer.in = uint32(w.second(due)), true
	head := w.slot(s.timer.second)
	s.timer.prev, s.timer.next = nil, *head
	if s.timer.next != nil {
		s.timer.next.timer.prev = s
	}
	*head = s
}

func (w *wheel) unlink(s *socket) {
	if !s.timer.in {
		return
	}
	if s.timer.prev != nil {
		s.timer.prev.timer.next = s.timer.next
	} else {
		*w.slot(s.timer.second) = s.timer.next
	}
	if s.timer.next != nil {
		s.timer.next.timer.prev = s.timer.prev
	}
	s.timer.next, s.timer.prev, s.timer.in = nil, nil, false
}

func (w *wheel) run(stop <-chan struct{}) {
	defer w.g.running.done()
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-stop:
			return
		case <-ticker.C:
			w.turn()
		}
	}
}

// maxLate is how many seconds may lie between two turns on a machine that is busy;
// beyond that the process has been suspended, or its clock was set.
const maxLate = 3

// turn looks at every socket that is due, and at the watched ones.
func (w *wheel) turn() {
	now := w.g.now()
	w.mu.Lock()
	stall := now/1000-w.at > maxLate
	var due []*socket
	// However far the clock has moved, no slot is looked at twice.
	from := max(w.at+1, now/1000-int64(len(w.slots))+1)
	for second := from; second <= now/1000; second++ {
		head := w.slot(uint32(second))
		for s := *head; s != nil; {
			next := s.timer.next
			s.timer.next, s.timer.prev, s.timer.in = nil, nil, false
			due = append(due, s)
			s = next
		}
		*head = nil
		w.at = second
	}
	watched := slices.Collect(maps.Keys(w.watched))
	w.mu.Unlock()

	for _, s := range due {
		next, renew := s.due(now, stall)
		if next > 0 { // Unless it was hastened meanwhile.
			w.hasten(s, next)
		}
		if renew {
			w.g.renewers.add(s)
		}
	}
	for _, s := range watched {
		if !s.stalled(now) {
			w.unwatch(s)
		}
	}
}

// unwatch forgets a socket, unless it got a short deadline meanwhile.
func (w *wheel) unwatch(s *socket) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s.readSince.Load()|s.writeSince.Load()|s.closeBy.Load() == 0 {
		delete(w.watched, s)
	}
}

// closing returns the sockets that are watched: those that are closing are
// found nowhere else.
func (w *wheel) closing() []*socket {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Collect(maps.Keys(w.watched))
}
