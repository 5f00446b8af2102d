package gateway_test

import (
	"bufio"
	"io"
	"net/http/httptest"
	"testing"

	"github.com/sumu-live/sumu/internal/ws"
	"github.com/sumu-live/sumu/internal/ws/wstest"
)

// polling skips a test where sockets are not polled by wish.
func polling(t *testing.T) {
	t.Helper()
	if *unpolled {
		t.Skip("-unpolled is set: no socket is parked")
	}
}

// Where the system has an epoll but watches no more descriptors, a socket waits
// in a goroutine, rather than trying for ever.
func TestSocketThatCannotBeParked(t *testing.T) {
	for name, overTLS := range map[string]bool{"plain": false, "TLS": true} {
		t.Run(name, func(t *testing.T) {
			polling(t)
			e := start(t, config{tls: overTLS})
			other, first := e.dial("first")
			until(t, "a parked socket", func() bool { return e.gw.Parked(first.ID) })
			e.gw.BreakPoller()
			c, row := e.dial("second")
			until(t, "a socket that the poller does not have", func() bool { return e.gw.Polled() == 1 })
			for range 3 {
				c.Send(wstest.New(ws.Ping, "x"))
				c.Expect(ws.Pong)
			}
			_ = c.Close()
			e.expectEnd(row, ws.CloseAbnormal)
			_ = other.Close()
			e.expectEnd(first, ws.CloseAbnormal)
			shutdown(t, e)
		})
	}
}

// A client that sends a part of a record and no more holds neither a goroutine
// nor a buffer.
func TestTLSPartOfARecord(t *testing.T) {
	polling(t)
	e := start(t, config{tls: true})
	c, h := dialHolding(e)
	if _, err := io.WriteString(c, "GET /?user=u HTTP/1.1\r\n"+handshake); err != nil {
		t.Fatal(err)
	}
	from := bufio.NewReader(c)
	if status, _ := answer(t, from); status != 101 {
		t.Fatal(status)
	}
	row := e.accepted()
	until(t, "a parked socket", func() bool { return e.gw.Parked(row.ID) })
	h.on = true
	if _, err := c.Write(wstest.New(ws.Ping, "x").Append(nil)); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{3, 1, 8} {
		h.send(t, n)
		until(t, "a socket that is parked with a part of a record", func() bool {
			return e.gw.Unread(row.ID) == 0 && e.gw.Parked(row.ID)
		})
	}
	h.send(t, -1)
	b := make([]byte, 3)
	if _, err := io.ReadFull(from, b); err != nil || string(b) != "\x8a\x01x" {
		t.Fatalf("got %q (%v)", b, err)
	}
}

// A server that adds TLS to a listener of ours has its sockets parked as well.
func TestTLSOverListenerIsParked(t *testing.T) {
	polling(t)
	e := start(t, config{})
	srv := httptest.NewUnstartedServer(e.gw)
	srv.Listener = e.gw.Listener(srv.Listener, "/")
	srv.StartTLS()
	defer srv.Close()
	c := wstest.Dial(t, srv.URL+"/?user=ann")
	row := e.accepted()
	until(t, "a parked socket", func() bool { return e.gw.Parked(row.ID) })
	c.Send(wstest.New(ws.Ping, "x"))
	c.Expect(ws.Pong)
	_ = c.Close()
	e.expectEnd(row, ws.CloseAbnormal)
}
