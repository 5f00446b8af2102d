package wstest

import (
	"bytes"
	"compress/flate"
	"io"
	"strings"

	"github.com/sumu-live/sumu/internal/ws"
)

// rsv1 marks a compressed message.
const rsv1 = 4

// Deflate compresses what a message holds, as permessage-deflate does.
func Deflate(payload string) string {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.DefaultCompression) // It fails for a bad level only.
	_, _ = io.WriteString(w, payload)                     // A buffer takes all.
	_ = w.Flush()
	return strings.TrimSuffix(b.String(), "\x00\x00\xff\xff")
}

// Deflated returns a compressed text message.
func Deflated(payload string) Frame { return Compressed(Deflate(payload)) }

// Compressed returns a text message with these bytes, marked as compressed.
func Compressed(data string) Frame {
	f := Text(data)
	f.RSV = rsv1
	return f
}

// ExpectDeflated fails the test unless the next message is a compressed text
// message. It returns what it holds, and the payload of each frame.
func (c *Conn) ExpectDeflated() (text string, payloads []string) {
	c.tb.Helper()
	for fin := false; !fin; {
		f, err := c.Next()
		if err != nil {
			c.tb.Fatalf("read: %v", err)
		}
		want := ws.Header{Fin: f.Fin, Opcode: ws.Text, RSV: rsv1, Length: f.Length}
		if len(payloads) > 0 {
			want.Opcode, want.RSV = ws.Continuation, 0
		}
		if f.Header != want {
			c.tb.Fatalf("frame is %+v with payload %.200q; want %+v", f.Header, f.Payload, want)
		}
		payloads, fin = append(payloads, string(f.Payload)), f.Fin
	}
	// Read to the end of the message and no further: there is no last block.
	r := flate.NewReader(strings.NewReader(strings.Join(payloads, "") + "\x00\x00\xff\xff"))
	b, err := io.ReadAll(r)
	if err != io.ErrUnexpectedEOF {
		c.tb.Fatalf("decompressing %q: %v", payloads, err)
	}
	return string(b), payloads
}
