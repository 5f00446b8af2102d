package gateway

import (
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unique"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/ws"
)

// socket is one open WebSocket. While idle it holds this struct and no buffer,
// and on Linux no goroutine; see wait.go.
//
// It ends in one way only: something closes the TCP connection, by which it is
// read once more, and whoever reads it removes the row.
type socket struct {
	// What a post needs, and the write that follows, is in one cache line: a
	// broadcast goes from socket to socket, and waits for memory.
	mu       sync.Mutex
	writing  bool   // a writer has this socket, or will have
	closing  bool   // a close frame is queued, or the end has come: nothing more is
	sent     bool   // our close frame is written
	deflates bool   // messages may be compressed; it never changes
	heard    bool   // the client's close frame has come
	queued   int    // cost of pending and of what is being written
	pending  *queue // frames to write; nil: none
	g        *Gateway
	raw      syscall.RawConn // of nc; nil: not a plain socket, such as TLS
	wrote    atomic.Int64    // when something was written last; ms since the epoch, as those below

	received atomic.Int64 // when bytes of the client came last
	handling atomic.Bool  // they are being handled: nothing is read meanwhile
	beat     heartbeat

	// The times of which 0 says that they do not apply.
	readSince  atomic.Int64 // since when a message is incomplete
	writeSince atomic.Int64 // since when a write waits for the client
	closeBy    atomic.Int64 // when closing must have ended
	renewAt    atomic.Int64

	nc     net.Conn
	polled syscall.RawConn // of nc, or of what it wraps: idle, the socket is parked; nil: it never is
	rest   atomic.Int32    // whether it is parked; see wait.go
	deaf   bool            // the rest of the stream is discarded: it cannot be read, or it has ended
	fd     int32           // the poller's
	reader *reader         // with a part of a message, while parked
	pace   pace

	timer timer

	conn     sumu.Connection // of which mu guards AuthExpiresAt; the rest stays
	identity sumu.Identity   // guarded by mu
	sourceIP string
	agent    unique.Handle[string]
	reason   sumu.DisconnectReason // guarded by mu
	room     chan struct{}         // closed when there is room again; nil unless awaited; guarded by mu
}

// frameCost is what a pending frame costs beside its bytes: without it a flood
// of empty frames would be free.
const frameCost = 32

// post queues a frame. It returns nil, ErrGone or ErrThrottled.
func (s *socket) post(frame []byte) error {
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		return sumu.ErrGone
	}
	if !s.fits(frame) {
		s.mu.Unlock()
		return sumu.ErrThrottled
	}
	start := s.push(frame)
	s.mu.Unlock()
	if start {
		s.startWriter()
	}
	return nil
}

// reply queues a frame like post, but waits for room: a client that sends and
// does not read is not read any further. The caller is the socket's goroutine.
func (s *socket) reply(frame []byte) {
	s.mu.Lock()
	for !s.closing && !s.fits(frame) {
		if s.room == nil {
			s.room = make(chan struct{})
		}
		room := s.room
		s.mu.Unlock()
		<-room
		s.mu.Lock()
	}
	start := !s.closing && s.push(frame)
	s.mu.Unlock()
	if start {
		s.startWriter()
	}
}

func (s *socket) fits(frame []byte) bool {
	return s.queued+len(frame)+frameCost <= s.g.opts.WriteBuffer
}

// push queues a frame and reports whether a writer must be started. mu is held.
func (s *socket) push(frame []byte) (start bool) {
	if s.pending == nil {
		s.pending = queues.Get().(*queue)
	}
	s.pending.frames = append(s.pending.frames, frame)
	s.queued += len(frame) + frameCost
	s.g.flushers.comes()
	start = !s.writing
	s.writing = true
	return start
}

// who returns the connection and its identity as they are now.
func (s *socket) who() (sumu.Connection, sumu.Identity) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conn, s.identity
}

// setIdentity is [sumu.Message.SetIdentity].
func (s *socket) setIdentity(id sumu.Identity) {
	s.mu.Lock()
	s.identity = id
	s.conn.AuthExpiresAt = id.ExpiresAt.Truncate(time.Second)
	s.mu.Unlock()
	// Looked at with the next turn: it may expire earlier than before. A later
	// time needs nothing, but that it is looked at once more.
	s.g.wheel.hasten(s, 0)
}

// close begins the closing handshake from our side, behind what is pending and
// the last frames, which have room in any case. It reports whether the socket
// was open.
func (s *socket) close(code int, text string, last ...[]byte) bool {
	return s.beginClose(sumu.DisconnectReason{Code: code, Text: text}, false, last...)
}

// closingFrame is [sumu.ClosingFrame], ready to be sent.
func closingFrame(code, message string) []byte {
	return ws.Frame(ws.Text, sumu.ClosingFrame(code, message))
}

// answerClose takes note of the client's close frame, and answers it.
func (s *socket) answerClose(code int, text string) {
	if s.beginClose(sumu.DisconnectReason{Code: code, Text: text}, true) {
		return
	}
	s.mu.Lock()
	s.heard = true
	both := s.sent
	s.mu.Unlock()
	if both {
		s.hangUp()
	}
}

func (s *socket) beginClose(reason sumu.DisconnectReason, heard bool, last ...[]byte) bool {
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		return false
	}
	s.endPosts(reason)
	s.heard = heard
	text := reason.Text
	if heard {
		text = "" // The code is echoed, not the client's words.
	}
	start := false
	for _, frame := range append(last, ws.CloseFrame(reason.Code, text)) {
		start = s.push(frame) || start
	}
	s.closeBy.Store(s.g.now() + s.g.opts.CloseGrace.Milliseconds())
	s.mu.Unlock()

	// Watched first: an unregistered socket is found there only.
	s.g.wheel.watch(s)
	s.g.hub.remove(s)
	if start {
		s.startWriter()
	}
	return true
}

// endPosts makes every later post ErrGone. mu is held.
func (s *socket) endPosts(reason sumu.DisconnectReason) {
	s.closing = true
	s.reason = reason
	s.wakeReply()
}

// wakeReply lets a waiting reply look again. mu is held.
func (s *socket) wakeReply() {
	if s.room != nil {
		close(s.room)
		s.room = nil
	}
}

// abort resets the connection: whatever is pending is lost. The reason counts
// unless the socket is closing for another.
func (s *socket) abort(reason sumu.DisconnectReason) {
	s.mu.Lock()
	if !s.closing {
		s.endPosts(reason)
	}
	s.mu.Unlock()
	reset(s.nc)
	s.wake()
}

// open reports whether messages are still handled.
func (s *socket) open() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.closing
}

// end runs when the connection can be read no more: it is the socket's last.
func (s *socket) end() {
	_ = s.nc.Close()
	if s.polled != nil {
		s.g.poller.leave(s)
	}
	s.mu.Lock()
	if !s.closing {
		s.endPosts(abnormal("connection lost"))
	}
	reason, conn := s.reason, s.conn
	s.mu.Unlock()
	s.g.hub.remove(s)
	s.g.wheel.remove(s)
	s.g.removeRow(conn, reason)
	s.g.used.Add(-1)
	s.g.running.done()
}

func abnormal(text string) sumu.DisconnectReason {
	return sumu.DisconnectReason{Code: ws.CloseAbnormal, Text: text}
}

// reset closes a connection without sending what is pending, and without
// waiting: closing TLS properly would write.
func reset(nc net.Conn) {
	if t, ok := nc.(interface{ NetConn() net.Conn }); ok {
		nc, _ = unwrap(t.NetConn(), nil)
	}
	if t, ok := nc.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
	_ = nc.Close()
}
