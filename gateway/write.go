package gateway

import (
	"net"
	"sync"
	"syscall"
	"time"
)

// maxJoined is how many bytes are joined into one write. The system call is
// what a write costs, not the bytes: 40 frames of 200 B in one take a
// twentieth of the time of 40 writes.
const maxJoined = 32 << 10

// writer writes queues to sockets. It belongs to one goroutine at a time.
type writer struct {
	buf   []byte // where frames are joined
	chunk []byte // what try writes
	wait  bool   // try waits until the client takes something
	n     int
	err   error
	try   func(fd uintptr) bool // w.tryFD, bound once
}

// writers are pooled, as a flusher often serves one socket only and ends.
var writers = sync.Pool{New: func() any {
	w := &writer{buf: make([]byte, 0, maxJoined)}
	w.try = w.tryFD
	return w
}}

// write writes a part of chunk, maybe nothing. With wait it writes at least
// one byte, unless it fails.
func (w *writer) write(nc net.Conn, raw syscall.RawConn, chunk []byte, wait bool) (int, error) {
	if raw == nil {
		return nc.Write(chunk)
	}
	w.chunk, w.wait, w.n, w.err = chunk, wait, 0, nil
	err := raw.Write(w.try)
	w.chunk = nil
	if err == nil {
		err = w.err
	}
	return w.n, err
}

// tryFD is called by [syscall.RawConn]: true ends the call, false waits until
// the socket is writable.
func (w *writer) tryFD(fd uintptr) bool {
	w.n, w.err = writeFD(fd, w.chunk)
	if w.err == errAgain {
		w.n, w.err = 0, nil
		return !w.wait
	}
	return true
}

// startWriter hands the socket to the flushers.
func (s *socket) startWriter() { s.g.flushers.add(s) }

// heldUp is how long a flusher may wait for one socket before another takes its
// place. A write to TLS, which can only be waited for, takes 10 to 20 µs unless
// the client is slow.
const heldUp = 200 * time.Microsecond

// flush writes what is pending for a socket, and returns how many frames that
// were. It waits for no client longer than heldUp: it returns false when its
// place was taken then.
func (g *Gateway) flush(s *socket) (frames int, stays bool) {
	q := s.take()
	if q == nil {
		if s.settle(0) {
			g.flushers.add(s)
		}
		return 0, true
	}
	frames = len(q.frames)
	if s.raw == nil {
		g.running.add() // The timer's function, for which nobody else waits.
		place := time.AfterFunc(heldUp, func() {
			defer g.running.done()
			g.flushers.leave()
		})
		s.writePatiently(q)
		if stays = place.Stop(); stays {
			g.running.done()
		}
		return frames, stays
	}
	w := writers.Get().(*writer)
	defer writers.Put(w)
	cost := 0
	for !q.empty() {
		chunk := q.next(w.buf)
		n, err := w.write(s.nc, s.raw, chunk, false)
		if err != nil {
			s.abort(abnormal("connection lost"))
			return frames, true
		}
		cost += q.skip(n)
		if n < len(chunk) {
			// The client is slower than we are: only a goroutine of its own
			// waits for it.
			s.freeRoom(cost)
			g.running.add()
			go func() {
				defer g.running.done()
				s.writePatiently(q)
			}()
			return frames, true
		}
	}
	s.wroteAll(q, g.now())
	q.recycle()
	if s.settle(cost) {
		g.flushers.add(s) // Behind the others, which pile up meanwhile.
	}
	return frames, true
}

// writePatiently writes q and all that follows until nothing is pending. The
// wheel resets the connection when nothing moves for too long.
func (s *socket) writePatiently(q *queue) {
	w := writers.Get().(*writer)
	defer writers.Put(w)
	s.writeSince.Store(s.g.now())
	s.g.wheel.watch(s)
	defer s.writeSince.Store(0)
	for {
		if q == nil {
			q = s.take()
		}
		for q != nil && !q.empty() {
			n, err := w.write(s.nc, s.raw, q.next(w.buf), true)
			if err != nil {
				s.abort(abnormal("connection lost"))
				return
			}
			now := s.g.now()
			s.writeSince.Store(now)
			s.wrote.Store(now)
			s.freeRoom(q.skip(n))
		}
		if q != nil {
			s.wroteAll(q, s.g.now())
			q.recycle()
			q = nil
		}
		if !s.settle(0) {
			return
		}
	}
}

// take returns what is pending; nil: nothing.
func (s *socket) take() *queue {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.pending
	s.pending = nil
	return q
}

// wroteAll takes note that all of q is written.
func (s *socket) wroteAll(q *queue, now int64) {
	s.wrote.Store(now)
	if q.ping {
		s.beat.wrotePing(now)
	}
}

// freeRoom makes room by what was written.
func (s *socket) freeRoom(cost int) {
	s.mu.Lock()
	s.queued -= cost
	s.wakeReply()
	s.mu.Unlock()
}

// settle is freeRoom, and ends the writer's turn: it reports whether more is
// pending. When nothing is and the socket is closing, the close frame, always
// the last, has gone out.
func (s *socket) settle(cost int) (more bool) {
	s.mu.Lock()
	s.queued -= cost
	s.wakeReply()
	more = s.pending != nil
	s.writing = more
	last := !more && s.closing && !s.sent
	s.sent = s.sent || last
	heard := s.heard
	s.mu.Unlock()
	switch {
	case last && heard:
		s.hangUp()
	case last:
		// The client sees the end and ends its side: closing ours now could
		// reset the connection and take the close frame with it.
		if c, ok := s.nc.(interface{ CloseWrite() error }); ok {
			_ = c.CloseWrite()
		}
	}
	return more
}
