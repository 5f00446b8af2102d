package sumutest

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/ws"
	"github.com/sumu-live/sumu/internal/ws/wstest"
)

// Connect opens a WebSocket of a user, with a token that lets him in. The test
// fails when it is refused. Close it with [Conn.Close] or [Conn.Cut]; otherwise
// it ends with the test.
func (e *Env) Connect(tb testing.TB, user string, change ...func(*http.Request)) *Conn {
	tb.Helper()
	return e.ConnectToken(tb, e.opts.Token(user), change...)
}

// ConnectToken is Connect with a token of your own, sent in the header
// Authorization; "" sends none. The funcs change the request before it is sent:
// another header, another query, a sub-protocol.
func (e *Env) ConnectToken(tb testing.TB, token string, change ...func(*http.Request)) *Conn {
	tb.Helper()
	c, resp, body := e.dial(tb, token, change)
	if resp.StatusCode != http.StatusSwitchingProtocols {
		tb.Fatalf("sumutest: connection refused: %s: %s", resp.Status, body)
	}
	return c
}

// Refused connects as ConnectToken does, and returns the status that the
// connection was refused with: 401, 403, 429, …. The test fails when it was not.
func (e *Env) Refused(tb testing.TB, token string, change ...func(*http.Request)) int {
	tb.Helper()
	c, resp, _ := e.dial(tb, token, change)
	if resp.StatusCode == http.StatusSwitchingProtocols {
		tb.Fatalf("sumutest: %s was let in; want a refusal", c.Connection.UserID)
	}
	return resp.StatusCode
}

// dial returns the answer to an upgrade and, when it is 101, the connection.
func (e *Env) dial(tb testing.TB, token string, change []func(*http.Request)) (*Conn, *http.Response, string) {
	tb.Helper()
	r := wstest.Request(tb, "http"+strings.TrimPrefix(e.URL, "ws"))
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for _, fn := range change {
		fn(r)
	}
	dial := sumu.NewID()
	r.Header.Set(dialHeader, dial)
	nc := wstest.Send(tb, r, nil)
	_ = nc.SetDeadline(time.Now().Add(e.opts.Wait))
	resp, body := nc.Response()
	if resp.StatusCode != http.StatusSwitchingProtocols {
		_ = nc.Close()
		return nil, resp, body
	}
	if got := resp.Header.Get("Sec-Websocket-Accept"); got != ws.AcceptKey(wstest.Key) {
		tb.Fatalf("sumutest: Sec-WebSocket-Accept is %q", got)
	}
	ref, ok := e.track.take(dial)
	if !ok {
		tb.Fatalf("sumutest: let in, but not by the App of this Env")
	}
	row, err := e.Store.Get(context.Background(), ref)
	if err != nil { // Already kicked, or replaced by a newer one.
		row = sumu.Connection{UserID: ref.UserID, ID: ref.ConnectionID}
	}
	c := &Conn{
		Connection:  row,
		Subprotocol: resp.Header.Get("Sec-Websocket-Protocol"),
		env:         e,
		ws:          nc,
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.conns = append(e.conns, c)
	return c, resp, ""
}
