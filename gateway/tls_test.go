package gateway_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/sumu-live/sumu/internal/ws"
	"github.com/sumu-live/sumu/internal/ws/wstest"
)

// holding keeps back what is written to it.
type holding struct {
	net.Conn
	on   bool
	held bytes.Buffer
}

func (h *holding) Write(b []byte) (int, error) {
	if h.on {
		return h.held.Write(b)
	}
	return h.Conn.Write(b)
}

// send writes n bytes of what was kept back; negative: all.
func (h *holding) send(t *testing.T, n int) {
	t.Helper()
	if n < 0 {
		n = h.held.Len()
	}
	if _, err := h.Conn.Write(h.held.Next(n)); err != nil {
		t.Fatal(err)
	}
}

// dialHolding is a connection over TLS, whose handshake is still to be made, and
// what keeps back its records.
func dialHolding(e *env) (*tls.Conn, *holding) {
	e.t.Helper()
	nc, err := net.Dial("tcp", e.srv.Listener.Addr().String())
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() { _ = nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(time.Minute))
	h := &holding{Conn: nc}
	return tls.Client(h, &tls.Config{InsecureSkipVerify: true}), h // A test's own server.
}

// What a TLS connection has taken from its descriptor and not handed out yet is
// read before the socket is parked: the poller would never tell of it.
func TestTLSRecordsInAnyParts(t *testing.T) {
	e := start(t, config{tls: true})
	c, h := dialHolding(e)
	if err := c.Handshake(); err != nil {
		t.Fatal(err)
	}
	number := 0
	ping := func() {
		number++
		if _, err := c.Write(wstest.New(ws.Ping, fmt.Sprintf("%02d", number)).Append(nil)); err != nil {
			t.Fatal(err)
		}
	}
	from := bufio.NewReader(c)
	pong := func(number int) {
		t.Helper()
		b := make([]byte, 4)
		if _, err := io.ReadFull(from, b); err != nil {
			t.Fatalf("pong %d: %v", number, err)
		}
		if want := fmt.Sprintf("\x8a\x02%02d", number); string(b) != want {
			t.Fatalf("got %q, want %q", b, want)
		}
	}

	// The handshake and two messages, each a record, arrive at once.
	h.on = true
	if _, err := fmt.Fprintf(c, "GET /?user=u HTTP/1.1\r\nHost: b\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n\r\n", wstest.Key); err != nil {
		t.Fatal(err)
	}
	ping()
	ping()
	h.send(t, -1)
	resp, err := http.ReadResponse(from, nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatal(resp, err)
	}
	pong(1)
	pong(2)

	// Two records and a part of the next, cut everywhere.
	ping()
	record := h.held.Len()
	h.send(t, -1)
	pong(3)
	for cut := range record {
		ping()
		ping()
		ping()
		h.send(t, 2*record+cut)
		pong(number - 2)
		pong(number - 1)
		h.send(t, -1)
		pong(number)
	}
}
