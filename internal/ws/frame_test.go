package ws_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/sumu-live/sumu/internal/ws"
)

func TestHeaderRoundTrip(t *testing.T) {
	for _, length := range []uint64{0, 1, 125, 126, 127, 65535, 65536, 1<<63 - 1} {
		for _, masked := range []bool{false, true} {
			want := ws.Header{Fin: true, RSV: 5, Opcode: ws.Pong, Masked: masked, Length: length}
			if masked {
				want.Key = 0xA1B2C3D4
			}
			b := ws.AppendHeader(nil, want)
			for n := range b {
				if h, size, err := ws.ParseHeader(b[:n]); size != 0 || err != nil {
					t.Errorf("%d of %d bytes: %+v, %d, %v", n, len(b), h, size, err)
				}
			}
			got, size, err := ws.ParseHeader(append(b, 1, 2, 3))
			if got != want || size != len(b) || err != nil {
				t.Errorf("header is %+v (%d, %v), want %+v (%d)", got, size, err, want, len(b))
			}
		}
	}
}

// Examples of RFC 6455, section 5.7.
func TestFramesOfTheRFC(t *testing.T) {
	if got, want := ws.Frame(ws.Text, []byte("Hello")), []byte{0x81, 5, 'H', 'e', 'l', 'l', 'o'}; !bytes.Equal(got, want) {
		t.Errorf("frame is %x, want %x", got, want)
	}
	masked := []byte{0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58}
	got, code := decode(t, new(ws.Decoder), masked, 0)
	if len(got) != 1 || got[0] != (event{ws.Text, "Hello"}) || code != 0 {
		t.Errorf("events are %v (%d)", got, code)
	}
	if got, want := ws.Frame(ws.Text, make([]byte, 256))[:4], []byte{0x81, 0x7E, 1, 0}; !bytes.Equal(got, want) {
		t.Errorf("header is %x, want %x", got, want)
	}
	if got, want := ws.Frame(ws.Text, make([]byte, 65536))[:10], []byte{0x81, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0}; !bytes.Equal(got, want) {
		t.Errorf("header is %x, want %x", got, want)
	}
}

// A long text goes out in frames that a decoder joins again, none too long,
// each a text of its own.
func TestTextFrames(t *testing.T) {
	for name, unit := range map[string]string{"ASCII": "abcdefg", "two bytes": "aé", "three": "a€", "four": "𝄞", "mixed": "a𝄞€é"} {
		for _, size := range []int{0, 4, 5, 7, 16, 125, 126, 1000} {
			for _, n := range []int{0, 1, 3, 4, 5, 15, 16, 17, 999, 1000, 1001, 5000} {
				text := strings.Repeat(unit, n/len(unit)+1)
				wire := ws.TextFrames([]byte(text), size)
				var got strings.Builder
				for first, fin := true, false; !fin; first = false {
					h, head, err := ws.ParseHeader(wire)
					if err != nil || head == 0 {
						t.Fatalf("%s, %d: header: %d, %v", name, size, head, err)
					}
					part := string(wire[head:][:h.Length])
					wire, fin = wire[head+len(part):], h.Fin
					want := ws.Continuation
					if first {
						want = ws.Text
					}
					if h.Opcode != want || h.Masked || h.RSV != 0 || !utf8.ValidString(part) {
						t.Fatalf("%s, %d: frame %+v of %q", name, size, h, part)
					}
					if size > 0 && (len(part) > size || !fin && len(part) < size-3) {
						t.Fatalf("%s: a frame of %d bytes, want at most %d and no fewer than needed", name, len(part), size)
					}
					got.WriteString(part)
				}
				if got.String() != text || len(wire) > 0 {
					t.Fatalf("%s, %d: %d bytes became %d, with %d behind them", name, size, len(text), got.Len(), len(wire))
				}
			}
		}
	}
}

// What a long message costs in frames, beside in one.
func BenchmarkTextFrames(b *testing.B) {
	text := []byte(strings.Repeat("x", 128<<10))
	for _, size := range []int{0, 32 << 10} {
		b.Run(fmt.Sprint("size=", size), func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				ws.TextFrames(text, size)
			}
		})
	}
}

// Mask must agree with the definition, whatever the length and the parts.
func TestMask(t *testing.T) {
	const key = 0x44332211
	keyBytes := [4]byte{0x11, 0x22, 0x33, 0x44}
	for n := range 200 {
		plain := make([]byte, n)
		for i := range plain {
			plain[i] = byte(rand.Uint32())
		}
		want := bytes.Clone(plain)
		for i := range want {
			want[i] ^= keyBytes[i%4]
		}
		cut := n
		if n > 0 {
			cut = rand.IntN(n)
		}
		got := bytes.Clone(plain)
		ws.Mask(got[cut:], ws.Mask(got[:cut], key))
		if !bytes.Equal(got, want) {
			t.Fatalf("%d bytes cut at %d: %x, want %x", n, cut, got, want)
		}
	}
}

func TestCloseFrame(t *testing.T) {
	if got := ws.CloseFrame(ws.CloseNoStatus, "x"); !bytes.Equal(got, []byte{0x88, 0}) {
		t.Errorf("close frame without a code is %x", got)
	}
	// 123 bytes would end within a character.
	long := ws.CloseFrame(1000, strings.Repeat("x", 122)+"€")
	code, reason, err := ws.ParseClose(long[2:])
	if code != 1000 || reason != strings.Repeat("x", 122) || err != nil {
		t.Errorf("long close frame is %d %q (%v)", code, reason, err)
	}
}

func TestParseClose(t *testing.T) {
	for code := range 1 << 16 {
		allowed := code >= 1000 && code < 5000 && (code < 1015 || code >= 3000) &&
			code != 1004 && code != 1005 && code != 1006
		_, _, err := ws.ParseClose([]byte{byte(code >> 8), byte(code)})
		if (err == nil) != allowed {
			t.Errorf("code %d: %v", code, err)
		}
	}
	var bad *ws.Error
	if _, _, err := ws.ParseClose([]byte{3}); !errors.As(err, &bad) || bad.Code != 1002 {
		t.Errorf("half a code: %v", err)
	}
	if _, _, err := ws.ParseClose([]byte("\x03\xe8\xff")); !errors.As(err, &bad) || bad.Code != 1007 {
		t.Errorf("bad reason: %v", err)
	}
	if code, _, err := ws.ParseClose(nil); code != ws.CloseNoStatus || err != nil {
		t.Errorf("empty: %d, %v", code, err)
	}
}
