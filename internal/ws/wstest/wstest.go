// Package wstest is a WebSocket client for tests. It sends what it is told,
// right or wrong, and answers nothing by itself.
package wstest

import (
	"bufio"
	"cmp"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sumu-live/sumu/internal/ws"
)

// Key is the Sec-WebSocket-Key that [Dial] sends: the one of RFC 6455.
const Key = "dGhlIHNhbXBsZSBub25jZQ=="

// Conn is the client's end of a connection.
type Conn struct {
	net.Conn
	r  *bufio.Reader
	tb testing.TB
}

// limit keeps a test that waits for what never comes from hanging.
const limit = 20 * time.Second

// Frame is a frame as it goes on the wire. Its zero fields are what a client
// must not send: use [Text] and its like, and change what the test is about.
type Frame struct {
	ws.Header
	Payload []byte
}

// New returns a whole frame of a client, masked.
func New(op ws.Opcode, payload string) Frame {
	return Frame{
		Header:  ws.Header{Fin: true, Opcode: op, Masked: true, Key: 0x12345678, Length: uint64(len(payload))},
		Payload: []byte(payload),
	}
}

// Text returns a text message.
func Text(payload string) Frame { return New(ws.Text, payload) }

// Close returns a close frame with a code.
func Close(code int, reason string) Frame {
	return New(ws.Close, string(binary.BigEndian.AppendUint16(nil, uint16(code)))+reason)
}

// Append appends the frame's bytes. The payload is masked if Masked is set;
// Length is written as it stands.
func (f Frame) Append(dst []byte) []byte {
	dst = ws.AppendHeader(dst, f.Header)
	n := len(dst)
	dst = append(dst, f.Payload...)
	if f.Masked {
		ws.Mask(dst[n:], f.Key)
	}
	return dst
}

// Request returns an opening handshake for a URL (http or https), to be changed
// and given to [Send].
func Request(tb testing.TB, rawURL string) *http.Request {
	tb.Helper()
	r, err := http.NewRequest(http.MethodGet, rawURL, nil)
	if err != nil {
		tb.Fatal(err)
	}
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "websocket")
	r.Header.Set("Sec-WebSocket-Version", "13")
	r.Header.Set("Sec-WebSocket-Key", Key)
	return r
}

// Send dials the request's host, and writes the request and then early in one
// write. It does not wait for the response; see [Conn.Response].
func Send(tb testing.TB, r *http.Request, early []byte) *Conn {
	tb.Helper()
	c, err := send(r, early)
	if err != nil {
		tb.Fatal(err)
	}
	c.tb = tb
	tb.Cleanup(func() { _ = c.Conn.Close() })
	return c
}

func send(r *http.Request, early []byte) (*Conn, error) {
	var nc net.Conn
	var err error
	if r.URL.Scheme == "https" {
		nc, err = tls.Dial("tcp", r.URL.Host, &tls.Config{InsecureSkipVerify: true}) // A test's own server.
	} else {
		nc, err = net.Dial("tcp", r.URL.Host)
	}
	if err != nil {
		return nil, err
	}
	_ = nc.SetDeadline(time.Now().Add(limit))
	c := &Conn{Conn: nc, r: bufio.NewReader(nc)}
	if _, err := nc.Write(requestBytes(r, early)); err != nil {
		return nil, err
	}
	return c, nil
}

func requestBytes(r *http.Request, early []byte) []byte {
	b := fmt.Appendf(nil, "%s %s HTTP/1.1\r\nHost: %s\r\n", r.Method, r.URL.RequestURI(), cmp.Or(r.Host, r.URL.Host))
	for name, values := range r.Header {
		for _, v := range values {
			b = fmt.Appendf(b, "%s: %s\r\n", name, v)
		}
	}
	return append(append(b, "\r\n"...), early...)
}

// Response reads the response to the handshake, with its body unless it is 101.
func (c *Conn) Response() (*http.Response, string) {
	c.tb.Helper()
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		c.tb.Fatal(err)
	}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return resp, ""
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		c.tb.Fatal(err)
	}
	return resp, string(body)
}

// Dial opens a WebSocket. The test fails when it is refused.
func Dial(tb testing.TB, rawURL string) *Conn {
	tb.Helper()
	c := Send(tb, Request(tb, rawURL), nil)
	resp, body := c.Response()
	if resp.StatusCode != http.StatusSwitchingProtocols {
		tb.Fatalf("upgrade: %s: %s", resp.Status, body)
	}
	if got := resp.Header.Get("Sec-WebSocket-Accept"); got != ws.AcceptKey(Key) {
		tb.Fatalf("Sec-WebSocket-Accept is %q", got)
	}
	return c
}

// Send writes frames in one write.
func (c *Conn) Send(frames ...Frame) {
	c.tb.Helper()
	var b []byte
	for _, f := range frames {
		b = f.Append(b)
	}
	c.SendRaw(b)
}

// SendRaw writes bytes.
func (c *Conn) SendRaw(b []byte) {
	c.tb.Helper()
	if _, err := c.Write(b); err != nil {
		c.tb.Fatalf("write: %v", err)
	}
}

// Next reads a frame of the server. The error is that of the connection.
func (c *Conn) Next() (Frame, error) {
	var head []byte
	for {
		b, err := c.r.ReadByte()
		if err != nil {
			return Frame{}, err
		}
		head = append(head, b)
		h, n, err := ws.ParseHeader(head)
		if err != nil {
			return Frame{}, err
		}
		if n == 0 {
			continue
		}
		f := Frame{Header: h, Payload: make([]byte, h.Length)}
		_, err = io.ReadFull(c.r, f.Payload)
		return f, err
	}
}

// Expect reads a message or a control frame and fails the test unless it is a
// right one of a server, of this opcode. It returns the payload.
func (c *Conn) Expect(op ws.Opcode) string {
	c.tb.Helper()
	return strings.Join(c.ExpectFrames(op), "")
}

// ExpectFrames is Expect, and returns the payload of each frame.
func (c *Conn) ExpectFrames(op ws.Opcode) []string {
	c.tb.Helper()
	var payloads []string
	for {
		f, err := c.Next()
		if err != nil {
			c.tb.Fatalf("read: %v", err)
		}
		want := op
		if len(payloads) > 0 {
			want = ws.Continuation
		}
		if f.Opcode != want || f.RSV != 0 || f.Masked || !f.Fin && op.Control() {
			c.tb.Fatalf("frame is %+v with payload %.200q; want an unmasked frame of opcode %d", f.Header, f.Payload, want)
		}
		payloads = append(payloads, string(f.Payload))
		if f.Fin {
			return payloads
		}
	}
}

// ExpectText fails the test unless the next frame is this text message.
func (c *Conn) ExpectText(want string) {
	c.tb.Helper()
	if got := c.Expect(ws.Text); got != want {
		c.tb.Fatalf("message is %q, want %q", got, want)
	}
}

// ExpectClose fails the test unless the next frame is a close frame of this
// code and then the server ends its side. It returns the reason.
func (c *Conn) ExpectClose(code int) string {
	c.tb.Helper()
	got, reason, err := ws.ParseClose([]byte(c.Expect(ws.Close)))
	if err != nil || got != code {
		c.tb.Fatalf("close frame is %d %q (%v), want %d", got, reason, err, code)
	}
	c.ExpectEnd()
	return reason
}

// ExpectEnd fails the test unless the server ends its side without another
// frame.
func (c *Conn) ExpectEnd() {
	c.tb.Helper()
	if f, err := c.Next(); err == nil {
		c.tb.Fatalf("frame %+v with payload %q; want the end", f.Header, f.Payload)
	} else if ne, ok := err.(net.Error); ok && ne.Timeout() {
		c.tb.Fatal("the server does not end its side")
	}
}
