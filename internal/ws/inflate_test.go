package ws_test

import (
	"bytes"
	"compress/flate"
	"io"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/sumu-live/sumu/internal/ws"
	"github.com/sumu-live/sumu/internal/ws/wstest"
)

// finished compresses as an encoder does that can only end, not flush.
func finished(t testing.TB, text string, window string) string {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriterDict(&b, flate.BestCompression, []byte(window))
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(w, text)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// marked is a fragment of a compressed message.
func marked(first, last bool, data string) wstest.Frame {
	f := fragment(first, last, data)
	if first {
		f.RSV = 4
	}
	return f
}

func TestDecoderInflates(t *testing.T) {
	const most, maxFrame = 1000, 700
	hello := []event{{ws.Text, "Hello"}}
	long := random(400)
	tests := []struct {
		name   string
		frames []wstest.Frame
		want   []event
		code   int
	}{
		// The examples of RFC 7692, section 7.2.3.
		{name: "one block", frames: []wstest.Frame{wstest.Compressed("\xf2\x48\xcd\xc9\xc9\x07\x00")}, want: hello},
		{name: "two frames", frames: []wstest.Frame{marked(true, false, "\xf2\x48\xcd"), marked(false, true, "\xc9\xc9\x07\x00")}, want: hello},
		{name: "no compression", frames: []wstest.Frame{wstest.Compressed("\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00")}, want: hello},
		{name: "last block", frames: []wstest.Frame{wstest.Compressed("\xf3\x48\xcd\xc9\xc9\x07\x00\x00")}, want: hello},
		{name: "two blocks", frames: []wstest.Frame{wstest.Compressed("\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00")}, want: hello},
		{name: "empty", frames: []wstest.Frame{wstest.Compressed("\x00")}, want: []event{{ws.Text, ""}}},

		{name: "no byte", frames: []wstest.Frame{wstest.Compressed("")}, want: []event{{ws.Text, ""}}},
		{name: "last block, nothing behind it", frames: []wstest.Frame{wstest.Compressed("\xf3\x48\xcd\xc9\xc9\x07\x00")}, want: hello},
		{name: "last block that is empty and not whole", frames: []wstest.Frame{wstest.Compressed("\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00\x00\x00\xff\xff\x01")}, want: hello},
		{
			name:   "blocks behind the last, of which one looks back",
			frames: []wstest.Frame{wstest.Compressed(finished(t, long, "") + finished(t, long, long) + wstest.Deflate("!"))},
			want:   []event{{ws.Text, long + long + "!"}},
		},
		{
			name:   "compressed, plain, compressed",
			frames: []wstest.Frame{wstest.Deflated("a"), wstest.Text("b"), wstest.Deflated("c")},
			want:   []event{{ws.Text, "a"}, {ws.Text, "b"}, {ws.Text, "c"}},
		},
		{
			name: "fragments with pings and empty ones between, then a plain message in fragments",
			frames: []wstest.Frame{
				marked(true, false, ""), wstest.New(ws.Ping, "p"), marked(false, false, "\xf2\x48"), marked(false, false, ""), wstest.New(ws.Pong, ""),
				marked(false, true, "\xcd\xc9\xc9\x07\x00"), fragment(true, false, "a"), fragment(false, true, "b"),
			},
			want: []event{{ws.Ping, "p"}, {ws.Pong, ""}, {ws.Text, "Hello"}, {ws.Text, "ab"}},
		},
		{name: "exactly the limit", frames: []wstest.Frame{wstest.Deflated(strings.Repeat("x", most))}, want: []event{{ws.Text, strings.Repeat("x", most)}}},
		{
			name: "the limit, compressed longer than that",
			frames: []wstest.Frame{
				marked(true, false, wstest.Deflate("")+"\x00\x00\xff\xff"+"\x00\x0a\x00\xf5\xff"+"0123456789"),
				marked(false, false, "\x00\x90\x01\x6f\xfe"+long), marked(false, true, "\x00\x4e\x02\xb1\xfd"+strings.Repeat("y", 590)+"\x00"),
			},
			want: []event{{ws.Text, "0123456789" + long + strings.Repeat("y", 590)}},
		},

		{name: "over the limit", frames: []wstest.Frame{wstest.Deflated(strings.Repeat("x", most+1))}, code: 1009},
		{name: "a thousand times the limit", frames: []wstest.Frame{wstest.Deflated(strings.Repeat("x", 600_000))}, code: 1009},
		{name: "compressed far over the limit", frames: []wstest.Frame{marked(true, false, strings.Repeat("\x00\x00\x00\xff\xff", 140)), marked(false, true, strings.Repeat("\x00\x00\x00\xff\xff", 80))}, code: 1009},
		{name: "frame too big, not the message", frames: []wstest.Frame{wstest.Compressed(strings.Repeat("\x00\x00\x00\xff\xff", 141))}, code: 1009},
		{name: "reserved block type", frames: []wstest.Frame{wstest.Compressed("\xff\xff\xff")}, code: 1007},
		{name: "text, not compressed", frames: []wstest.Frame{wstest.Compressed("Hello")}, code: 1007},
		{name: "half a block", frames: []wstest.Frame{wstest.Compressed("\xf2\x48\xcd")}, code: 1007},
		{name: "block without its bytes", frames: []wstest.Frame{wstest.Compressed("\x00\x64\x00\x9b\xffHello")}, code: 1007},
		{name: "bytes behind the last block", frames: []wstest.Frame{wstest.Compressed("\xf3\x48\xcd\xc9\xc9\x07\x00\xff\xff")}, code: 1007},
		{name: "looks back too far", frames: []wstest.Frame{wstest.Deflated(long), wstest.Compressed(finished(t, long, long) + "\x00")}, want: []event{{ws.Text, long}}, code: 1007},
		{name: "64 last blocks", frames: []wstest.Frame{wstest.Compressed(strings.Repeat("\x03\x00", 64))}, want: []event{{ws.Text, ""}}},
		{name: "65 last blocks", frames: []wstest.Frame{wstest.Compressed(strings.Repeat("\x03\x00", 65) + "\x00")}, code: 1007},
		{name: "not UTF-8", frames: []wstest.Frame{wstest.Deflated("a\xff")}, code: 1007},
		{name: "half a character", frames: []wstest.Frame{wstest.Deflated("€"[:2])}, code: 1007},
		{name: "compressed ping", frames: []wstest.Frame{frame(wstest.New(ws.Ping, wstest.Deflate("p")), func(f *wstest.Frame) { f.RSV = 4 })}, code: 1002},
		{name: "compressed close", frames: []wstest.Frame{frame(wstest.Close(1000, ""), func(f *wstest.Frame) { f.RSV = 4 })}, code: 1002},
		{name: "second frame marked", frames: []wstest.Frame{marked(true, false, "\xf2\x48\xcd"), frame(fragment(false, true, "\xc9\xc9\x07\x00"), func(f *wstest.Frame) { f.RSV = 4 })}, code: 1002},
		{name: "second frame alone marked", frames: []wstest.Frame{fragment(true, false, "a"), frame(fragment(false, true, "\x00"), func(f *wstest.Frame) { f.RSV = 4 })}, code: 1002},
		{name: "reserved bit 2 too", frames: []wstest.Frame{frame(wstest.Deflated("a"), func(f *wstest.Frame) { f.RSV = 6 })}, code: 1002},
		{name: "reserved bit 3", frames: []wstest.Frame{frame(wstest.Text("a"), func(f *wstest.Frame) { f.RSV = 1 })}, code: 1002},
		{name: "unknown opcode", frames: []wstest.Frame{frame(wstest.New(3, ""), func(f *wstest.Frame) { f.RSV = 4 })}, code: 1002},
		{name: "binary", frames: []wstest.Frame{frame(wstest.New(ws.Binary, wstest.Deflate("a")), func(f *wstest.Frame) { f.RSV = 4 })}, code: 1003},
		{name: "compressed message within a message", frames: []wstest.Frame{fragment(true, false, "a"), wstest.Deflated("b")}, code: 1002},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var wire []byte
			for _, f := range tt.frames {
				wire = f.Append(wire)
			}
			for _, part := range []int{0, 1, 2, 3, 7, 100} {
				d := &ws.Decoder{MaxMessage: most, MaxFrame: maxFrame, Deflate: true}
				got, code := decode(t, d, wire, part)
				if code != tt.code || len(got) != len(tt.want) {
					t.Fatalf("in parts of %d: %.300v (%d), want %.300v (%d)", part, got, code, tt.want, tt.code)
				}
				for i := range got {
					if got[i] != tt.want[i] {
						t.Errorf("in parts of %d: event %d is %v, want %v", part, i, got[i], tt.want[i])
					}
				}
				if code == 0 && d.Partial() {
					t.Error("the decoder waits for more")
				}
			}
		})
	}
}

// A bomb costs no more than the longest message.
func TestBombIsCheap(t *testing.T) {
	const most = 128 << 10
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	zeros := make([]byte, 1<<20)
	for range 20 {
		_, _ = w.Write(zeros)
	}
	_ = w.Flush()
	wire := wstest.Compressed(b.String()).Append(nil)
	const runs = 20
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range runs {
		d := &ws.Decoder{MaxMessage: most, Deflate: true}
		if _, code := decode(t, d, wire, 0); code != 1009 {
			t.Fatalf("20 MB are answered with %d", code)
		}
	}
	runtime.ReadMemStats(&after)
	// The test's copy of the bytes, and what the pools do not have yet.
	if got, limit := (after.TotalAlloc-before.TotalAlloc)/runs, uint64(len(wire)+3*most); got > limit {
		t.Errorf("a bomb of %d bytes takes %d bytes of memory, want less than %d", len(wire), got, limit)
	}
}

// Whatever a client sends: no panic, no message over the limit, and the same in
// parts as at once.
func FuzzInflate(f *testing.F) {
	const most = 512
	f.Add([]byte("\xf2\x48\xcd\xc9\xc9\x07\x00"), byte(1))
	f.Add([]byte("\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), byte(2))
	f.Add([]byte("\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"), byte(0))
	f.Add([]byte("\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"), byte(3))
	f.Add([]byte(strings.Repeat("\x03\x00", 70)), byte(9))
	f.Add([]byte(wstest.Deflate(strings.Repeat("x", 600))), byte(9))
	f.Add([]byte(wstest.Deflate("\xff")), byte(9))
	f.Add([]byte(finished(f, "abcabc", "")+finished(f, "abcabc", "abcabc")), byte(4))
	f.Fuzz(func(t *testing.T, data []byte, part byte) {
		wire := wstest.Compressed(string(data)).Append(nil)
		whole, wholeCode := decode(t, &ws.Decoder{MaxMessage: most, Deflate: true}, wire, 0)
		parts, partsCode := decode(t, &ws.Decoder{MaxMessage: most, Deflate: true}, wire, int(part)+1)
		if wholeCode != partsCode || len(whole) != len(parts) || len(whole) > 1 || len(whole) == 1 && whole[0] != parts[0] {
			t.Fatalf("at once %q (%d), in parts %q (%d)", whole, wholeCode, parts, partsCode)
		}
		if len(whole) == 0 {
			if wholeCode != 1007 && wholeCode != 1009 {
				t.Fatalf("code is %d", wholeCode)
			}
			return
		}
		got := whole[0].payload
		if len(got) > most || !utf8.ValidString(got) {
			t.Fatalf("message of %d bytes %q", len(got), got)
		}
		// As compress/flate itself reads it, up to the first block that says it
		// is the last.
		first, _ := io.ReadAll(flate.NewReader(strings.NewReader(string(data) + "\x00\x00\xff\xff")))
		if !strings.HasPrefix(got, string(first)) {
			t.Fatalf("message is %q, which does not begin with %q", got, first)
		}
	})
}

// What is compressed comes back, from our compressor and from another one, one
// message behind the other.
func FuzzDeflate(f *testing.F) {
	f.Add("hello hello hello hello", 5)
	f.Add(strings.Repeat("€𝄞", 500), 0)
	f.Add("", 1)
	f.Fuzz(func(t *testing.T, text string, size int) {
		if !utf8.ValidString(text) {
			return
		}
		size = max(0, size%5000)
		wire := wstest.Deflated(text).Append(nil)
		want := []event{{ws.Text, text}}
		if frames := ws.DeflateFrames([]byte(text), size); frames != nil {
			data := join(t, frames, size)
			if len(data) >= len(text) {
				t.Fatalf("%d bytes became %d", len(text), len(data))
			}
			wire = wstest.Compressed(data).Append(wire)
			want = append(want, want[0])
		}
		got, code := decode(t, &ws.Decoder{Deflate: true}, wire, 0)
		if code != 0 || len(got) != len(want) || got[0] != want[0] || got[len(got)-1] != want[0] {
			t.Fatalf("%q came back as %q (%d)", text, got, code)
		}
	})
}
