package ws_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/sumu-live/sumu/internal/ws"
	"github.com/sumu-live/sumu/internal/ws/wstest"
)

// event is an [ws.Event] that outlives the next call.
type event struct {
	op      ws.Opcode
	payload string
}

// decode hands b to the decoder in parts of the given size (0: at once), and
// returns the events, and the code of the error that ended it (0: none).
func decode(t testing.TB, d *ws.Decoder, b []byte, part int) (events []event, code int) {
	t.Helper()
	defer d.Release()
	b = bytes.Clone(b) // The decoder changes it.
	if part == 0 {
		part = max(len(b), 1)
	}
	for len(b) > 0 {
		in := b[:min(part, len(b))]
		b = b[len(in):]
		for {
			ev, n, err := d.Next(in)
			in = in[n:]
			if err != nil {
				var bad *ws.Error
				if !errors.As(err, &bad) {
					t.Fatalf("error is %T, want *ws.Error", err)
				}
				return events, bad.Code
			}
			if ev.Opcode == ws.Continuation {
				if len(in) > 0 {
					t.Fatalf("no event, but %d bytes are left", len(in))
				}
				break
			}
			events = append(events, event{ev.Opcode, string(ev.Payload)})
		}
	}
	return events, 0
}

// frame changes a frame that would be right.
func frame(f wstest.Frame, change func(*wstest.Frame)) wstest.Frame {
	change(&f)
	return f
}

// fragment is a text message's frame: the first, one in the middle, the last.
func fragment(first, last bool, payload string) wstest.Frame {
	f := wstest.Text(payload)
	f.Fin = last
	if !first {
		f.Opcode = ws.Continuation
	}
	return f
}

func TestDecoder(t *testing.T) {
	const max, maxFrame = 1000, 700
	long := strings.Repeat("x", 300)
	tests := []struct {
		name   string
		frames []wstest.Frame
		raw    []byte // goes on the wire behind the frames
		want   []event
		code   int
		more   bool // the decoder waits for the rest of something
	}{
		{name: "empty message", frames: []wstest.Frame{wstest.Text("")}, want: []event{{ws.Text, ""}}},
		{name: "message", frames: []wstest.Frame{wstest.Text("hé€𝄞")}, want: []event{{ws.Text, "hé€𝄞"}}},
		{name: "16-bit length", frames: []wstest.Frame{wstest.Text(long)}, want: []event{{ws.Text, long}}},
		{name: "two messages", frames: []wstest.Frame{wstest.Text("a"), wstest.Text("b")}, want: []event{{ws.Text, "a"}, {ws.Text, "b"}}},
		{
			name:   "fragments with a ping between them",
			frames: []wstest.Frame{fragment(true, false, "a"), wstest.New(ws.Ping, "p"), fragment(false, false, ""), fragment(false, true, "b")},
			want:   []event{{ws.Ping, "p"}, {ws.Text, "ab"}},
		},
		{name: "empty fragments", frames: []wstest.Frame{fragment(true, false, ""), fragment(false, true, "")}, want: []event{{ws.Text, ""}}},
		{
			name:   "message after fragments",
			frames: []wstest.Frame{fragment(true, false, "a"), fragment(false, true, "b"), wstest.Text("c")},
			want:   []event{{ws.Text, "ab"}, {ws.Text, "c"}},
		},
		{name: "character across frames", frames: []wstest.Frame{fragment(true, false, "€"[:1]), fragment(false, true, "€"[1:])}, want: []event{{ws.Text, "€"}}},
		{name: "longest ping", frames: []wstest.Frame{wstest.New(ws.Ping, long[:125])}, want: []event{{ws.Ping, long[:125]}}},
		{name: "pong", frames: []wstest.Frame{wstest.New(ws.Pong, "")}, want: []event{{ws.Pong, ""}}},
		{name: "close", frames: []wstest.Frame{wstest.Close(1000, "x")}, want: []event{{ws.Close, "\x03\xe8x"}}},
		{
			name: "exactly the limit", frames: []wstest.Frame{fragment(true, false, long[:100]), fragment(false, true, strings.Repeat("y", 700)), fragment(true, false, long), fragment(false, true, strings.Repeat("y", 700))},
			want: []event{{ws.Text, long[:100] + strings.Repeat("y", 700)}, {ws.Text, long + strings.Repeat("y", 700)}},
		},

		{name: "not masked", frames: []wstest.Frame{frame(wstest.Text("a"), func(f *wstest.Frame) { f.Masked = false })}, code: 1002},
		{name: "reserved bit 1", frames: []wstest.Frame{frame(wstest.Text("a"), func(f *wstest.Frame) { f.RSV = 4 })}, code: 1002},
		{name: "reserved bit 3", frames: []wstest.Frame{frame(wstest.Text("a"), func(f *wstest.Frame) { f.RSV = 1 })}, code: 1002},
		{name: "opcode 3", frames: []wstest.Frame{wstest.New(3, "")}, code: 1002},
		{name: "opcode 7", frames: []wstest.Frame{wstest.New(7, "")}, code: 1002},
		{name: "opcode 11", frames: []wstest.Frame{wstest.New(11, "")}, code: 1002},
		{name: "opcode 15", frames: []wstest.Frame{wstest.New(15, "")}, code: 1002},
		{name: "ping too long", frames: []wstest.Frame{wstest.New(ws.Ping, long[:126])}, code: 1002},
		{name: "ping in fragments", frames: []wstest.Frame{frame(wstest.New(ws.Ping, ""), func(f *wstest.Frame) { f.Fin = false })}, code: 1002},
		{name: "continuation of nothing", frames: []wstest.Frame{fragment(false, true, "a")}, code: 1002},
		{name: "continuation after the end", frames: []wstest.Frame{wstest.Text("a"), fragment(false, true, "b")}, want: []event{{ws.Text, "a"}}, code: 1002},
		{name: "message within a message", frames: []wstest.Frame{fragment(true, false, "a"), wstest.Text("b")}, code: 1002},
		{name: "length not shortest, 16 bits", raw: []byte{0x81, 0xFE, 0, 125, 1, 2, 3, 4}, code: 1002},
		{name: "length not shortest, 64 bits", raw: []byte{0x81, 0xFF, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 1, 2, 3, 4}, code: 1002},
		{name: "length with its highest bit", raw: []byte{0x81, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4}, code: 1002},
		{name: "binary", frames: []wstest.Frame{wstest.New(ws.Binary, "a")}, code: 1003},
		{name: "bad UTF-8", frames: []wstest.Frame{wstest.Text("a\xff")}, code: 1007},
		{name: "half a character at the end", frames: []wstest.Frame{wstest.Text("€"[:2])}, code: 1007},
		{name: "half a character at the end of fragments", frames: []wstest.Frame{fragment(true, false, "a"), fragment(false, true, "€"[:2])}, code: 1007},
		{name: "surrogate", frames: []wstest.Frame{wstest.Text("\xed\xa0\x80")}, code: 1007},
		{name: "overlong", frames: []wstest.Frame{wstest.Text("\xc0\xaf")}, code: 1007},
		{name: "above Unicode, before its end", frames: []wstest.Frame{fragment(true, false, "\xf4\x90")}, code: 1007},
		{name: "bad UTF-8, before the end", frames: []wstest.Frame{fragment(true, false, "a\xffb")}, code: 1007},
		{name: "frame too big", frames: []wstest.Frame{wstest.Text(strings.Repeat("x", maxFrame+1))}, code: 1009},
		{name: "message too big, by its fragments", frames: []wstest.Frame{fragment(true, false, strings.Repeat("x", 500)), fragment(false, true, strings.Repeat("x", 501))}, code: 1009},
		{name: "message too big, by its length alone", raw: []byte{0x81, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1, 2, 3, 4}, code: 1009},

		{name: "half a header", raw: []byte{0x81}, more: true},
		{name: "half a key", raw: []byte{0x81, 0x81, 1, 2}, more: true},
		{name: "header alone", raw: []byte{0x81, 0x81, 1, 2, 3, 4}, more: true},
		{name: "half a message", frames: []wstest.Frame{fragment(true, false, "a")}, more: true},
		{name: "half a ping", raw: []byte{0x89, 0x82, 1, 2, 3, 4, 5}, more: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var wire []byte
			for _, f := range tt.frames {
				wire = f.Append(wire)
			}
			wire = append(wire, tt.raw...)
			for _, part := range []int{0, 1, 2, 3, 5, 7, 100} {
				d := &ws.Decoder{MaxMessage: max, MaxFrame: maxFrame}
				got, code := decode(t, d, wire, part)
				if code != tt.code {
					t.Fatalf("in parts of %d: code is %d, want %d", part, code, tt.code)
				}
				if len(got) != len(tt.want) {
					t.Fatalf("in parts of %d: events are %v, want %v", part, got, tt.want)
				}
				for i := range got {
					if got[i] != tt.want[i] {
						t.Errorf("in parts of %d: event %d is %v, want %v", part, i, got[i], tt.want[i])
					}
				}
				if code == 0 && d.Partial() != tt.more {
					t.Errorf("in parts of %d: Partial is %v", part, d.Partial())
				}
			}
		})
	}
}

// A long message must fail at its first bad byte, not at its end.
func TestDecoderFailsEarly(t *testing.T) {
	f := wstest.Text("\xff" + strings.Repeat("x", 500))
	b := f.Append(nil)
	if _, code := decode(t, new(ws.Decoder), b[:len(b)-400], 0); code != 1007 {
		t.Errorf("code is %d, want 1007", code)
	}
}

func TestDecoderDoesNotAllocate(t *testing.T) {
	wire := wstest.New(ws.Ping, "p").Append(wstest.Text(strings.Repeat("x", 200)).Append(nil))
	in := make([]byte, len(wire))
	var d ws.Decoder
	if n := testing.AllocsPerRun(100, func() {
		for b := in[:copy(in, wire)]; ; {
			ev, n, err := d.Next(b)
			if err != nil {
				t.Fatal(err)
			}
			if b = b[n:]; ev.Opcode == ws.Continuation {
				return
			}
		}
	}); n != 0 {
		t.Errorf("%v allocations for a message and a ping in one part", n)
	}
}

func FuzzReadFrame(f *testing.F) {
	const max, maxFrame = 512, 300
	for _, seed := range []wstest.Frame{
		wstest.Text("hello"), wstest.Text(strings.Repeat("x", 200)), wstest.Text("\xff"), wstest.New(ws.Binary, "b"),
		wstest.New(ws.Ping, "p"), wstest.Close(1000, "bye"), fragment(true, false, "€"[:1]), fragment(false, true, "€"[1:]),
	} {
		f.Add(seed.Append(nil), byte(1))
		f.Add(wstest.New(ws.Pong, "").Append(seed.Append(nil)), byte(3))
	}
	f.Fuzz(func(t *testing.T, wire []byte, part byte) {
		whole, wholeCode := decode(t, &ws.Decoder{MaxMessage: max, MaxFrame: maxFrame}, wire, 0)
		parts, partsCode := decode(t, &ws.Decoder{MaxMessage: max, MaxFrame: maxFrame}, wire, int(part)+1)
		if wholeCode != partsCode || len(whole) != len(parts) {
			t.Fatalf("at once %v (%d), in parts %v (%d)", whole, wholeCode, parts, partsCode)
		}
		for i, ev := range whole {
			if ev != parts[i] {
				t.Fatalf("event %d is %q at once, %q in parts", i, ev, parts[i])
			}
			switch {
			case ev.op == ws.Text && (len(ev.payload) > max || strings.ToValidUTF8(ev.payload, "?") != ev.payload):
				t.Errorf("message %q", ev.payload)
			case ev.op.Control() && len(ev.payload) > 125:
				t.Errorf("control frame %q", ev.payload)
			}
			if ev.op == ws.Close {
				if code, reason, err := ws.ParseClose([]byte(ev.payload)); err == nil && code != ws.CloseNoStatus {
					// What is accepted can be sent.
					if echo := ws.CloseFrame(code, reason); string(echo[2:]) != ev.payload {
						t.Errorf("close %q is echoed as %q", ev.payload, echo[2:])
					}
				}
			}
		}
	})
}

func BenchmarkDecoder(b *testing.B) {
	wire := wstest.Text(strings.Repeat("x", 200)).Append(nil)
	in := make([]byte, len(wire))
	var d ws.Decoder
	b.SetBytes(int64(len(wire)))
	b.ReportAllocs()
	for b.Loop() {
		copy(in, wire)
		if ev, _, err := d.Next(in); err != nil || len(ev.Payload) != 200 {
			b.Fatal(ev, err)
		}
	}
}
