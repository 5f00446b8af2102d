package gateway

import (
	"net/http"
	"unicode/utf8"

	"github.com/sumu-live/sumu/internal/ws"
)

// negotiate returns what to answer a client's Sec-WebSocket-Extensions with;
// "": nothing, and none of its messages may be compressed.
func (g *Gateway) negotiate(h http.Header) string {
	if g.opts.Compress == 0 {
		return ""
	}
	return ws.AcceptDeflate(h.Values("Sec-WebSocket-Extensions"))
}

// deflatedKey is frameKey for what is compressed.
type deflatedKey struct{ size int }

// initDeflated makes what of a payload goes to sockets that take it compressed:
// made once for all of them. What would not be smaller is plain there too.
func (g *Gateway) initDeflated() {
	g.deflated = frames{key: deflatedKey{g.opts.FrameSize}, derive: func(data []byte) any {
		if !utf8.Valid(data) {
			return []byte(nil)
		}
		return g.deflatedFrames(data)
	}}
}

// deflatedFrames is textFrames, compressed if that makes it smaller. text must be
// UTF-8.
func (g *Gateway) deflatedFrames(text []byte) []byte {
	if f := ws.DeflateFrames(text, g.opts.FrameSize); f != nil {
		return f
	}
	return g.textFrames(text)
}

// replyFrames are those of a reply, which goes to one socket only. text must be
// UTF-8.
func (s *socket) replyFrames(text []byte) []byte {
	if s.deflates && len(text) >= s.g.opts.Compress {
		return s.g.deflatedFrames(text)
	}
	return s.g.textFrames(text)
}
