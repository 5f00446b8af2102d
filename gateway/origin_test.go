package gateway_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/ws/wstest"
)

// A page of another host opens no socket by the cookie that its visitor has here,
// whichever way the handshake is read.
func TestForeignPageDoesNotConnectByACookie(t *testing.T) {
	l := listen(t, config{setup: func(e *env) {
		e.auth = sumu.AuthorizerFunc(func(_ context.Context, r *sumu.ConnectRequest) (sumu.Identity, error) {
			return sumu.Identity{UserID: r.Query["user"][0]}, nil
		})
	}}, nil, nil)
	for _, path := range []string{"/ws", "/%77s"} { // The second is left to net/http.
		r := wstest.Request(t, "http://"+l.addr+path+"?user=ann")
		r.Header.Set("Cookie", "session=1")
		r.Header.Set("Origin", "https://evil.example")
		if resp, body := wstest.Send(t, r, nil).Response(); resp.StatusCode != http.StatusForbidden || body != "{\"message\":\"Forbidden\"}\n" {
			t.Errorf("%s: %d %s", path, resp.StatusCode, body)
		}
	}
	if n := l.gw.Sockets(); n != 0 {
		t.Errorf("%d sockets are open", n)
	}
}
