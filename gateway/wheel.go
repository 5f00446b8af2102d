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
	slot       int32
	in         bool // in a slot
	known      bool // added and not removed
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

// move makes a socket come up at due (ms), or not at all if it was removed.
func (w *wheel) move(s *socket, due int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s.timer.known {
		w.unlink(s)
		w.link(s, due)
	}
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
	second := min(max((due+999)/1000, w.at+1), w.at+int64(len(w.slots))-1)
	slot := second % int64(len(w.slots))
	s.timer.slot, s.timer.in = int32(slot), true
	s.timer.prev, s.timer.next = nil, w.slots[slot]
	if s.timer.next != nil {
		s.timer.next.timer.prev = s
	}
	w.slots[slot] = s
}

func (w *wheel) unlink(s *socket) {
	if !s.timer.in {
		return
	}
	if s.timer.prev != nil {
		s.timer.prev.timer.next = s.timer.next
	} else {
		w.slots[s.timer.slot] = s.timer.next
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

// turn looks at every socket that is due, and at the watched ones.
func (w *wheel) turn() {
	now := w.g.now()
	w.mu.Lock()
	var due []*socket
	// However far the clock has moved, no slot is looked at twice.
	from := max(w.at+1, now/1000-int64(len(w.slots))+1)
	for second := from; second <= now/1000; second++ {
		for s := w.slots[second%int64(len(w.slots))]; s != nil; {
			next := s.timer.next
			s.timer.next, s.timer.prev, s.timer.in = nil, nil, false
			due = append(due, s)
			s = next
		}
		w.slots[second%int64(len(w.slots))] = nil
		w.at = second
	}
	watched := slices.Collect(maps.Keys(w.watched))
	w.mu.Unlock()

	for _, s := range due {
		next, renew := s.due(now)
		if next > 0 {
			w.move(s, next)
		}
		if renew { // Behind the move: a renewal that fails moves it again.
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
