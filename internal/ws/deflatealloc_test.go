//go:build !race

package ws_test

import (
	"strings"
	"testing"

	"github.com/sumu-live/sumu/internal/ws"
	"github.com/sumu-live/sumu/internal/ws/wstest"
)

// A message that is compressed again allocates nothing but its frames. Not under
// the race detector, where a pool forgets what it is given.
func TestDeflateAllocates(t *testing.T) {
	text := []byte(strings.Repeat("hello ", 100))
	if n := testing.AllocsPerRun(100, func() { ws.DeflateFrames(text, 0) }); n > 1.5 { // A pool may have been emptied.
		t.Errorf("%v allocations for a compressed message", n)
	}
	wire := wstest.Deflated(string(text)).Append(nil)
	in := make([]byte, len(wire))
	d := ws.Decoder{Deflate: true, MaxMessage: 1000}
	if n := testing.AllocsPerRun(100, func() {
		if ev, _, err := d.Next(in[:copy(in, wire)]); err != nil || len(ev.Payload) != len(text) {
			t.Fatal(ev, err)
		}
	}); n > 0.5 {
		t.Errorf("%v allocations for a message that is decompressed", n)
	}
}
