package gateway_test

import (
	"testing"
	"time"

	"github.com/sumu-live/sumu/internal/ws"
	"github.com/sumu-live/sumu/internal/ws/wstest"
)

// alive fails the test unless the socket answers.
func alive(t *testing.T, c *wstest.Conn) {
	t.Helper()
	c.Send(wstest.New(ws.Ping, "alive"))
	if got := c.Expect(ws.Pong); got != "alive" {
		t.Fatalf("pong is %q", got)
	}
}

// pass lets time go by in steps, as the wheel sees it, and waits for what a
// step sets off in the store.
func (e *env) pass(d time.Duration) {
	e.t.Helper()
	for ; d > 0; d -= time.Minute {
		e.clock.Advance(min(d, time.Minute))
		e.gw.Turn()
		until(e.t, "the end of renewals", func() bool { return e.gw.Renewing() == 0 })
	}
}

// handled waits until what a client has sent is handled: time that goes by before
// is not the client's.
func (e *env) handled(id string) {
	e.t.Helper()
	until(e.t, "the end of handling", func() bool { return !e.gw.Handling(id) })
}
