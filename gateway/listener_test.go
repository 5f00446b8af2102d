package gateway_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/gateway"
	"github.com/sumu-live/sumu/internal/ws"
	"github.com/sumu-live/sumu/internal/ws/wstest"
)

// byListener is the test below which start gives the server a listener of the
// gateway.
const byListener = "TestByListener"

// What is tested of handshakes, and of the sockets that they open, once more
// with those that a listener answers.
func TestByListener(t *testing.T) {
	for name, test := range map[string]func(*testing.T){
		"UpgradeIsPendingUntilAuthorized": TestUpgradeIsPendingUntilAuthorized,
		"PostNeverOvertakesTheResponse":   TestPostNeverOvertakesTheResponse,
		"Refused":                         TestRefused,
		"NoHandshake":                     TestNoHandshake,
		"Subprotocol":                     TestSubprotocol,
		"Connection":                      TestConnection,
		"EarlyData":                       TestEarlyData,
		"ClientLeavesWhileItIsAuthorized": TestClientLeavesWhileItIsAuthorized,
		"ConnectTimeout":                  TestConnectTimeout,
		"MaxSockets":                      TestMaxSockets,
		"AuthorizerPanics":                TestAuthorizerPanics,
		"RequestLimits":                   TestRequestLimits,
		"Query":                           TestQuery,
		"HeaderCase":                      TestHeaderCase,
		"OriginOfTheSameHost":             TestOriginOfTheSameHost,
		"ListedOrigins":                   TestListedOrigins,
		"NoCompression":                   TestNoCompression,
		"ConnectRatePerSource":            TestConnectRatePerSource,
		"ConnectRate":                     TestConnectRate,
		"SlowReader":                      TestSlowReader,
		"Shutdown":                        TestShutdown,
		"ShutdownByForce":                 TestShutdownByForce,
		"ShutdownWhileClientsConnect":     TestShutdownWhileClientsConnect,
		"ClosedWhileOpening":              TestClosedWhileOpening,
		"ManySockets":                     TestManySockets,
		"Churn":                           TestChurn,
		"ManagementReachesSockets":        TestManagementReachesSockets,
		"DeadLink":                        TestDeadLink,
		"Ping":                            TestPing,
		"ShutdownWithDeadLink":            TestShutdownWithDeadLink,
	} {
		t.Run(name, test)
	}
}

// listening is an env whose sockets come by a listener at /ws; every other path
// is a page.
type listening struct {
	*env
	ln   net.Listener
	addr string
}

func listen(t *testing.T, c config, inner net.Listener, tune func(net.Listener, *http.Server)) listening {
	t.Helper()
	e := start(t, c)
	mux := http.NewServeMux()
	mux.Handle("/ws", e.gw)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "page "+r.URL.Path) })
	srv := gateway.Server(mux)
	if inner == nil {
		var err error
		if inner, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
	}
	ln := e.gw.Listener(inner, "/ws")
	if tune != nil {
		tune(ln, srv)
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	t.Cleanup(func() {
		_ = srv.Close()
		if err := receive(t, served); !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			t.Errorf("the server ended with %v", err)
		}
	})
	return listening{e, ln, inner.Addr().String()}
}

func (l listening) url() string { return "http://" + l.addr + "/ws?user=ann" }

// dialRaw returns a connection on which nothing waits for ever.
func (l listening) dialRaw() (net.Conn, *bufio.Reader) {
	l.t.Helper()
	nc, err := net.Dial("tcp", l.addr)
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { _ = nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(time.Minute))
	return nc, bufio.NewReader(nc)
}

const handshake = "Host: gw\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + wstest.Key + "\r\n\r\n"

// answer reads a response with its body.
func answer(t *testing.T, r *bufio.Reader) (status int, body string) {
	t.Helper()
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return 101, ""
	}
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// Pages and handshakes share connections, in any order: a handshake that is
// refused leaves its connection to the server.
func TestListenerSharesConnections(t *testing.T) {
	l := listen(t, config{setup: func(e *env) {
		e.auth = sumu.AuthorizerFunc(func(_ context.Context, r *sumu.ConnectRequest) (sumu.Identity, error) {
			if r.Query["user"][0] == "eve" {
				return sumu.Identity{}, sumu.ErrForbidden
			}
			return sumu.Identity{UserID: "ann"}, nil
		})
	}}, nil, nil)
	const page = "GET /index HTTP/1.1\r\nHost: gw\r\n\r\n"
	nc, r := l.dialRaw()
	// Pipelined, which net/http reads after the first is answered.
	_, _ = io.WriteString(nc, "GET /ws?user=eve HTTP/1.1\r\n"+handshake+page+"GET /ws?user=eve HTTP/1.1\r\n"+handshake)
	for _, want := range []int{403, 200, 403} {
		if got, body := answer(t, r); got != want {
			t.Fatalf("answer is %d %q, want %d", got, body, want)
		}
	}
	_, _ = io.WriteString(nc, page)
	if got, body := answer(t, r); got != 200 || body != "page /index" {
		t.Fatalf("answer is %d %q", got, body)
	}
	_, _ = io.WriteString(nc, "GET /ws?user=ann HTTP/1.1\r\n"+handshake)
	if got, body := answer(t, r); got != 101 {
		t.Fatalf("answer is %d %q", got, body)
	}
	if row := l.accepted(); !l.gw.Plain(row.ID) {
		t.Error("the socket is not read by its descriptor")
	}
}

// Early frames arrive whole and in order however little is read at a time:
// also behind a head that the server had to read, and then the socket has the
// connection itself.
func TestListenerEarlyData(t *testing.T) {
	for _, step := range []int{1, 40, 100, 1000, 5000, 0} {
		t.Run(strconv.Itoa(step), func(t *testing.T) { earlyData(t, step) })
	}
}

func earlyData(t *testing.T, step int) {
	l := listen(t, config{}, nil, func(ln net.Listener, _ *http.Server) { gateway.Tune(ln, 0, 0, step) })
	nc, r := l.dialRaw()
	long := `{"action":"ping","ref":"2","fill":"` + strings.Repeat("x", 10_000) + `"}`
	frames := wstest.Text(long).Append(wstest.Text(`{"action":"ping","ref":"1"}`).Append(nil))
	_, _ = nc.Write(append([]byte("GET /ws?user=ann HTTP/1.1\r\n"+handshake), frames...))
	if got, body := answer(t, r); got != 101 {
		t.Fatalf("answer is %d %q", got, body)
	}
	for _, ref := range []string{`"ref":"1"`, `"ref":"2"`} {
		head := make([]byte, 2)
		_, _ = io.ReadFull(r, head)
		text := make([]byte, head[1]) // A reply is short.
		if _, err := io.ReadFull(r, text); err != nil || head[0] != 0x80|byte(ws.Text) || !strings.Contains(string(text), ref) {
			t.Fatalf("reply is %x %q (%v), want %s", head, text, err, ref)
		}
	}
	if row := l.accepted(); !l.gw.Plain(row.ID) {
		t.Error("the socket is not read by its descriptor")
	}
}

// A client that says nothing, or not enough, is the server's after a while.
func TestListenerLosesPatience(t *testing.T) {
	l := listen(t, config{}, nil, func(ln net.Listener, srv *http.Server) {
		gateway.Tune(ln, 20*time.Millisecond, 0, 0)
		srv.ReadHeaderTimeout = 20 * time.Millisecond
	})
	for _, part := range []string{"", "GET", "GET /ws HTTP/1.1\r\nHost: gw\r\nConnection: Upg"} {
		nc, r := l.dialRaw()
		_, _ = io.WriteString(nc, part)
		if b, err := io.ReadAll(r); err != nil { // Half a line gets net/http's 400.
			t.Errorf("%q is not cut off: %q, %v", part, b, err)
		}
	}
	wstest.Dial(t, l.url()) // The patience is over with the handshake.
	alive := l.accepted()
	if err := l.post(alive, "x"); err != nil {
		t.Error(err)
	}
}

// A line that ends in LF alone is net/http's to judge, and it takes one: nothing
// that may come behind it makes the request the listener's.
func TestListenerHandsBareLFOn(t *testing.T) {
	l := listen(t, config{}, nil, func(ln net.Listener, _ *http.Server) { gateway.Tune(ln, time.Hour, 0, 0) })
	const whole = "GET /ws?user=ann HTTP/1.1\r\n" + handshake
	for _, head := range []string{
		strings.ReplaceAll(whole, "\r\n", "\n"),
		strings.Replace(whole, "\r\n\r\n", "\n\r\n", 1),
		strings.Replace(whole, "\r\n\r\n", "\r\n\n", 1),
		strings.Replace(strings.TrimSuffix(whole, "\r\n")+"\n", "\r\nHost", "\nHost", 1),
	} {
		nc, r := l.dialRaw()
		_, _ = io.WriteString(nc, head)
		if status, _ := answer(t, r); status != 101 {
			t.Errorf("%q: %d", head, status)
		}
	}
}

// Silent connections beyond the most that wait are the server's at once, and
// Close closes those that wait.
func TestListenerWaitsForSoMany(t *testing.T) {
	handed := make(chan struct{}, 10)
	l := listen(t, config{}, nil, func(ln net.Listener, srv *http.Server) {
		gateway.Tune(ln, time.Hour, 2, 0)
		srv.ReadHeaderTimeout = time.Hour
		srv.ConnState = func(_ net.Conn, s http.ConnState) {
			if s == http.StateNew {
				handed <- struct{}{}
			}
		}
	})
	var silent []net.Conn
	for range 2 {
		nc, _ := l.dialRaw()
		silent = append(silent, nc)
	}
	until(t, "two that wait", func() bool { return gateway.Waiting(l.ln) == 2 })
	l.dialRaw()
	receive(t, handed)
	wstest.Dial(t, l.url()) // Whoever says something is served.
	nc := silent[0]
	_, _ = io.WriteString(nc, "GET /ws?user=ann HTTP/1.1\r\n"+handshake)
	if got, body := answer(t, bufio.NewReader(nc)); got != 101 {
		t.Errorf("answer is %d %q", got, body)
	}
	if n := gateway.Waiting(l.ln); n != 1 {
		t.Errorf("%d wait", n)
	}
	_ = l.ln.Close()
	if b, err := io.ReadAll(silent[1]); err != nil || len(b) > 0 {
		t.Errorf("closing does not end it: %q, %v", b, err)
	}
	if _, err := l.ln.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("accept after close: %v", err)
	}
}

// A listener that was never asked has nothing to end.
func TestListenerUnused(t *testing.T) {
	e := start(t, config{})
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln := e.gw.Listener(inner, "/ws")
	for range 2 {
		if err := ln.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := ln.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("accept: %v", err)
	}
}
