package gateway

import (
	"sync/atomic"
	"time"

	"github.com/sumu-live/sumu/internal/ws"
)

// heartbeat is how a half-open connection is found: its socket is pinged when
// nothing has come from the client for a while, and reset when nothing comes then
// either. Any byte of the client is an answer; what is written proves nothing, as
// a proxy takes it that has lost its client.
//
// The wheel looks at it with the other long deadlines, so a socket needs neither a
// timer nor a goroutine for it.
type heartbeat struct {
	queued atomic.Int64 // when the ping was queued that is not answered yet, in ms; 0: none is
	sent   atomic.Int64 // when it was written, in ms; 0: it is still pending
	owed   atomic.Bool  // a pong may come that we asked for
	early  uint8        // how many 1,024ths of PingInterval the socket is pinged earlier
}

// pingFrame is what all sockets are pinged with.
var pingFrame = ws.Frame(ws.Ping, nil)

// pingEvery is PingInterval, or up to a quarter less: sockets that connect together,
// or that answer a broadcast together, are not pinged together for ever.
func (s *socket) pingEvery() int64 {
	interval := s.g.opts.PingInterval.Milliseconds()
	return interval - interval*int64(s.beat.early)/1024
}

// check pings the socket when that is due. It returns when to check again (ms), and
// false when the link is dead. After a stall nothing is found dead: the process has
// been suspended, and pongs may be there that are not read yet.
func (s *socket) check(now int64, stall bool) (next int64, alive bool) {
	b, every, timeout := &s.beat, s.pingEvery(), s.g.opts.PongTimeout.Milliseconds()
	unanswered := s.g.opts.PongTimeout < 0 // And never mind.
	last, reading := s.lastReceived(now)
	if !reading {
		return now + every, true
	}
	if queued := b.queued.Load(); queued > last {
		sent := b.sent.Load()
		switch {
		case unanswered:
			last = queued
		case sent == 0: // Behind what is pending: WriteTimeout bounds that.
			return now + time.Second.Milliseconds(), true
		case stall:
			b.sent.Store(now)
			return now + timeout, true
		case now < sent+timeout:
			return sent + timeout, true
		default:
			return 0, false
		}
	}
	if next = last + every; now < next {
		return next, true
	}
	s.ping(now)
	if unanswered {
		return now + every, true
	}
	return now + min(every, timeout), true // It may be answered, and due again, before.
}

// ping queues a ping, which needs no room.
func (s *socket) ping(now int64) {
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		return
	}
	s.beat.queued.Store(now)
	s.beat.sent.Store(0)
	s.beat.owed.Store(true)
	start := s.push(pingFrame)
	s.pending.ping = true
	s.mu.Unlock()
	if start {
		s.startWriter()
	}
}

// wrotePing takes note that the ping has left for the client: from now on its
// answer is waited for.
func (b *heartbeat) wrotePing(now int64) { b.sent.Store(now) }

// lastReceived is when bytes of the client came last, in ms. reading is false while
// they are being handled: nothing more is read then, and silence means nothing.
func (s *socket) lastReceived(now int64) (at int64, reading bool) {
	if s.handling.Load() { // Before received, which is set once more in the end.
		return now, false
	}
	return s.received.Load(), true
}
