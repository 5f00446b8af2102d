package gateway

import (
	"bytes"
	"net/http"
	"net/textproto"
	"strings"

	"github.com/sumu-live/sumu/internal/ws"
)

// head is the first part of a request. Its strings share no memory with what
// was read, nor with each other: an App may keep one.
type head struct {
	target, path, query string
	host                string
	header              http.Header
}

const (
	headMethod = "GET "
	headProto  = " HTTP/1.1"
)

// mayBeHead reports whether an incomplete head may become one that parseHead
// takes. One with a line that ends in LF alone cannot, and may be complete for
// net/http.
func mayBeHead(b []byte) bool {
	const begin = headMethod + "/"
	n := min(len(b), len(begin))
	return string(b[:n]) == begin[:n] && bytes.Count(b, []byte("\n")) == bytes.Count(b, []byte("\r\n"))
}

// parseHead reads a head whose lines all end in CRLF, without the empty one. It
// takes the handshake as browsers and libraries send it, in which nothing can
// be read in two ways, and leaves all else to net/http: false says nothing of
// the request. What it takes it reads as net/http does.
func parseHead(b []byte, paths []string) (head, bool) {
	crlf := []byte("\r\n")
	line, b, _ := bytes.Cut(b, crlf)
	line, ok := bytes.CutPrefix(line, []byte(headMethod))
	if !ok {
		return head{}, false
	}
	line, ok = bytes.CutSuffix(line, []byte(headProto))
	if !ok || !plainTarget(line) {
		return head{}, false
	}
	path, _, _ := bytes.Cut(line, []byte{'?'})
	h := head{path: known(path, paths)}
	if h.path == "" {
		return head{}, false
	}
	h.target = string(line)
	_, h.query, _ = strings.Cut(h.target, "?")

	lines := bytes.Count(b, crlf)
	h.header = make(http.Header, lines)
	values := make([]string, lines) // A slice for each would be an allocation for each.
	for len(b) > 0 {
		line, b, _ = bytes.Cut(b, crlf)
		name, value, ok := bytes.Cut(line, []byte{':'})
		value = bytes.Trim(value, " \t")
		if !ok || !ws.IsToken(name) || !isFieldValue(value) {
			return head{}, false
		}
		key := fieldName(name)
		if _, again := h.header[key]; again {
			h.header[key] = append(h.header[key], string(value))
			continue
		}
		values[0] = fieldValue(value)
		h.header[key], values = values[:1:1], values[1:]
	}
	return h, h.complete()
}

// complete takes the host out of the header, and reports whether this is a
// handshake without a body and without anything else that net/http acts upon.
func (h *head) complete() bool {
	for _, name := range [...]string{"Content-Length", "Transfer-Encoding", "Trailer", "Expect"} {
		if _, ok := h.header[name]; ok {
			return false
		}
	}
	host, upgrade := h.header["Host"], h.header["Upgrade"]
	if len(host) != 1 || !plainHost(host[0]) || len(upgrade) != 1 || !strings.EqualFold(upgrade[0], "websocket") {
		return false
	}
	upgrades := false
	for _, line := range h.header["Connection"] {
		for option := range strings.SplitSeq(line, ",") {
			option = strings.Trim(option, " \t")
			if strings.EqualFold(option, "close") {
				return false
			}
			upgrades = upgrades || strings.EqualFold(option, "upgrade")
		}
	}
	h.host = host[0]
	delete(h.header, "Host")
	if p := h.header["Pragma"]; len(p) > 0 && p[0] == "no-cache" {
		if _, ok := h.header["Cache-Control"]; !ok { // As net/http: RFC 7234, section 5.4.
			h.header["Cache-Control"] = []string{"no-cache"}
		}
	}
	return upgrades
}

// known returns the path that b is; "": none.
func known(b []byte, paths []string) string {
	for _, p := range paths {
		if string(b) == p {
			return p
		}
	}
	return ""
}

// plainTarget has visible ASCII alone, and in the path nothing that a router
// may take for something else.
func plainTarget(b []byte) bool {
	if len(b) == 0 || b[0] != '/' {
		return false
	}
	inPath := true
	for _, c := range b {
		switch {
		case c <= ' ', c >= 0x7f, c == '#':
			return false
		case c == '?':
			inPath = false
		case c == '%' && inPath:
			return false
		}
	}
	return true
}

func plainHost(host string) bool {
	for _, c := range []byte(host) {
		switch {
		case isAlphanumeric(c), c == '.', c == '-', c == '_', c == ':', c == '[', c == ']':
		default:
			return false
		}
	}
	return host != ""
}

func isAlphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// isFieldValue: RFC 9110, section 5.5.
func isFieldValue(b []byte) bool {
	for _, c := range b {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// fieldName returns the canonical form; those that handshakes have are not
// allocated.
func fieldName(b []byte) string {
	switch string(b) {
	case "Host", "host":
		return "Host"
	case "Connection", "connection":
		return "Connection"
	case "Upgrade", "upgrade":
		return "Upgrade"
	case "Sec-WebSocket-Key", "sec-websocket-key", "Sec-Websocket-Key":
		return "Sec-Websocket-Key"
	case "Sec-WebSocket-Version", "sec-websocket-version", "Sec-Websocket-Version":
		return "Sec-Websocket-Version"
	case "Sec-WebSocket-Protocol", "sec-websocket-protocol", "Sec-Websocket-Protocol":
		return "Sec-Websocket-Protocol"
	case "Sec-WebSocket-Extensions", "sec-websocket-extensions", "Sec-Websocket-Extensions":
		return "Sec-Websocket-Extensions"
	case "User-Agent", "user-agent":
		return "User-Agent"
	case "X-Forwarded-For", "x-forwarded-for":
		return "X-Forwarded-For"
	}
	return textproto.CanonicalMIMEHeaderKey(string(b))
}

func fieldValue(b []byte) string {
	switch string(b) {
	case "Upgrade":
		return "Upgrade"
	case "websocket":
		return "websocket"
	case "13":
		return "13"
	}
	return string(b)
}
