package gateway_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/gateway"
	"github.com/sumu-live/sumu/internal/ws"
	"github.com/sumu-live/sumu/internal/ws/wstest"
)

// own is a gateway with the defaults: a ping every 25 s, 10 s for the answer.
func own(fns ...func(*gateway.Options)) config { return config{own: true, gw: fns} }

// tick lets d go by second by second, as the wheel does, and calls each, unless
// it is nil, in every one of them.
func (e *env) tick(row sumu.Connection, d time.Duration, each func()) {
	e.t.Helper()
	for ; d > 0; d -= time.Second {
		e.clock.Advance(time.Second)
		e.gw.Turn()
		if each != nil {
			each()
		}
		until(e.t, "the end of all writes", func() bool { return e.gw.Pending(row.ID) == 0 })
	}
}

// sees waits until the gateway has received what the client sent just now.
func (e *env) sees(row sumu.Connection) {
	e.t.Helper()
	until(e.t, "what the client sent", func() bool { return e.gw.Received(row.ID).Equal(e.clock.Now()) })
}

// pinged is how many seconds go by until the client is pinged.
func (e *env) pinged(c *wstest.Conn, row sumu.Connection) (seconds int) {
	e.t.Helper()
	came := make(chan struct{})
	go func() {
		defer close(came)
		c.Expect(ws.Ping)
	}()
	before := e.gw.PingedAt(row.ID)
	for seconds = 1; seconds <= 60; seconds++ {
		e.tick(row, time.Second, nil)
		if e.gw.PingedAt(row.ID) != before {
			receive(e.t, came)
			return seconds
		}
	}
	e.t.Fatal("no ping in a minute")
	return 0
}

// A client that answers pings stays, though it sends nothing else.
func TestPing(t *testing.T) {
	for name, c := range map[string]config{"plain": own(), "TLS": {own: true, tls: true}} {
		t.Run(name, func(t *testing.T) {
			e := start(t, c)
			c, row := e.dial("ann")
			for range 20 {
				if s := e.pinged(c, row); s < 18 || s > 26 {
					t.Fatalf("pinged after %d s, want 19 to 25", s)
				}
				e.tick(row, 8*time.Second, nil) // It has 10 s.
				c.Send(wstest.New(ws.Pong, ""))
				e.sees(row)
			}
			e.pinged(c, row)
			e.tick(row, 10*time.Second, nil)
			e.expectEnd(row, 1006)
		})
	}
}

// What a client sends, whatever it is, answers a ping and postpones the next one.
func TestDataIsLife(t *testing.T) {
	half := wstest.Text(`{"action":`)
	half.Fin = false
	rest := wstest.New(ws.Continuation, `"keepalive"}`)
	for name, frames := range map[string][]wstest.Frame{
		"a message":       {wstest.Text(`{"action":"keepalive"}`)},
		"fragments":       {half, rest},
		"an unasked pong": {wstest.New(ws.Pong, "unasked")},
	} {
		t.Run(name, func(t *testing.T) {
			e := start(t, own())
			c, row := e.dial("ann")
			for range 10 {
				for _, f := range frames {
					e.tick(row, 7*time.Second, nil)
					c.Send(f)
					e.sees(row)
				}
			}
			if e.gw.PingedAt(row.ID) != 0 {
				t.Error("a client that sends was pinged")
			}
			for range 3 { // It never sends a pong.
				e.pinged(c, row)
				for _, f := range frames {
					e.tick(row, 7*time.Second, nil)
					c.Send(f)
					e.sees(row)
				}
			}
		})
	}
}

// Sockets that connect together are not pinged together.
func TestPingsAreSpread(t *testing.T) {
	e := start(t, own())
	const sockets = 100
	var rows []sumu.Connection
	for range sockets {
		_, row := e.dial("ann")
		rows = append(rows, row)
	}
	count := func() (n int) {
		for _, row := range rows {
			if e.gw.PingedAt(row.ID) != 0 {
				n++
			}
		}
		return n
	}
	before, most := 0, 0
	for range 25 {
		e.tick(rows[0], time.Second, nil)
		n := count()
		before, most = n, max(most, n-before)
	}
	if before != sockets || most > sockets/2 {
		t.Errorf("%d pings in 25 s, %d of them in one; want %d, and less than half in one", before, most, sockets)
	}
}

// While a handler runs nothing is read: a pong that waits is not missed.
func TestPongWhileHandlerRuns(t *testing.T) {
	e := start(t, own())
	started, finish := make(chan struct{}), make(chan struct{})
	e.app.Handle("slow", func(context.Context, sumu.Message) ([]byte, error) {
		close(started)
		<-finish
		return nil, nil
	})
	c, row := e.dial("ann")
	e.pinged(c, row)
	c.Send(wstest.Text(`{"action":"slow"}`), wstest.New(ws.Pong, ""))
	receive(t, started)
	e.tick(row, time.Minute, nil)
	close(finish)
	e.sees(row)
	alive(t, c)
	e.handled(row.ID)
	e.pinged(c, row)
}

// A process that was suspended has not read what its clients sent meanwhile.
func TestPongAfterSuspension(t *testing.T) {
	e := start(t, own())
	c, row := e.dial("ann")
	e.pinged(c, row)
	e.clock.Advance(time.Minute)
	e.gw.Turn() // Before the pong is read.
	c.Send(wstest.New(ws.Pong, ""))
	e.sees(row)
	alive(t, c)
	e.handled(row.ID)
	e.pinged(c, row)
	e.clock.Advance(time.Minute)
	e.gw.Turn()
	e.tick(row, 10*time.Second, nil) // It gets the whole time again, once.
	e.expectEnd(row, 1006)
}

// The pong that was asked for is no message of the client's; others are.
func TestPongsAreNotRated(t *testing.T) {
	e := start(t, own(func(o *gateway.Options) { o.MessageRate, o.PingInterval = 1, time.Second }))
	c, row := e.dial("ann")
	for range 10 {
		e.pinged(c, row)
		c.Send(wstest.Text(`{"action":"ping"}`), wstest.New(ws.Pong, ""))
		if got := c.Expect(ws.Text); !strings.Contains(got, `"pong"`) {
			t.Fatal(got)
		}
		e.sees(row)
	}
	c.Send(wstest.New(ws.Pong, ""), wstest.New(ws.Pong, ""), wstest.New(ws.Pong, ""))
	if got := c.Expect(ws.Text); !strings.Contains(got, "rate_limited") {
		t.Errorf("pongs that nobody asked for: %s", got)
	}
}

// Nothing follows a close frame.
func TestNoPingBehindAClose(t *testing.T) {
	e := start(t, own(func(o *gateway.Options) { o.PingInterval, o.CloseGrace = 4*time.Second, time.Minute }))
	c, row := e.dial("ann")
	if err := e.gw.Disconnect(t.Context(), row); err != nil {
		t.Fatal(err)
	}
	c.ExpectClose(1000)
	for range 8 {
		e.clock.Advance(time.Second)
		e.gw.Turn()
	}
	if e.gw.PingedAt(row.ID) != 0 {
		t.Error("a ping was queued behind the close frame")
	}
	c.Send(wstest.Close(1000, ""))
	e.expectEnd(row, 1000)
}

// Without PongTimeout pings keep proxies from closing the link, and no more.
func TestNoPongTimeout(t *testing.T) {
	e := start(t, own(func(o *gateway.Options) { o.PongTimeout = -1 }))
	c, row := e.dial("ann")
	for range 5 {
		if s := e.pinged(c, row); s > 26 {
			t.Errorf("pinged after %d s, want at most 25", s)
		}
	}
	alive(t, c)
}

func TestNoPings(t *testing.T) {
	for name, c := range map[string]config{
		"like API Gateway": {},
		"by option":        own(func(o *gateway.Options) { o.PingInterval, o.IdleTimeout = -1, -1 }),
	} {
		t.Run(name, func(t *testing.T) {
			e := start(t, c)
			c, row := e.dial("ann")
			e.tick(row, 5*time.Minute, nil)
			alive(t, c)
		})
	}
}

// Without pings it is IdleTimeout that ends a dead link; posts do not count but
// with LikeAPIGateway.
func TestIdleTimeoutCountsTheClientAlone(t *testing.T) {
	e := start(t, own(func(o *gateway.Options) { o.PingInterval = -1 }))
	c, row := e.dial("ann")
	e.tick(row, 10*time.Minute, func() { _ = e.post(row, "x") })
	for {
		f, err := c.Next()
		if err != nil {
			t.Fatal(err)
		}
		if f.Opcode == ws.Close {
			break
		}
	}
	_ = c.Close()
	e.expectEnd(row, 1001)
}
