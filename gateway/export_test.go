package gateway

import (
	"net"
	"net/http"
	"sync/atomic"
	"time"
	"unsafe"
)

// SocketSize is what every socket takes for itself, in bytes.
const SocketSize = unsafe.Sizeof(socket{})

// Tune sets a listener's bounds; 0 leaves them. Of each connection at most step
// bytes are read at a time.
func Tune(ln net.Listener, patience time.Duration, most, step int) {
	l := ln.(*listener)
	if patience > 0 {
		l.patience = patience
	}
	if most > 0 {
		l.most = most
	}
	l.step = step
}

// Waiting is for how many connections a listener waits.
func Waiting(ln net.Listener) int {
	l := ln.(*listener)
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.waiting)
}

// CloseAfterRead closes a listener at the moment when something has come over a
// connection that it waits for, and before the listener has seen that.
func CloseAfterRead(ln net.Listener, nc *net.TCPConn) error {
	l := ln.(*listener)
	a := newArrival(l, nc)
	l.await(a)
	err := l.Close()
	l.awaited(a)
	return err
}

// ParseHead reads what a listener takes itself.
func ParseHead(b []byte, paths ...string) (target, path, query, host string, header http.Header, ok bool) {
	h, ok := parseHead(b, paths)
	return h.target, h.path, h.query, h.host, h.header, ok
}

// Plain reports whether a socket is read by its descriptor.
func (g *Gateway) Plain(id string) bool { return g.hub.get(id).raw != nil }

// Replayed is a connection of which held was read already.
func Replayed(nc *net.TCPConn, held string) net.Conn {
	return &replayed{Conn: nc, tcp: nc, held: []byte(held)}
}

// Manual leaves the wheel to [Gateway.Turn].
func Manual(o *Options) { o.manual = true }

// Unpolled has sockets wait in goroutines.
func Unpolled(yes bool) func(*Options) { return func(o *Options) { o.unpolled = yes } }

// Turn looks at all deadlines, as the wheel does every second.
func (g *Gateway) Turn() { g.wheel.turn() }

// Sleep replaces the clock that paces shutdowns and retries.
func Sleep(f func(d time.Duration) <-chan time.Time) func(*Options) {
	return func(o *Options) { o.sleep = f }
}

// Reading reports whether a message of the socket has begun and not ended.
func (g *Gateway) Reading(id string) bool {
	s := g.hub.get(id)
	return s != nil && s.readSince.Load() > 0
}

// Renewing is how many goroutines renew rows.
func (g *Gateway) Renewing() int {
	g.renewers.mu.Lock()
	defer g.renewers.mu.Unlock()
	return g.renewers.running
}

// Flushing is how many goroutines write what is pending, those that were held
// up not counted.
func (g *Gateway) Flushing() int {
	g.flushers.mu.Lock()
	defer g.flushers.mu.Unlock()
	return g.flushers.running
}

// Pending is what is pending for a socket, in bytes; 0 once it is closed.
func (g *Gateway) Pending(id string) int {
	s := g.hub.get(id)
	if s == nil {
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.queued
}

// Handling reports whether what a socket's client has sent is being handled.
func (g *Gateway) Handling(id string) bool {
	s := g.hub.get(id)
	return s != nil && s.handling.Load()
}

// Writing reports whether a write to the socket waits for its client.
func (g *Gateway) Writing(id string) bool { return g.hub.get(id).writeSince.Load() > 0 }

// Workers are workers whose sockets are numbers.
type Workers struct {
	w       workers
	group   group
	sockets map[*socket]int
}

// Look is after how many sockets a worker looks whether work keeps coming.
const Look = look

// NewWorkers returns workers that serve the sockets from 0 to n-1 as they are added.
// For each, serve returns how much work there was.
func NewWorkers(most, few, n int, serve func(i int) int) (w *Workers, add func(i int)) {
	w = &Workers{sockets: make(map[*socket]int)}
	all := make([]*socket, n)
	for i := range all {
		all[i] = new(socket)
		w.sockets[all[i]] = i
	}
	w.w = workers{group: &w.group, max: most, few: few, serve: func(s *socket) (int, bool) {
		return serve(w.sockets[s]), true
	}}
	return w, func(i int) {
		w.w.comes()
		w.w.add(all[i])
	}
}

// Comes is work for a socket that is queued already.
func (w *Workers) Comes() { w.w.comes() }

// Running is how many workers there are.
func (w *Workers) Running() int {
	w.w.mu.Lock()
	defer w.w.mu.Unlock()
	return w.w.running
}

// CountDeflations counts in n how often a payload is compressed. It must be
// called before the first post.
func (g *Gateway) CountDeflations(n *atomic.Int64) {
	derive := g.deflated.derive
	g.deflated.derive = func(data []byte) any {
		n.Add(1)
		return derive(data)
	}
}

// Received is when bytes of the socket's client were handled last.
func (g *Gateway) Received(id string) time.Time {
	s := g.hub.get(id)
	if at := s.received.Load(); !s.handling.Load() {
		return time.UnixMilli(at)
	}
	return time.Time{}
}

// PingedAt is when the last ping was queued for a socket, in ms; 0: none was.
func (g *Gateway) PingedAt(id string) int64 {
	if s := g.hub.get(id); s != nil {
		return s.beat.queued.Load()
	}
	for _, s := range g.wheel.closing() {
		if s.conn.ID == id {
			return s.beat.queued.Load()
		}
	}
	return 0
}

// Unanswered is how many sockets were pinged and have not answered yet.
func (g *Gateway) Unanswered() (n int) {
	for _, s := range g.hub.all() {
		if s.beat.queued.Load() > s.received.Load() {
			n++
		}
	}
	return n
}
