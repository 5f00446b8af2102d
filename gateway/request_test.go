package gateway_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/gateway"
	"github.com/sumu-live/sumu/internal/leak"
	"github.com/sumu-live/sumu/internal/ws/wstest"
)

// fill makes a request whose URL, or whose request line and header values, have
// exactly n bytes.
func fillURL(r *http.Request, n int) {
	r.URL.RawQuery += "&x="
	r.URL.RawQuery += strings.Repeat("y", n-len("wss://"+r.URL.Host+r.URL.RequestURI()))
}

func fillHeader(r *http.Request, n int) {
	size := len("GET  HTTP/1.1" + r.URL.RequestURI() + r.URL.Host)
	for _, values := range r.Header {
		size += len(strings.Join(values, ""))
	}
	r.Header.Set("X-Fill", strings.Repeat("z", n-size))
}

// API Gateway's limits, to the byte, and what is refused reaches no authorizer.
func TestRequestLimits(t *testing.T) {
	for _, tt := range []struct {
		name   string
		opts   func(*gateway.Options)
		fill   func(*http.Request, int)
		most   int
		status int
	}{
		{"URL", func(*gateway.Options) {}, fillURL, 4096, 414},
		{"header", func(*gateway.Options) {}, fillHeader, 10_240, 431},
		{"URL, another limit", func(o *gateway.Options) { o.MaxURL = 300 }, fillURL, 300, 414},
		{"header, another limit", func(o *gateway.Options) { o.MaxHeader = 700 }, fillHeader, 700, 431},
		{"no limits", func(o *gateway.Options) { o.MaxURL, o.MaxHeader = -1, -1 }, fillURL, 100_000, 101},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := start(t, config{gw: []func(*gateway.Options){tt.opts}})
			if got := e.status("ann", func(r *http.Request) { tt.fill(r, tt.most) }); got != 101 {
				t.Errorf("%d bytes get %d, want 101", tt.most, got)
			}
			e.accepted()
			if got := e.status("ann", func(r *http.Request) { tt.fill(r, tt.most+1) }); got != tt.status {
				t.Errorf("%d bytes get %d, want %d", tt.most+1, got, tt.status)
			}
			if tt.status != 101 && len(e.connected) > 0 {
				t.Error("the App was asked")
			}
		})
	}
}

func TestQuery(t *testing.T) {
	gate := newGate()
	e := start(t, config{setup: func(e *env) { e.auth = gate }})
	for raw, want := range map[string]map[string][]string{
		"":                         {},
		"a=1&b=2&a=3":              {"a": {"1", "3"}, "b": {"2"}},
		"a=&b":                     {"a": {""}, "b": {""}},
		"a=x+y%20z%2Bw&%C3%A9=%F0": {"a": {"x y z+w"}, "é": {"\xf0"}},
		"a=1;b=2":                  {"a": {"1;b=2"}},
		"A=1&a=2":                  {"A": {"1"}, "a": {"2"}},
	} {
		r := wstest.Request(t, e.srv.URL+"/?"+raw)
		c := wstest.Send(t, r, nil)
		if got := receive(t, gate.asked).Query; !maps.EqualFunc(got, want, func(a, b []string) bool { return fmt.Sprint(a) == fmt.Sprint(b) }) {
			t.Errorf("%s: query is %q, want %q", raw, got, want)
		}
		gate.let <- sumu.ErrForbidden
		c.Response()
	}
	for _, raw := range []string{"a=%", "a=%zz", "token=secret%2", "%=1"} {
		r := wstest.Request(t, e.srv.URL)
		r.URL.RawQuery = raw
		resp, body := wstest.Send(t, r, nil).Response()
		if resp.StatusCode != 400 || body != "{\"message\":\"Bad Request\"}\n" {
			t.Errorf("%s: %d %s", raw, resp.StatusCode, body)
		}
	}
}

// Names of headers are the same in any case, on the wire and for an authorizer
// that looks for them.
func TestHeaderCase(t *testing.T) {
	gate := newGate()
	e := start(t, config{setup: func(e *env) { e.auth = gate }})
	nc, err := net.Dial("tcp", e.srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	_, _ = fmt.Fprintf(nc, "GET / HTTP/1.1\r\nhost: gw\r\nconnection: keep-alive, UPGRADE\r\nupgrade: WebSocket\r\n"+
		"SEC-WEBSOCKET-VERSION: 13\r\nsec-websocket-key: %s\r\nsec-WebSocket-protocol: sumu\r\nx-aBC: 1\r\n\r\n", wstest.Key)
	r := receive(t, gate.asked)
	for _, name := range []string{"X-Abc", "x-abc", "X-ABC"} {
		if got := r.HeaderValues(name); len(got) != 1 || got[0] != "1" {
			t.Errorf("%s is %q", name, got)
		}
	}
	gate.let <- nil
	_ = nc.SetReadDeadline(time.Now().Add(20 * time.Second))
	resp, err := http.ReadResponse(bufio.NewReader(nc), nil)
	if err != nil || resp.StatusCode != 101 || resp.Header.Get("Sec-WebSocket-Protocol") != "sumu" {
		t.Errorf("response is %v, %v", resp, err)
	}
}

// A client that offers compression gets none unless the gateway is told to, and
// may not use it.
func TestNoCompression(t *testing.T) {
	e := start(t, config{})
	r := wstest.Request(t, e.srv.URL+"/?user=ann")
	r.Header.Set("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits")
	c := wstest.Send(t, r, nil)
	resp, _ := c.Response()
	if resp.StatusCode != 101 || resp.Header.Get("Sec-WebSocket-Extensions") != "" {
		t.Fatalf("response is %d with extensions %q", resp.StatusCode, resp.Header.Get("Sec-WebSocket-Extensions"))
	}
	row := e.accepted()
	if err := e.post(row, strings.Repeat("x", 1000)); err != nil {
		t.Fatal(err)
	}
	c.ExpectText(strings.Repeat("x", 1000))
	compressed := wstest.Text("whatever")
	compressed.RSV = 4
	c.Send(compressed)
	c.ExpectClose(1002)
	_ = c.Close()
	e.expectEnd(row, 1002)
}

// A client that sends its handshake byte by byte, or a part of it and no more,
// is cut off. Whoever is connected does not notice.
func TestSlowHandshake(t *testing.T) {
	leak.Check(t)
	e := start(t, config{})
	srv := gateway.Server(e.gw)
	if srv.ReadHeaderTimeout <= 0 || srv.ReadTimeout < 29*time.Second || srv.IdleTimeout <= 0 || srv.MaxHeaderBytes < 10_240 {
		t.Errorf("the server's limits are %v, %v, %v, %d", srv.ReadHeaderTimeout, srv.ReadTimeout, srv.IdleTimeout, srv.MaxHeaderBytes)
	}
	srv.ReadHeaderTimeout = 50 * time.Millisecond
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	defer func() {
		_ = srv.Close()
		receive(t, served)
	}()
	good := wstest.Dial(t, "http://"+ln.Addr().String()+"/?user=ann")
	var slow []net.Conn
	for _, part := range []string{"", "GET", "GET / HTTP/1.1\r\nHost: gw\r\nConnection: Upg"} {
		nc, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		_, _ = io.WriteString(nc, part)
		slow = append(slow, nc)
	}
	for i, nc := range slow {
		_ = nc.SetReadDeadline(time.Now().Add(20 * time.Second))
		if b, err := io.ReadAll(nc); err != nil {
			t.Errorf("handshake %d is not cut off: %q, %v", i, b, err)
		}
	}
	alive(t, good) // The server's timeouts ended with the upgrade.
	if n := e.gw.Sockets(); n != 1 {
		t.Errorf("%d sockets", n)
	}
}

// A slow authorizer is not cut short by the server's ReadTimeout.
func TestServerWaitsForTheAuthorizer(t *testing.T) {
	srv := gateway.Server(http.NotFoundHandler())
	if srv.ReadTimeout <= 29*time.Second+srv.ReadHeaderTimeout {
		t.Errorf("ReadTimeout is %v; it would end a request whose authorizer takes its 29 s", srv.ReadTimeout)
	}
}

func ExampleServer() {
	app, err := sumu.NewApp(sumu.AuthorizerFunc(func(context.Context, *sumu.ConnectRequest) (sumu.Identity, error) {
		return sumu.Identity{}, sumu.ErrUnauthorized
	}), onlyStore{})
	if err != nil {
		panic(err)
	}
	gw, err := gateway.New(app)
	if err != nil {
		panic(err)
	}
	srv := gateway.Server(gw)
	srv.Addr = "127.0.0.1:8080" // Then srv.ListenAndServe().
	fmt.Println(srv.ReadHeaderTimeout, srv.ReadTimeout, srv.IdleTimeout)
	// Output: 5s 1m0s 2m0s
}
