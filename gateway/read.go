package gateway

import (
	"errors"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/ws"
)

// readBuffers are taken only when there is something to read.
var readBuffers = sync.Pool{New: func() any { return new([16 << 10]byte) }}

// reader reads a socket. Between messages a socket that is parked has none.
type reader struct {
	s   *socket
	dec ws.Decoder

	buf   *[16 << 10]byte // nil while waiting
	n     int
	err   error
	try   func(fd uintptr) bool // r.tryFD, bound once
	small [64]byte              // where a conn without a descriptor waits

	mayWait bool // the next read of a conn that buffers may, for a while
}

var readers = sync.Pool{New: func() any {
	r := new(reader)
	r.try = r.tryFD
	return r
}}

// takeReader returns the reader that holds a part of a message, or a new one.
func (s *socket) takeReader() *reader {
	if r := s.reader; r != nil {
		s.reader = nil
		return r
	}
	r := readers.Get().(*reader)
	r.s = s
	r.dec = ws.Decoder{MaxMessage: sumu.MaxPayload, MaxFrame: s.g.opts.MaxFrame, Deflate: s.deflates}
	return r
}

// release is called when nothing is left of a message.
func (r *reader) release() {
	r.dec.Release()
	r.s, r.err = nil, nil
	readers.Put(r)
}

// read reads until the connection ends, and then ends the socket, or until
// there is nothing to read, and then parks it. It begins with what was read
// before.
func (s *socket) read(early []byte, woken bool) {
	parked := false
	defer func() { // Deferred, as a handler may end its goroutine.
		if !parked {
			s.end()
		}
	}()
	r := s.takeReader()
	r.consume(early)
	r.mayWait = woken
	for {
		found := r.fill()
		more := found == something && (s.raw == nil || r.n == len(r.buf))
		if found == something {
			r.consume(r.buf[:r.n])
		}
		r.recycle()
		if found == theEnd {
			r.release()
			return
		}
		if more || s.polled == nil {
			continue
		}
		if r.dec.Partial() {
			s.reader = r
		} else {
			r.release()
		}
		if parked = s.park(); parked {
			return
		}
		r = s.takeReader()
		r.mayWait = true // It was woken, unless it is closed.
	}
}

// filled is what [reader.fill] has found.
type filled int

const (
	something filled = iota
	nothing          // for now
	theEnd           // of the connection
)

// fill reads into buf. Unless the socket is polled, it waits until there is
// something to read.
func (r *reader) fill() filled {
	var err error
	r.n, r.err = 0, nil
	switch {
	case r.s.raw != nil:
		if err = r.s.raw.Read(r.try); err == nil {
			err = r.err
		}
	case r.s.polled != nil:
		r.take()
		r.n, err = r.readBuffered()
	case r.dec.Partial() || r.s.deaf:
		r.take()
		r.n, err = r.s.nc.Read(r.buf[:])
	default:
		if r.n, err = r.s.nc.Read(r.small[:]); r.n > 0 {
			r.take()
			copy(r.buf[:], r.small[:r.n])
		}
	}
	switch {
	case r.n > 0:
		return something // An error comes again.
	case err == errAgain:
		return nothing
	}
	return theEnd
}

// readBuffered reads from a conn that may hold what its descriptor does not show
// any more, as TLS does: a socket that was woken waits for what has woken it,
// which may be a part of a record, and then reads until there is no more.
func (r *reader) readBuffered() (int, error) {
	until := longAgo
	if r.mayWait {
		r.mayWait = false
		until = time.Now().Add(partPatience)
	}
	_ = r.s.nc.SetReadDeadline(until)
	n, err := r.s.nc.Read(r.buf[:])
	_ = r.s.nc.SetReadDeadline(time.Time{})
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = errAgain
	}
	return n, err
}

// partPatience is how long a goroutine waits for the rest of a record, with a
// buffer: then the socket is parked with the part, which may be all that a client
// ever sends of it, or a record that holds nothing to read.
const partPatience = 100 * time.Millisecond

// longAgo is a deadline that lets a conn read only what it holds already.
var longAgo = time.Unix(1, 0)

func (r *reader) take() { r.buf = readBuffers.Get().(*[16 << 10]byte) }

// recycle gives the buffer back, if there is one.
func (r *reader) recycle() {
	if r.buf != nil {
		readBuffers.Put(r.buf)
		r.buf = nil
	}
}

// tryFD is called by [syscall.RawConn]: true ends the call, false waits until
// there is something to read. The buffer is taken for the attempt alone.
func (r *reader) tryFD(fd uintptr) bool {
	r.take()
	r.n, r.err = readFD(fd, r.buf[:])
	if r.err == errAgain {
		r.recycle()
		return r.s.polled != nil
	}
	if r.n == 0 && r.err == nil {
		r.err = io.EOF
	}
	return true
}

// consume handles all events in b, one after the other.
func (r *reader) consume(b []byte) {
	if len(b) == 0 || r.s.deaf {
		return
	}
	s := r.s
	s.handling.Store(true)
	s.received.Store(s.g.now())
	for !r.s.deaf {
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
	s.received.Store(s.g.now()) // What came meanwhile is read from now on.
	s.handling.Store(false)
	switch {
	case r.s.deaf || !r.dec.Partial():
		s.readSince.Store(0)
	case s.readSince.Load() == 0:
		s.readSince.Store(s.g.now())
		s.g.wheel.watch(s)
	}
}

func (r *reader) handle(ev ws.Event) {
	s := r.s
	switch {
	case ev.Opcode == ws.Pong && s.beat.owed.CompareAndSwap(true, false):
		return // We asked for it: it is none of the client's messages.
	case ev.Opcode != ws.Close && !r.allowed():
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
		r.s.deaf = true
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

		LikeAPIGateway: s.g.opts.apiGateway,
	}
	reply := s.g.app.Message(s.g.ctx, m)
	if reply == nil {
		return
	}
	if len(reply) > sumu.MaxPayload || !utf8.Valid(reply) {
		s.g.replyErrors.Add(s.g.ctx, s.g.opts.Logger, slog.LevelError, 1, "replies of handlers are too large or not UTF-8",
			"connection", s.conn.ID, "request", m.RequestID, "bytes", len(reply))
		reply = internalError(s.conn.ID, m.RequestID)
	}
	s.reply(s.replyFrames(reply))
}

// fail closes a socket whose stream cannot be read any further.
func (r *reader) fail(err error) {
	r.s.deaf = true
	var bad *ws.Error
	if !errors.As(err, &bad) {
		bad = &ws.Error{Code: ws.CloseProtocol, Reason: "protocol error"}
	}
	r.s.close(bad.Code, bad.Reason)
}
