package ws

import (
	"crypto/sha1" // RFC 6455 asks for it; nothing is secured by it.
	"encoding/base64"
	"net/http"
	"strings"
)

const acceptGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// HandshakeError is why a request opens no WebSocket.
type HandshakeError struct {
	Status int // of HTTP
	Reason string
}

// Error returns the reason.
func (e *HandshakeError) Error() string { return "websocket handshake: " + e.Reason }

// SetHeaders sets the headers that belong to the status: what would be
// accepted instead.
func (e *HandshakeError) SetHeaders(h http.Header) {
	switch e.Status {
	case http.StatusMethodNotAllowed:
		h.Set("Allow", http.MethodGet)
	case http.StatusUpgradeRequired:
		h.Set("Upgrade", "websocket")
		h.Set("Connection", "Upgrade")
		h.Set("Sec-WebSocket-Version", "13")
	}
}

// Accept checks a client's opening handshake (RFC 6455, section 4.2.1) and
// returns the value of Sec-WebSocket-Accept. A [*HandshakeError] is returned
// for a request that is no such handshake.
func Accept(r *http.Request) (string, error) {
	switch {
	case r.ProtoMajor > 1:
		// Not 426: these have no upgrade, and a field that asks for one makes a
		// response malformed (RFC 9113, section 8.2.2; RFC 9114, section 4.2).
		if r.Method != http.MethodGet {
			return "", &HandshakeError{http.StatusMethodNotAllowed, "method is not GET"}
		}
		return "", &HandshakeError{http.StatusBadRequest, "a WebSocket is opened by HTTP/1.1"}
	case r.ProtoMajor < 1 || r.ProtoMinor < 1:
		return "", &HandshakeError{http.StatusUpgradeRequired, "not HTTP/1.1"}
	case r.Method != http.MethodGet:
		return "", &HandshakeError{http.StatusMethodNotAllowed, "method is not GET"}
	case !hasToken(r.Header, "Connection", "upgrade"), !hasToken(r.Header, "Upgrade", "websocket"):
		return "", &HandshakeError{http.StatusUpgradeRequired, "no upgrade to websocket"}
	case r.Header.Get("Sec-Websocket-Version") != "13":
		return "", &HandshakeError{http.StatusUpgradeRequired, "version is not 13"}
	case r.ContentLength != 0:
		return "", &HandshakeError{http.StatusBadRequest, "request has a body"}
	}
	keys := r.Header["Sec-Websocket-Key"]
	if len(keys) != 1 {
		return "", &HandshakeError{http.StatusBadRequest, "there must be one Sec-WebSocket-Key"}
	}
	if nonce, err := base64.StdEncoding.DecodeString(keys[0]); err != nil || len(nonce) != 16 {
		return "", &HandshakeError{http.StatusBadRequest, "Sec-WebSocket-Key is not 16 bytes of base64"}
	}
	return AcceptKey(keys[0]), nil
}

// AcceptKey answers a client's Sec-WebSocket-Key.
func AcceptKey(key string) string {
	sum := sha1.Sum([]byte(key + acceptGUID))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// AppendResponse appends the response that completes the handshake; an empty
// sub-protocol and no extensions are left out.
func AppendResponse(dst []byte, accept, subprotocol, extensions string) []byte {
	dst = append(dst, "HTTP/1.1 101 Switching Protocols\r\n"+
		"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "...)
	dst = append(dst, accept...)
	if subprotocol != "" {
		dst = append(dst, "\r\nSec-WebSocket-Protocol: "...)
		dst = append(dst, subprotocol...)
	}
	if extensions != "" {
		dst = append(dst, "\r\nSec-WebSocket-Extensions: "...)
		dst = append(dst, extensions...)
	}
	return append(dst, "\r\n\r\n"...)
}

// hasToken reports whether a comma-separated header names token, in any case.
func hasToken(h http.Header, name, token string) bool {
	for _, line := range h.Values(name) {
		for t := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(t), token) {
				return true
			}
		}
	}
	return false
}
