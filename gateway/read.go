package gateway

import (
	"errors"
	"io"
	"sync"
	"unicode/utf8"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/ws"
)

// readBuffers are taken only when there is something to read.
var readBuffers = sync.Pool{New: func() any { return new([16 << 10]byte) }}

// reader is the socket's goroutine.
type reader struct {
	s    *socket
	dec  ws.Decoder
	pace pace
	deaf bool // the rest of the stream is discarded: it cannot be read, or it has ended

	buf   *[16 << 10]byte // nil while waiting
	n     int
	err   error
	try   func(fd uintptr) bool // r.tryFD, bound once
	small [64]byte              // where a conn without a descriptor waits
}

// serve reads until the connection ends, and then ends the socket.
func (s *socket) serve() {
	defer s.g.running.done()
	defer s.end()
	r := &reader{s: s, dec: ws.Decoder{MaxMessage: sumu.MaxPayload, MaxFrame: max(0, s.g.opts.MaxFrame)}}
	r.try = r.tryFD
	defer r.dec.Release()
	r.consume(s.early)
	s.early = nil
	for r.fill() {
		r.consume(r.buf[:r.n])
		readBuffers.Put(r.buf)
		r.buf = nil
	}
}

// fill waits until there is something to read, and reads it into buf. It
// returns false at the end of the connection.
func (r *reader) fill() bool {
	var err error
	r.n, r.err = 0, nil
	switch {
	case r.s.raw != nil:
		if err = r.s.raw.Read(r.try); err == nil {
			err = r.err
		}
	case r.dec.Partial() || r.deaf:
		r.buf = readBuffers.Get().(*[16 << 10]byte)
		r.n, err = r.s.nc.Read(r.buf[:])
	default:
		if r.n, err = r.s.nc.Read(r.small[:]); r.n > 0 {
			r.buf = readBuffers.Get().(*[16 << 10]byte)
			copy(r.buf[:], r.small[:r.n])
		}
	}
	if r.n > 0 {
		return true // An error comes again.
	}
	if r.buf != nil {
		readBuffers.Put(r.buf)
		r.buf = nil
	}
	return err == nil
}

// tryFD is called by [syscall.RawConn]: true ends the call, false waits until
// there is something to read. The buffer is taken for the attempt alone.
func (r *reader) tryFD(fd uintptr) bool {
	r.buf = readBuffers.Get().(*[16 << 10]byte)
	r.n, r.err = readFD(fd, r.buf[:])
	if r.err == errAgain {
		readBuffers.Put(r.buf)
		r.buf, r.err = nil, nil
		return false
	}
	if r.n == 0 && r.err == nil {
		r.err = io.EOF
	}
	return true
}

// consume handles all events in b, one after the other.
func (r *reader) consume(b []byte) {
	if len(b) == 0 || r.deaf {
		return
	}
	s := r.s
	s.active.Store(s.g.now())
	for !r.deaf {
		ev, n, err := r.dec.Next(b)
		b = b[n:]
		if err != nil {
			r.fail(err)
			break
		}
		if ev.Opcode == ws.Continuation {
			break
		}
		r.handle(ev)
	}
	switch {
	case r.deaf || !r.dec.Partial():
		s.readSince.Store(0)
	case s.readSince.Load() == 0:
		s.readSince.Store(s.g.now())
		s.g.wheel.watch(s)
	}
}

func (r *reader) handle(ev ws.Event) {
	s := r.s
	if ev.Opcode != ws.Close && !r.allowed() {
		return
	}
	switch ev.Opcode {
	case ws.Text:
		s.readSince.Store(0) // Its handler's time is not the client's.
		if s.open() {
			r.message(ev.Payload)
		}
	case ws.Ping:
		s.reply(ws.Frame(ws.Pong, ev.Payload))
	case ws.Close:
		code, text, err := ws.ParseClose(ev.Payload)
		if err != nil {
			r.fail(err)
			return
		}
		r.deaf = true
		s.answerClose(code, text)
	}
}

func (r *reader) message(body []byte) {
	s := r.s
	conn, identity := s.who()
	m := sumu.Message{
		Connection:  conn,
		Identity:    identity,
		Body:        body,
		RequestID:   sumu.NewID(),
		ReceivedAt:  s.g.opts.Now(),
		SetIdentity: s.setIdentity,
	}
	reply := s.g.app.Message(s.g.ctx, m)
	if reply == nil {
		return
	}
	if len(reply) > sumu.MaxPayload || !utf8.Valid(reply) {
		s.g.opts.Logger.Error("a handler's reply is too large or not UTF-8",
			"connection", s.conn.ID, "request", m.RequestID, "bytes", len(reply))
		reply = internalError(s.conn.ID, m.RequestID)
	}
	s.reply(s.g.textFrames(reply))
}

// fail closes a socket whose stream cannot be read any further.
func (r *reader) fail(err error) {
	r.deaf = true
	var bad *ws.Error
	if !errors.As(err, &bad) {
		bad = &ws.Error{Code: ws.CloseProtocol, Reason: "protocol error"}
	}
	r.s.close(bad.Code, bad.Reason)
}
