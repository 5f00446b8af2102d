package gateway_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/gateway"
	"github.com/sumu-live/sumu/internal/ws"
	"github.com/sumu-live/sumu/internal/ws/wstest"
)

const rateLimitedFrame = `{"type":"error","action":"","code":"rate_limited","message":"too many messages; at most 5 per second are handled"}`

// paced is a gateway of 5 messages per second, and what counts those handled.
func paced(t *testing.T, rate int) (e *env, handled *atomic.Int32) {
	t.Helper()
	e = start(t, config{gw: []func(*gateway.Options){func(o *gateway.Options) { o.MessageRate = rate }}})
	handled = new(atomic.Int32)
	e.app.Handle("count", func(context.Context, sumu.Message) ([]byte, error) {
		handled.Add(1)
		return nil, nil
	})
	return e, handled
}

func send(c *wstest.Conn, n int) {
	for range n {
		c.Send(wstest.Text(`{"action":"count"}`))
	}
}

// seen waits until the gateway has seen all that was sent: the clock may move
// then. It leaves half a pong, which next completes, and which counts.
func (e *env) seen(c *wstest.Conn, row sumu.Connection) (next func()) {
	e.t.Helper()
	b := wstest.New(ws.Pong, "").Append(nil)
	c.SendRaw(b[:1])
	e.settled(row)
	return func() { c.SendRaw(b[1:]) }
}

// What is over the rate is not handled; the client is told, once a second, and
// goes on when it slows down.
func TestMessageRate(t *testing.T) {
	e, handled := paced(t, 5)
	c, row := e.dial("ann")
	other, _ := e.dial("bob")
	send(c, 15)
	c.ExpectText(rateLimitedFrame) // One, for five.
	alive(t, other)
	next := e.seen(c, row)
	e.clock.Advance(time.Second)
	next()
	alive(t, c) // The pong is what comes next.
	if got := handled.Load(); got != 10 {
		t.Errorf("%d were handled, want 10", got)
	}
	send(c, 3)
	c.Send(wstest.New(ws.Ping, "over")) // It counts, and has no answer.
	c.ExpectText(rateLimitedFrame)
	next = e.seen(c, row)
	e.clock.Advance(time.Minute)
	next()
	send(c, 8)
	alive(t, c)
	if got := handled.Load(); got != 10+3+8 {
		t.Errorf("%d were handled, want %d", got, 10+3+8)
	}
}

// A socket that goes on for as long as it likes is closed; its close frame is
// heard even when nothing else is.
func TestMessageRateIsEnforced(t *testing.T) {
	e, handled := paced(t, 5)
	c, row := e.dial("ann")
	send(c, 10+10+1+100)
	c.ExpectText(rateLimitedFrame)
	if reason := c.ExpectClose(1008); reason != "too many messages" {
		t.Errorf("reason is %q", reason)
	}
	_ = c.Close()
	e.expectEnd(row, 1008)
	if got := handled.Load(); got != 10 {
		t.Errorf("%d were handled, want 10", got)
	}

	c, row = e.dial("bob")
	send(c, 15)
	c.ExpectText(rateLimitedFrame)
	c.Send(wstest.Close(1000, ""))
	c.ExpectClose(1000)
	e.expectEnd(row, 1000)
}

// A little too fast for long is too fast; with a second of rest it is not.
func TestMessageRateOverTime(t *testing.T) {
	e, _ := paced(t, 5)
	rests, _ := e.dial("ann")
	send(rests, 9)
	alive(t, rests) // All ten are seen.
	for range 20 {
		e.clock.Advance(time.Second)
		send(rests, 6)
		rests.ExpectText(rateLimitedFrame) // For the sixth.
		e.clock.Advance(2 * time.Second)
		send(rests, 9)
		alive(t, rests)
	}

	never, row := e.dial("bob")
	send(never, 9)
	alive(t, never) // All ten are seen.
	for range 10 {
		e.clock.Advance(time.Second)
		send(never, 6)
		never.ExpectText(rateLimitedFrame)
	}
	e.clock.Advance(time.Second)
	send(never, 6)
	never.ExpectClose(1008)
	_ = never.Close()
	e.expectEnd(row, 1008)
}

func TestNoMessageRate(t *testing.T) {
	e, handled := paced(t, -1)
	c, _ := e.dial("ann")
	send(c, 2000)
	alive(t, c)
	if got := handled.Load(); got != 2000 {
		t.Errorf("%d were handled, want 2000", got)
	}
}
