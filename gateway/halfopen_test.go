package gateway_test

import (
	"cmp"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/gateway"
	"github.com/sumu-live/sumu/internal/ws"
	"github.com/sumu-live/sumu/internal/ws/wstest"
)

// dialBy connects a user through a proxy. The client offers permessage-deflate.
func (e *env) dialBy(p *proxy, user string) (*wstest.Conn, sumu.Connection) {
	e.t.Helper()
	r := wstest.Request(e.t, p.url+"/?user="+user)
	r.Header.Set("Sec-WebSocket-Extensions", offer)
	c := wstest.Send(e.t, r, nil)
	if resp, body := c.Response(); resp.StatusCode != 101 {
		e.t.Fatalf("upgrade: %s: %s", resp.Status, body)
	}
	return c, e.accepted()
}

// Behind a proxy that stops forwarding both ends think that they are connected.
// The socket ends all the same, whatever is posted to it: the proxy takes that.
func TestDeadLink(t *testing.T) {
	half := wstest.Text(`{"action":`)
	half.Fin = false
	for name, tt := range map[string]struct {
		config
		last []wstest.Frame // what the client sends before
		code int            // 0: 1006
	}{
		"plain":      {config: own()},
		"TLS":        {config: config{own: true, tls: true}},
		"compressed": {config: own(compressFrom(1))},
		"a message":  {config: own(), last: []wstest.Frame{wstest.Text(`{"action":"keepalive"}`)}},
		// ReadTimeout ends it first, and its close frame is not answered.
		"half a message": {config: own(), last: []wstest.Frame{half}, code: ws.ClosePolicy},
	} {
		for posts, every := range map[string]int{"without posts": 0, "a post every 2 s": 2} {
			t.Run(name+"/"+posts, func(t *testing.T) {
				e := start(t, tt.config)
				p := startProxy(t, e.srv.URL)
				c, row := e.dialBy(p, "ann")
				if tt.last != nil {
					e.clock.Advance(time.Second)
					c.Send(tt.last...)
					e.sees(row)
				}
				p.halt()
				second := 0
				e.tick(row, 36*time.Second, func() {
					if second++; every > 0 && second%every == 0 {
						_ = e.post(row, "x") // ErrGone in the end.
					}
				})
				e.expectEnd(row, cmp.Or(tt.code, ws.CloseAbnormal))
			})
		}
	}
}

// A write that waits for a dead link is WriteTimeout's: the ping is behind it.
func TestDeadLinkWithFullBuffer(t *testing.T) {
	for name, tls := range map[string]bool{"plain": false, "TLS": true} {
		t.Run(name, func(t *testing.T) {
			e := start(t, config{own: true, tls: tls, small: true})
			c, row := e.dial("ann")
			small(t, c)
			e.stuff(row, strings.Repeat("x", 16<<10))
			for range 9 {
				e.clock.Advance(time.Second)
				e.gw.Turn()
			}
			if e.gw.Sockets() != 1 {
				t.Fatal("the socket ended before WriteTimeout")
			}
			e.clock.Advance(time.Second)
			e.gw.Turn()
			e.expectEnd(row, 1006)
		})
	}
}

// A ping that waits behind posts is not missed: its answer has the whole time from
// when it is written.
func TestPingBehindPosts(t *testing.T) {
	c := own(func(o *gateway.Options) { o.WriteTimeout = time.Hour })
	c.small = true
	e := start(t, c)
	client, row := e.dial("ann")
	small(t, client)
	e.stuff(row, strings.Repeat("x", 16<<10))
	for range 40 {
		e.clock.Advance(time.Second)
		e.gw.Turn()
	}
	if e.gw.PingedAt(row.ID) == 0 {
		t.Fatal("no ping is pending")
	}
	for f, err := client.Next(); f.Opcode != ws.Ping; f, err = client.Next() {
		if err != nil {
			t.Fatal("a client that was not pinged yet was cut off: ", err)
		}
	}
	e.tick(row, 9*time.Second, nil)
	client.Send(wstest.New(ws.Pong, ""))
	e.sees(row)
	e.pinged(client, row)
	e.tick(row, 10*time.Second, nil)
	e.expectEnd(row, 1006)
}

// A gateway that shuts down does not wait for a dead link longer than CloseGrace.
func TestShutdownWithDeadLink(t *testing.T) {
	e := start(t, own())
	p := startProxy(t, e.srv.URL)
	_, row := e.dialBy(p, "ann")
	p.halt()
	ended := make(chan error, 1)
	go func() { ended <- e.gw.Shutdown(context.Background()) }()
	until(t, "a socket that is closing", func() bool { return e.gw.Sockets() == 0 })
	for range 5 {
		e.clock.Advance(time.Second)
		e.gw.Turn()
	}
	e.expectEnd(row, 1001)
	if err := receive(t, ended); err != nil {
		t.Error(err)
	}
}
