package gateway

import (
	"crypto/tls"
	"net"
	"sync"
	"syscall"
)

// A socket is read by one goroutine at a time. On Linux there is none while it
// is idle: whoever finds nothing more to read parks it with the poller, and goes.
// It is woken by the poller, or by whoever closes its connection; waiting says
// that it may be, and is taken back by the one who does. Elsewhere one goroutine
// stays.

// begin starts to read, once the handshake is answered. The caller has added
// the socket to running; it is done with it.
func (s *socket) begin() {
	early := s.early
	s.early = nil
	raw := s.raw
	if raw == nil {
		raw = underlying(s.nc)
	}
	if raw != nil && !s.g.opts.unpolled && s.g.poller.enter() {
		s.polled = raw
	}
	// A conn that buffers may hold the first message already.
	if s.polled != nil && s.raw != nil && len(early) == 0 && s.park() {
		return
	}
	// A goroutine of its own, so that the request and all that belongs to it
	// can be forgotten.
	go s.read(early, false)
}

// underlying returns how to reach the descriptor of a conn over TLS; nil for
// any other.
func underlying(nc net.Conn) syscall.RawConn {
	if t, ok := nc.(*tls.Conn); ok {
		return rawConn(t.NetConn())
	}
	return nil
}

// wake has the socket read on, if it is parked.
func (s *socket) wake() {
	if s.waiting.CompareAndSwap(true, false) {
		go s.read(nil, true)
	}
}

// park reports whether the socket is not the caller's any more.
func (s *socket) park() bool {
	a := armers.Get().(*armer)
	a.s, a.armed = s, false
	s.waiting.Store(true)
	_ = s.polled.Control(a.arm)
	armed := a.armed
	a.s = nil
	armers.Put(a)
	// Closed meanwhile, and whoever did that may have come too early to wake it.
	return armed || !s.waiting.CompareAndSwap(true, false)
}

// armer arms the poller for a socket whose descriptor cannot be closed
// meanwhile. It is nobody else's: the socket may have been woken, and gone,
// before arm returns.
type armer struct {
	s     *socket
	armed bool
	arm   func(fd uintptr) // bound once
}

var armers = sync.Pool{New: func() any {
	a := new(armer)
	a.arm = func(fd uintptr) { a.armed = a.s.g.poller.arm(a.s, int(fd)) }
	return a
}}

// hangUp closes the connection, by which the socket ends.
func (s *socket) hangUp() {
	_ = s.nc.Close()
	s.wake()
}
