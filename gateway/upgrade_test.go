package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/gateway"
	"github.com/sumu-live/sumu/internal/ws"
	"github.com/sumu-live/sumu/internal/ws/wstest"
)

// gate is an authorizer that lets nobody in before it is told to.
type gate struct {
	asked chan *sumu.ConnectRequest
	let   chan error
}

func newGate() *gate {
	return &gate{asked: make(chan *sumu.ConnectRequest, 1), let: make(chan error)}
}

func (g *gate) Authorize(ctx context.Context, r *sumu.ConnectRequest) (sumu.Identity, error) {
	g.asked <- r
	select {
	case err := <-g.let:
		return sumu.Identity{UserID: "ann"}, err
	case <-ctx.Done():
		return sumu.Identity{}, ctx.Err()
	}
}

func TestUpgradeIsPendingUntilAuthorized(t *testing.T) {
	gate := newGate()
	e := start(t, config{setup: func(e *env) { e.auth = gate }})
	c := wstest.Send(t, wstest.Request(t, e.srv.URL+"/?token=x"), nil)
	r := receive(t, gate.asked)
	if r.SourceIP != "127.0.0.1" || r.Query["token"][0] != "x" {
		t.Errorf("request is from %q with query %v", r.SourceIP, r.Query)
	}
	row := sumu.Connection{ID: r.ConnectionID}
	if err := e.post(row, "too early"); !errors.Is(err, sumu.ErrGone) {
		t.Errorf("post before the upgrade: %v, want ErrGone", err)
	}
	gate.let <- nil
	if resp, _ := c.Response(); resp.StatusCode != 101 {
		t.Fatalf("status is %d", resp.StatusCode)
	}
	if err := e.post(row, "now"); err != nil {
		t.Fatal(err)
	}
	c.ExpectText("now")
}

// A post right after the row is written must either find nothing or come
// behind the response, never before it.
func TestPostNeverOvertakesTheResponse(t *testing.T) {
	e := start(t, config{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 50 {
			row := <-e.connected
			for e.post(row, "first") != nil { // Until it is found.
			}
		}
	}()
	for range 50 {
		wstest.Dial(t, e.srv.URL+"/?user=ann").ExpectText("first")
	}
	receive(t, done)
}

func TestRefused(t *testing.T) {
	tests := []struct {
		err    error
		status int
		body   string
	}{
		{sumu.ErrUnauthorized, 401, "Unauthorized"},
		{&sumu.Error{Op: "token", Kind: sumu.ErrUnauthorized}, 401, "Unauthorized"},
		{sumu.ErrForbidden, 403, "Forbidden"},
		{sumu.ErrLimit, 429, "Too Many Requests"},
		{sumu.ErrUnavailable, 500, "Internal server error"},
		{errors.New("secret detail"), 500, "Internal server error"},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.err), func(t *testing.T) {
			e := start(t, config{setup: func(e *env) {
				e.auth = sumu.AuthorizerFunc(func(context.Context, *sumu.ConnectRequest) (sumu.Identity, error) {
					return sumu.Identity{}, tt.err
				})
			}})
			resp, body := wstest.Send(t, wstest.Request(t, e.srv.URL), nil).Response()
			if resp.StatusCode != tt.status || body != `{"message":"`+tt.body+`"}`+"\n" {
				t.Errorf("response is %d %q, want %d %q", resp.StatusCode, body, tt.status, tt.body)
			}
			if e.rows() != 0 || e.gw.Sockets() != 0 {
				t.Errorf("%d rows and %d sockets are left", e.rows(), e.gw.Sockets())
			}
		})
	}
}

func TestNoHandshake(t *testing.T) {
	var refused []error
	e := start(t, config{gw: []func(*gateway.Options){func(o *gateway.Options) {
		o.Observer.Refused = func(_ context.Context, _, ip string, err error) { refused = append(refused, err) }
	}}})
	get := func(change func(*http.Request)) *http.Response {
		r := wstest.Request(t, e.srv.URL+"/?user=ann")
		change(r)
		resp, _ := wstest.Send(t, r, nil).Response()
		return resp
	}
	if resp := get(func(r *http.Request) { r.Method = "POST" }); resp.StatusCode != 405 || resp.Header.Get("Allow") != "GET" {
		t.Errorf("POST: %d", resp.StatusCode)
	}
	if resp := get(func(r *http.Request) { r.Header.Del("Upgrade") }); resp.StatusCode != 426 || resp.Header.Get("Upgrade") != "websocket" {
		t.Errorf("no upgrade: %d", resp.StatusCode)
	}
	if resp := get(func(r *http.Request) { r.Header.Del("Sec-WebSocket-Key") }); resp.StatusCode != 400 {
		t.Errorf("no key: %d", resp.StatusCode)
	}
	if len(refused) != 3 || len(e.connected) != 0 {
		t.Errorf("the observer was told of %v; %d were connected", refused, len(e.connected))
	}
}

func TestSubprotocol(t *testing.T) {
	for offered, want := range map[string]string{
		"":                        "",
		"other":                   "",
		"sumu":                    "sumu",
		"sumu, bearer.secret.jwt": "sumu",
		"bearer.secret.jwt,sumu":  "sumu",
	} {
		t.Run(offered, func(t *testing.T) {
			e := start(t, config{})
			r := wstest.Request(t, e.srv.URL+"/?user=ann")
			if offered != "" {
				r.Header.Set("Sec-WebSocket-Protocol", offered)
			}
			resp, _ := wstest.Send(t, r, nil).Response()
			if got := resp.Header.Get("Sec-WebSocket-Protocol"); resp.StatusCode != 101 || got != want {
				t.Errorf("%d with %q, want %q", resp.StatusCode, got, want)
			}
		})
	}
}

func TestConnection(t *testing.T) {
	const endpoint = "https://node-1.internal/prod"
	e := start(t, config{gw: []func(*gateway.Options){func(o *gateway.Options) { o.Endpoint = endpoint }}})
	_, row := e.dial("ann")
	if !regexp.MustCompile(`^[A-Za-z0-9_-]{15}=$`).MatchString(row.ID) {
		t.Errorf("id is %q", row.ID)
	}
	stored, err := e.store.Get(context.Background(), row.Ref())
	if err != nil || stored.Endpoint != endpoint || stored.UserID != "ann" {
		t.Errorf("row is %+v (%v)", stored, err)
	}
}

// Frames right behind the handshake come before the server has answered it.
func TestEarlyData(t *testing.T) {
	gate := newGate()
	e := start(t, config{setup: func(e *env) { e.auth = gate }})
	// More than net/http's buffer of 4 KB holds, so that some of it is read
	// with the request and some later.
	long := `{"action":"ping","ref":"2","fill":"` + strings.Repeat("x", 10_000) + `"}`
	early := wstest.Text(long).Append(wstest.Text(`{"action":"ping","ref":"1"}`).Append(nil))
	c := wstest.Send(t, wstest.Request(t, e.srv.URL), early)
	receive(t, gate.asked)
	gate.let <- nil
	if resp, _ := c.Response(); resp.StatusCode != 101 {
		t.Fatalf("status is %d", resp.StatusCode)
	}
	for _, ref := range []string{`"ref":"1"`, `"ref":"2"`} {
		if got := c.Expect(ws.Text); !strings.Contains(got, ref) {
			t.Errorf("reply is %s, want %s", got, ref)
		}
	}
}

// The authorizer accepts although the client has left: the row is written, and
// must go.
func TestClientLeavesWhileItIsAuthorized(t *testing.T) {
	gate := newGate()
	e := start(t, config{setup: func(e *env) { e.auth = gate }})
	c := wstest.Send(t, wstest.Request(t, e.srv.URL), nil)
	receive(t, gate.asked)
	_ = c.Close()
	gate.let <- nil
	row := e.accepted()
	e.expectEnd(row, 1006)
	if err := e.post(row, "x"); !errors.Is(err, sumu.ErrGone) {
		t.Errorf("post: %v, want ErrGone", err)
	}
}

// The same, where net/http has noticed before the authorizer was done.
func TestClientHasLeft(t *testing.T) {
	e := start(t, config{})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	r := httptest.NewRequestWithContext(ctx, "GET", "/?user=ann", nil)
	r.Header = wstest.Request(t, e.srv.URL).Header
	w := httptest.NewRecorder()
	e.gw.ServeHTTP(w, r)
	if w.Body.Len() > 0 {
		t.Errorf("nobody is answered with %q", w.Body)
	}
	e.expectEnd(e.accepted(), 1006)
}

// A response writer that cannot be taken over: the row that was written goes.
func TestUpgradeFailsAfterTheRowIsWritten(t *testing.T) {
	e := start(t, config{})
	r := httptest.NewRequest("GET", "/?user=ann", nil)
	r.Header = wstest.Request(t, e.srv.URL).Header
	w := httptest.NewRecorder()
	e.gw.ServeHTTP(w, r)
	if w.Code != 500 {
		t.Errorf("status is %d, want 500", w.Code)
	}
	e.expectEnd(e.accepted(), 1006)
}

func TestConnectTimeout(t *testing.T) {
	e := start(t, config{
		gw: []func(*gateway.Options){func(o *gateway.Options) { o.ConnectTimeout = time.Millisecond }},
		setup: func(e *env) {
			e.auth = newGate()
		},
	})
	resp, _ := wstest.Send(t, wstest.Request(t, e.srv.URL), nil).Response()
	if resp.StatusCode != 500 {
		t.Errorf("status is %d, want 500", resp.StatusCode)
	}
}

func TestMaxSockets(t *testing.T) {
	e := start(t, config{gw: []func(*gateway.Options){func(o *gateway.Options) { o.MaxSockets = 2 }}})
	e.dial("ann")
	c, row := e.dial("bob")
	resp, _ := wstest.Send(t, wstest.Request(t, e.srv.URL+"/?user=eve"), nil).Response()
	if resp.StatusCode != 429 || resp.Header.Get("Retry-After") == "" {
		t.Errorf("the third gets %d", resp.StatusCode)
	}
	_ = c.Close()
	e.expectEnd(row, 1006)
	// Room is made a moment after the row has gone.
	until(t, "room for the third", func() bool {
		resp, _ := wstest.Send(t, wstest.Request(t, e.srv.URL+"/?user=eve"), nil).Response()
		return resp.StatusCode == 101
	})
}

// An authorizer that panics takes its request down and nothing else.
func TestAuthorizerPanics(t *testing.T) {
	e := start(t, config{
		gw: []func(*gateway.Options){func(o *gateway.Options) { o.MaxSockets = 1 }},
		setup: func(e *env) {
			e.auth = sumu.AuthorizerFunc(func(_ context.Context, r *sumu.ConnectRequest) (sumu.Identity, error) {
				if r.Query["user"][0] == "bad" {
					panic(http.ErrAbortHandler) // The one that net/http does not print.
				}
				return sumu.Identity{UserID: "ann"}, nil
			})
		},
	})
	wstest.Send(t, wstest.Request(t, e.srv.URL+"/?user=bad"), nil).ExpectEnd()
	e.dial("ann")
}
