package gateway_test

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/ws/wstest"
)

// Clients that do not read hold up nobody else, however many there are, and
// also where a write can only be waited for.
func TestManySlowReadersHoldUpNobody(t *testing.T) {
	for name, tls := range map[string]bool{"plain": false, "TLS": true} {
		t.Run(name, func(t *testing.T) {
			e := start(t, config{tls: tls, small: true})
			quick, quickRow := e.dial("quick")
			slow := make([]*wstest.Conn, 2*runtime.GOMAXPROCS(0)+1)
			rows := make([]sumu.Connection, len(slow))
			for i := range slow {
				slow[i], rows[i] = e.dial("slow")
				small(t, slow[i])
			}
			text := strings.Repeat("x", 100<<10)
			for _, row := range rows {
				e.stuff(row, text)
			}
			if err := e.post(quickRow, "hello"); err != nil {
				t.Fatal(err)
			}
			quick.ExpectText("hello")
			// Their places are free again, and none is given up twice.
			e.clock.Advance(10 * time.Second)
			e.gw.Turn()
			for range rows {
				if end := receive(t, e.ended); end.reason.Code != 1006 {
					t.Fatalf("%+v", end)
				}
			}
			until(t, "no flusher", func() bool { return e.gw.Flushing() == 0 })
		})
	}
}
