package ws_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/sumu-live/sumu/internal/ws"
	"github.com/sumu-live/sumu/internal/ws/wstest"
)

func TestAccept(t *testing.T) {
	tests := []struct {
		name   string
		change func(*http.Request)
		status int // 0: accepted
	}{
		{"right", func(*http.Request) {}, 0},
		{"more tokens, in another case", func(r *http.Request) {
			r.Header["Connection"] = []string{"keep-alive", "x, UPGRADE"}
			r.Header.Set("Upgrade", "h2c, WebSocket")
		}, 0},
		{"POST", func(r *http.Request) { r.Method = "POST" }, 405},
		{"HTTP/1.0", func(r *http.Request) { r.ProtoMinor = 0 }, 426},
		{"HTTP/2", func(r *http.Request) { r.ProtoMajor, r.ProtoMinor = 2, 0 }, 400},
		{"HTTP/3", func(r *http.Request) { r.ProtoMajor, r.ProtoMinor = 3, 0 }, 400},
		{"HTTP/2, other method", func(r *http.Request) { r.Method, r.ProtoMajor, r.ProtoMinor = "CONNECT", 2, 0 }, 405},
		{"no Connection", func(r *http.Request) { r.Header.Del("Connection") }, 426},
		{"no Upgrade", func(r *http.Request) { r.Header.Del("Upgrade") }, 426},
		{"other Upgrade", func(r *http.Request) { r.Header.Set("Upgrade", "websockets") }, 426},
		{"no version", func(r *http.Request) { r.Header.Del("Sec-WebSocket-Version") }, 426},
		{"version 8", func(r *http.Request) { r.Header.Set("Sec-WebSocket-Version", "8") }, 426},
		{"body", func(r *http.Request) { r.ContentLength = 1 }, 400},
		{"chunked body", func(r *http.Request) { r.ContentLength = -1 }, 400},
		{"no key", func(r *http.Request) { r.Header.Del("Sec-WebSocket-Key") }, 400},
		{"two keys", func(r *http.Request) { r.Header.Add("Sec-WebSocket-Key", wstest.Key) }, 400},
		{"short key", func(r *http.Request) { r.Header.Set("Sec-WebSocket-Key", "YWJj") }, 400},
		{"key not base64", func(r *http.Request) { r.Header.Set("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ!!") }, 400},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := wstest.Request(t, "http://localhost/")
			tt.change(r)
			accept, err := ws.Accept(r)
			var bad *ws.HandshakeError
			switch {
			case tt.status == 0:
				// The answer to this key stands in RFC 6455, section 1.3.
				if err != nil || accept != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
					t.Errorf("accept is %q (%v)", accept, err)
				}
			case !errors.As(err, &bad) || bad.Status != tt.status:
				t.Errorf("error is %v, want status %d", err, tt.status)
			}
		})
	}
}

func TestHandshakeErrorNamesTheAlternative(t *testing.T) {
	h := http.Header{}
	(&ws.HandshakeError{Status: http.StatusUpgradeRequired}).SetHeaders(h)
	if h.Get("Upgrade") != "websocket" || h.Get("Sec-WebSocket-Version") != "13" {
		t.Errorf("headers are %v", h)
	}
	h = http.Header{}
	(&ws.HandshakeError{Status: http.StatusMethodNotAllowed}).SetHeaders(h)
	if h.Get("Allow") != "GET" {
		t.Errorf("headers are %v", h)
	}
}

func TestAppendResponse(t *testing.T) {
	const head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: k"
	if got := string(ws.AppendResponse(nil, "k", "", "")); got != head+"\r\n\r\n" {
		t.Errorf("response is %q", got)
	}
	if got := string(ws.AppendResponse(nil, "k", "sumu", "")); got != head+"\r\nSec-WebSocket-Protocol: sumu\r\n\r\n" {
		t.Errorf("response is %q", got)
	}
	if got := string(ws.AppendResponse(nil, "k", "sumu", "x; y")); got != head+"\r\nSec-WebSocket-Protocol: sumu\r\nSec-WebSocket-Extensions: x; y\r\n\r\n" {
		t.Errorf("response is %q", got)
	}
}
