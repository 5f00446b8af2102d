package gateway_test

import (
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/ws/wstest"
)

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

// Behind a proxy that stops forwarding both ends think that they are connected.
// The socket ends all the same, whatever is posted to it: the proxy takes that.
func TestDeadLink(t *testing.T) {
	for name, tls := range map[string]bool{"plain": false, "TLS": true} {
		for posts, interval := range map[string]int{"without posts": 0, "a post every 2 s": 2} {
			t.Run(name+"/"+posts, func(t *testing.T) {
				e := start(t, config{own: true, tls: tls})
				p := startProxy(t, e.srv.URL)
				wstest.Dial(t, p.url+"/?user=ann")
				row := e.accepted()
				p.halt()
				second := 0
				e.tick(row, 36*time.Second, func() {
					if second++; interval > 0 && second%interval == 0 {
						_ = e.post(row, "x") // ErrGone in the end.
					}
				})
				e.expectEnd(row, 1006)
			})
		}
	}
}
