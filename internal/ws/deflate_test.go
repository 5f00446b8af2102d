package ws_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/sumu-live/sumu/internal/ws"
	"github.com/sumu-live/sumu/internal/ws/wstest"
)

// join returns the payload of a server's compressed message, and checks its
// frames.
func join(t testing.TB, wire []byte, size int) string {
	t.Helper()
	var data strings.Builder
	want := ws.Header{Opcode: ws.Text, RSV: 4}
	for {
		h, head, err := ws.ParseHeader(wire)
		if err != nil || head == 0 {
			t.Fatalf("header: %d, %v", head, err)
		}
		want.Fin, want.Length = h.Fin, h.Length
		if h != want || size > 0 && h.Length > uint64(size) || !h.Fin && h.Length < uint64(size) {
			t.Fatalf("frame is %+v, want %+v of at most %d bytes", h, want, size)
		}
		data.Write(wire[head:][:h.Length])
		wire = wire[head+int(h.Length):]
		want.Opcode, want.RSV = ws.Continuation, 0
		if h.Fin {
			break
		}
	}
	if len(wire) > 0 {
		t.Fatalf("%d bytes behind the last frame", len(wire))
	}
	return data.String()
}

// random is text that deflate cannot make smaller than 6 bits of 8.
func random(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[rand.IntN(64)]
	}
	return string(b)
}

// What goes out compressed comes back whole, in as many frames as are allowed.
func TestDeflateFrames(t *testing.T) {
	for name, text := range map[string]string{
		"short":     strings.Repeat("ab", 30),
		"long":      strings.Repeat("hello, wörld €𝄞 ", 8000),
		"random":    random(100_000),
		"two texts": random(1000) + strings.Repeat(random(1000), 3),
	} {
		var whole string
		for _, size := range []int{0, 1, 5, 125, 126, 1 << 10, 32 << 10} {
			wire := ws.DeflateFrames([]byte(text), size)
			if wire == nil {
				t.Fatalf("%s: not compressed", name)
			}
			data := join(t, wire, size)
			if whole == "" {
				whole = data
			}
			if data != whole || len(data) >= len(text) {
				t.Errorf("%s: %d bytes in frames of %d, %d in one, of %d", name, len(data), size, len(whole), len(text))
			}
		}
		d := &ws.Decoder{Deflate: true}
		if got, code := decode(t, d, wstest.Compressed(whole).Append(nil), 0); code != 0 || len(got) != 1 || got[0] != (event{ws.Text, text}) {
			t.Errorf("%s: decompressed to %.60q (%d)", name, got, code)
		}
	}
}

// What would not be smaller is not compressed.
func TestDeflateFramesNotSmaller(t *testing.T) {
	for _, text := range []string{"", "a", "abc", "0123456789", random(20)} {
		if wire := ws.DeflateFrames([]byte(text), 0); wire != nil {
			t.Errorf("%q is %d bytes, compressed %d", text, len(text), len(wire))
		}
	}
	// And nothing of it is left for the next.
	if got := join(t, ws.DeflateFrames([]byte(strings.Repeat("x", 100)), 0), 0); len(got) > 30 {
		t.Errorf("a compressor that gave up makes %q of x", got)
	}
}

// notification is what a backend may send: JSON of about n bytes.
func notification(n int) []byte {
	words := strings.Fields("order shipped the payment of your was received and will arrive tomorrow please check account new message from channel")
	const item = 165 // bytes, at most
	r := rand.New(rand.NewPCG(1, 2))
	var b strings.Builder
	b.WriteString(`{"type":"orders","items":[`)
	for sep := ""; b.Len() < n-10; sep = "," {
		fmt.Fprintf(&b, `%s{"id":"%016x","user_id":"user-%d","status":%q,"price":%d.%02d,"timestamp":%d,"text":"`, sep,
			r.Uint64(), r.IntN(100_000), words[r.IntN(len(words))], r.IntN(1000), r.IntN(100), 1_794_900_000_000+r.Int64N(1_000_000))
		for range 4 {
			b.WriteString(words[r.IntN(len(words))] + " ")
		}
		for b.Len() > n-item && b.Len() < n-10 { // No room for another one.
			b.WriteString(words[r.IntN(len(words))] + " ")
		}
		b.WriteString(`"}`)
	}
	return []byte(b.String() + "]}")
}

// What compression costs, and what it makes of JSON.
func BenchmarkDeflate(b *testing.B) {
	for _, n := range []int{200, 1 << 10, 8 << 10, 128 << 10} {
		text := notification(n)
		b.Run(fmt.Sprint("bytes=", n), func(b *testing.B) {
			b.ReportAllocs()
			var wire []byte
			for b.Loop() {
				wire = ws.DeflateFrames(text, 32<<10)
			}
			b.ReportMetric(float64(len(wire)), "wire-B")
			b.ReportMetric(float64(len(ws.TextFrames(text, 32<<10))), "plain-B")
		})
	}
}

func BenchmarkInflate(b *testing.B) {
	for _, n := range []int{200, 1 << 10, 8 << 10, 128 << 10} {
		wire := wstest.Deflated(string(notification(n))).Append(nil)
		b.Run(fmt.Sprint("bytes=", n), func(b *testing.B) {
			in := make([]byte, len(wire))
			d := ws.Decoder{Deflate: true}
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := d.Next(in[:copy(in, wire)]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
