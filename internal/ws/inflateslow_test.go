package ws_test

import (
	"testing"

	"github.com/sumu-live/sumu/internal/ws"
	"github.com/sumu-live/sumu/internal/ws/wstest"
)

// bits writes what deflate is made of, the first bit lowest.
type bits struct {
	b   []byte
	n   int
	acc uint64
}

func (w *bits) add(v uint64, n int) {
	w.acc |= v << w.n
	for w.n += n; w.n >= 8; w.n -= 8 {
		w.b = append(w.b, byte(w.acc))
		w.acc >>= 8
	}
}

// code is add for a Huffman code, which begins with its highest bit.
func (w *bits) code(v uint64, n int) {
	for n--; n >= 0; n-- {
		w.add(v>>n&1, 1)
	}
}

// slowBlock appends a block that holds nothing, and a table that takes long to
// build: 255 codes of 10 bits, where a decoder's first table ends at 9.
func (w *bits) slowBlock() {
	w.add(0b100, 3) // Not the last; its own codes.
	w.add(1, 5)     // 258 literals
	w.add(0, 5)     // 1 distance
	w.add(14, 4)    // 18 lengths of codes for lengths:
	for _, length := range []uint64{0: 1, 8: 2, 15: 3, 17: 3} {
		w.add(length, 3)
	}
	w.code(0b110, 3) // A code of 1 bit,
	w.code(0b111, 3) // one of 2,
	w.code(0b10, 2)  // one of 10, and 255 times the same:
	for range 42 {
		w.code(0, 1)
		w.add(3, 2) // 6 times
	}
	w.code(0, 1)
	w.add(0, 2)                    // 3 times
	w.code(0b110, 3)               // The distance has 1 bit.
	w.code(0b11_0000_0000+254, 10) // End of block.
}

// BenchmarkInflateSlow is the dearest message that is known: nothing but tables.
func BenchmarkInflateSlow(b *testing.B) {
	const most = 128 << 10
	var w bits
	for len(w.b) < most {
		w.slowBlock()
	}
	w.add(0, 3+(8-(w.n+3)%8)%8) // The empty block that is at the end of every message.
	wire := wstest.Compressed(string(w.b)).Append(nil)
	in := make([]byte, len(wire))
	d := ws.Decoder{Deflate: true, MaxMessage: most}
	b.ReportAllocs()
	for b.Loop() {
		if ev, _, err := d.Next(in[:copy(in, wire)]); err != nil || len(ev.Payload) > 0 {
			b.Fatal(ev, err)
		}
	}
}
