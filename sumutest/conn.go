package sumutest

import (
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/ws"
	"github.com/sumu-live/sumu/internal/ws/wstest"
)

// Conn is a client's end of a WebSocket; see [Env.Connect]. It reads when it is
// asked to, and only then: one that is not asked is a client that does not read.
type Conn struct {
	// Connection is the row as it was written when the client connected.
	Connection sumu.Connection
	// Subprotocol is what the server chose; "": none.
	Subprotocol string

	env *Env
	ws  *wstest.Conn

	writing sync.Mutex
	leaving atomic.Bool // our close frame was sent first

	reading  sync.Mutex
	received []string
	partial  []byte // of a message that comes in several frames; nil: none
	pings    int
	end      *closed // how it ended; nil: it has not
}

// closed is how a connection ended, as an error.
type closed struct {
	code   int // 1006 without a close frame
	reason string
}

func (c *closed) Error() string { return fmt.Sprintf("it was closed with %d %q", c.code, c.reason) }

// errNothing is that nothing has come in time.
type errNothing time.Duration

func (e errNothing) Error() string { return fmt.Sprintf("nothing came in %v", time.Duration(e)) }

// ID is the connection's id.
func (c *Conn) ID() string { return c.Connection.ID }

// Send sends a text message. The test fails when the connection is broken; one
// that the server is closing may take messages that nobody reads any more.
func (c *Conn) Send(tb testing.TB, text string) {
	tb.Helper()
	if err := c.write(wstest.Text(text)); err != nil {
		tb.Fatalf("%v: send: %v%s", c, err, c.soFar())
	}
}

func (c *Conn) write(f wstest.Frame) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	_ = c.ws.SetWriteDeadline(time.Now().Add(c.env.opts.Wait))
	_, err := c.ws.Write(f.Append(nil))
	return err
}

// incoming is what a reader may be waiting for: a text message or a pong.
type incoming struct {
	pong bool
	text string
}

// read returns the next message or pong, and keeps the protocol for the other
// frames. reading is held.
func (c *Conn) read(deadline time.Time) (incoming, error) {
	_ = c.ws.SetReadDeadline(deadline)
	for c.end == nil {
		f, err := c.ws.Next()
		if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
			return incoming{}, errNothing(c.env.opts.Wait)
		}
		first := f.Opcode == ws.Text && c.partial == nil
		switch {
		case err != nil:
			c.end = &closed{ws.CloseAbnormal, err.Error()}
		case f.RSV != 0, f.Masked, f.Opcode.Control() && !f.Fin:
			return incoming{}, fmt.Errorf("the server sent a wrong frame: %+v", f.Header)
		case first, f.Opcode == ws.Continuation && c.partial != nil:
			if c.partial == nil {
				c.partial = []byte{} // Begun, though it may be empty.
			}
			c.partial = append(c.partial, f.Payload...)
			if !f.Fin {
				continue
			}
			text := string(c.partial)
			c.partial = nil
			c.received = append(c.received, text)
			return incoming{text: text}, nil
		case f.Opcode == ws.Pong:
			return incoming{pong: true, text: string(f.Payload)}, nil
		case f.Opcode == ws.Ping:
			_ = c.write(wstest.New(ws.Pong, string(f.Payload))) // A broken connection shows with the next read.
		case f.Opcode == ws.Close:
			c.closing(f.Payload)
		default:
			return incoming{}, fmt.Errorf("the server sent a wrong frame: %+v", f.Header)
		}
	}
	return incoming{}, c.end
}

// closing answers the server's close frame, unless it is an answer itself, and
// waits for the end. reading is held.
func (c *Conn) closing(payload []byte) {
	code, reason, err := ws.ParseClose(payload)
	if err != nil {
		code, reason = ws.CloseProtocol, err.Error()
	}
	c.end = &closed{code, reason}
	if !c.leaving.Load() {
		_ = c.write(wstest.New(ws.Close, string(payload))) // Heard or not, it is over.
	}
	_, _ = io.Copy(io.Discard, c.ws)
	_ = c.ws.Close()
}

// Received returns all messages that were read so far, whoever asked for them.
func (c *Conn) Received() []string {
	c.reading.Lock()
	defer c.reading.Unlock()
	return slices.Clone(c.received)
}

// soFar tells of a test that fails what its client has read.
func (c *Conn) soFar() string {
	received := c.Received()
	if len(received) == 0 {
		return "; it has read no message"
	}
	const most = 20
	var b strings.Builder
	fmt.Fprintf(&b, "; it has read %d:", len(received))
	for _, text := range received[max(0, len(received)-most):] {
		fmt.Fprintf(&b, "\n\t%.200s", text)
	}
	return b.String()
}

// String names the connection in failures: its user and its id.
func (c *Conn) String() string { return c.Connection.UserID + " " + c.Connection.ID }

// Close closes the connection with 1000, as a client that leaves, and returns
// when its row is gone. The test fails when the server does not answer.
func (c *Conn) Close(tb testing.TB) {
	tb.Helper()
	c.leaving.Store(true)
	if err := c.write(wstest.Close(ws.CloseNormal, "")); err != nil {
		tb.Fatalf("%v: close: %v%s", c, err, c.soFar())
	}
	c.reading.Lock()
	deadline := time.Now().Add(c.env.opts.Wait)
	var err error
	for err == nil {
		_, err = c.read(deadline)
	}
	end := c.end
	c.reading.Unlock()
	if end == nil || end.code == ws.CloseAbnormal {
		tb.Fatalf("%v: closed, but %v%s", c, err, c.soFar())
	}
	c.gone(tb)
}

// Cut breaks the connection without a word (1006), as a client whose network is
// gone, and returns when its row is gone.
func (c *Conn) Cut(tb testing.TB) {
	tb.Helper()
	if tcp, ok := c.ws.Conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // A reset.
	}
	_ = c.ws.Close()
	c.gone(tb)
}

// gone waits for the removal of the row.
func (c *Conn) gone(tb testing.TB) {
	tb.Helper()
	select {
	case <-c.env.track.end(c.ID()):
	case <-time.After(c.env.opts.Wait):
		tb.Fatalf("%v: its row was not removed in %v", c, c.env.opts.Wait)
	}
}
