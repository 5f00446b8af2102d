package gateway

import (
	"crypto/tls"
	"net"
	"sync"
	"syscall"
)

// A socket is read by one goroutine at a time. On Linux there is none while it
// is idle: whoever finds nothing more to read parks it with the poller, and goes.
// It is woken by the poller, or by whoever closes its connection; rest says
// whether it may be, and is taken back by the one who does. Elsewhere one goroutine
// stays.

// The states of [socket.rest].
const (
	reading int32 = iota
	parking       // by its reader, which goes on if it is woken now: the poller is still at it
	parked
	woken // while it was parking
)

// begin starts to read, once the handshake is answered. The caller has added
// the socket to running; it is done with it. early is what came right behind the
// handshake.
func (s *socket) begin(early []byte) {
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
		plain, _ := unwrap(t.NetConn(), nil) // What was read before was the handshake's.
		return rawConn(plain)
	}
	return nil
}

// wake has the socket read on, if it is parked.
func (s *socket) wake() {
	for {
		switch s.rest.Load() {
		case parked:
			if s.rest.CompareAndSwap(parked, reading) {
				go s.read(nil, true)
				return
			}
		case parking:
			if s.rest.CompareAndSwap(parking, woken) {
				return
			}
		default:
			return
		}
	}
}

// park reports whether the socket is not the caller's any more.
func (s *socket) park() bool {
	a := armers.Get().(*armer)
	a.s, a.armed = s, false
	s.rest.Store(parking)
	err := s.polled.Control(a.arm)
	armed := a.armed
	a.s = nil
	armers.Put(a)
	if armed && s.rest.CompareAndSwap(parking, parked) {
		return true
	}
	s.rest.Store(reading)
	if err == nil && !armed {
		// The system watches no more for us: the socket waits in a goroutine.
		s.g.poller.leave(s)
		s.polled = nil
	}
	return false // Else it is closed, or was woken meanwhile.
}

// armer arms the poller for a socket whose descriptor cannot be closed
// meanwhile.
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
