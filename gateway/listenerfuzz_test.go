package gateway_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/gateway"
	"github.com/sumu-live/sumu/internal/leak"
)

// heads are requests of which some are handshakes; the others are nearly.
func heads() []string {
	const get, host = "GET /ws?user=ann HTTP/1.1\r\n", "Host: gw\r\n"
	with := func(fields ...string) string {
		return get + strings.Join(append(fields, ""), "\r\n") + handshake
	}
	list := []string{
		"", "\r\n", "G", "GET", get, get + "\r\n", get + host + "\r\n", "\r\n\r\n" + get + handshake,
		get + handshake, get + handshake + "frames", get + handshake + get + handshake,
		get + handshake + "GET /page HTTP/1.1\r\nHost: gw\r\n\r\n" + get + handshake,
		"GET /page HTTP/1.1\r\nHost: gw\r\n\r\n" + get + handshake,
		"POST /page HTTP/1.1\r\nHost: gw\r\nContent-Length: 4\r\n\r\nbody" + get + handshake,
		get + strings.ReplaceAll(handshake, "\r\n", "\n"),
		get + strings.Replace(handshake, "\r\n\r\n", "\n\r\n", 1),
		get + strings.Replace(handshake, "\r\n\r\n", "\r\n\n", 1),
		get + strings.Replace(handshake, "13", "8", 1),
		get + strings.Replace(handshake, "Key: ", "Key: x", 1),
		get + strings.Replace(handshake, "Connection: Upgrade", "Connection: close, Upgrade", 1),
		get + strings.Replace(handshake, "Connection: Upgrade", "Connection: keep-alive\r\nconnection: foo ,\tupgrade", 1),
		get + strings.Replace(handshake, "Connection: Upgrade", "Connection: keep-alive", 1),
		get + strings.Replace(handshake, "Upgrade: websocket", "Upgrade: h2c, websocket", 1),
		get + strings.Replace(handshake, "Upgrade: websocket", "UPGRADE:websocket \t", 1),
		get + strings.Replace(handshake, "Host: gw", "Host:", 1),
		get + strings.Replace(handshake, "Host: gw", "Host: g w", 1),
		get + strings.Replace(handshake, "Host: gw", "Host: g/w", 1),
		get + strings.Replace(handshake, "Host: gw", "Host : gw", 1),
		get + strings.Replace(handshake, "Host: gw", "Host: [::1]:80", 1),
		get + strings.Replace(handshake, host, "", 1),
		with("Host: other"), with("host: gw"), with("Content-Length: 0"), with("Content-Length: 5"),
		with("Content-Length: 5", "Transfer-Encoding: chunked"), with("Transfer-Encoding: chunked"), with("Transfer-Encoding: gzip"),
		with("Expect: 100-continue"), with("Expect: x"), with("Trailer: X"), with("Pragma: no-cache"),
		with("Pragma: no-cache", "Cache-Control: max-age=0"), with("Pragma: x", "pragma: no-cache"),
		with("X-A: 1", "x-a: 2", "X-a:3"), with("X-A: a\x00b"), with("X-A: a\x01b"), with("X-A: a\x7fb"), with("X-A: a\rb"), with("X-A: a\nb"),
		with("X-A: a\r\n folded"), with(" X-A: a"), with("X A: a"), with("X-A"), with(": a"), with("X-A:"), with("X-É: a"), with("X-A: é\xff"),
		with("x_y!#$%&'*+-.^`|~: \t a \t "), with("Cookie: " + strings.Repeat("c", 9000)), with("Cookie: " + strings.Repeat("c", 16000)),
		with("Cookie: " + strings.Repeat("c", 30000)), "GET /ws?user=" + strings.Repeat("u", 5000) + " HTTP/1.1\r\n" + handshake,
		with(strings.Repeat("X-A: 1\r\n", 300) + "X-B: 2"),
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "GET http://gw/ws?user=ann HTTP/1.1\r\n" + handshake,
	}
	for _, line := range []string{
		"GET /ws HTTP/1.0", "GET /ws HTTP/1.2", "GET /ws HTTP/2.0", "GET /ws HTTP/1.1 ", "GET  /ws HTTP/1.1", "GET /ws  HTTP/1.1", "GET\t/ws HTTP/1.1",
		"get /ws HTTP/1.1", "POST /ws HTTP/1.1", "HEAD /ws HTTP/1.1", "OPTIONS * HTTP/1.1", "CONNECT gw:80 HTTP/1.1", "GET * HTTP/1.1", "GET ws HTTP/1.1", "GET /ws", " GET /ws HTTP/1.1",
		"GET /%77s HTTP/1.1", "GET //ws HTTP/1.1", "GET /ws/ HTTP/1.1", "GET /./ws HTTP/1.1", "GET /x/../ws HTTP/1.1", "GET /WS HTTP/1.1", "GET /ws;x HTTP/1.1", "GET / HTTP/1.1",
		"GET /ws? HTTP/1.1", "GET /ws?? HTTP/1.1", "GET /ws?a=1&a=2;b=3&%41=%zz HTTP/1.1", "GET /ws?a=%C3%A9+x HTTP/1.1", "GET /ws?a=%zz HTTP/1.1", "GET /ws?a=é HTTP/1.1",
		"GET /ws?a#b HTTP/1.1", "GET /ws#b HTTP/1.1", "GET /ws?a=b?c=/d HTTP/1.1", "GET /ws?a=\x7f HTTP/1.1", "GET /ws?a=\x00 HTTP/1.1", "GET /ws%3Fa HTTP/1.1", "GET /ws\\ HTTP/1.1",
	} {
		list = append(list, line+"\r\n"+handshake)
	}
	return list
}

// twin is a server whose authorizer refuses everybody, and remembers them.
type twin struct {
	addr string
	mu   sync.Mutex
	seen []sumu.ConnectRequest
}

func newTwin(tb testing.TB, wrap func(*gateway.Gateway, net.Listener) net.Listener) *twin {
	tb.Helper()
	tw := new(twin)
	app, err := sumu.NewApp(sumu.AuthorizerFunc(func(_ context.Context, r *sumu.ConnectRequest) (sumu.Identity, error) {
		seen := *r
		seen.ConnectionID = ""
		tw.mu.Lock()
		defer tw.mu.Unlock()
		tw.seen = append(tw.seen, seen)
		return sumu.Identity{}, sumu.ErrForbidden
	}), onlyStore{})
	if err != nil {
		tb.Fatal(err)
	}
	gw, err := gateway.New(app)
	if err != nil {
		tb.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tw.addr = ln.Addr().String()
	mux := http.NewServeMux()
	mux.Handle("/ws", gw)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %q %v", r.Method, r.URL, b, err)
	})
	srv := gateway.Server(mux)
	srv.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	srv.ReadHeaderTimeout, srv.ReadTimeout = time.Minute, time.Minute // Not what this is about.
	served := make(chan error, 1)
	go func() { served <- srv.Serve(wrap(gw, ln)) }()
	tb.Cleanup(func() {
		_ = srv.Close()
		<-served
		_ = gw.Shutdown(context.Background())
	})
	return tw
}

var date = regexp.MustCompile(`\r\nDate: [^\r]*`)

// exchange sends data and the end, and returns all that is answered and whom
// the authorizer saw. A server that closes before it has read all may reset the
// connection: then what is answered may be cut short.
func (tw *twin) exchange(tb testing.TB, data string) (got string, saw []sumu.ConnectRequest, reset bool) {
	tb.Helper()
	tw.mu.Lock()
	tw.seen = nil
	tw.mu.Unlock()
	nc, err := net.Dial("tcp", tw.addr)
	if err != nil {
		tb.Fatal(err)
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(time.Minute))
	_, _ = io.WriteString(nc, data)
	_ = nc.(*net.TCPConn).CloseWrite()
	b, err := io.ReadAll(nc)
	if ne, ok := err.(net.Error); ok && ne.Timeout() {
		tb.Fatalf("no end of the answer to %.200q", data)
	}
	tw.mu.Lock()
	defer tw.mu.Unlock()
	return date.ReplaceAllString(string(b), ""), tw.seen, err != nil
}

// steps are how much a listener reads at a time; 0: what is there.
var steps = []int{0, 1, 20, 45, 60, 90, 170, 3000}

// FuzzListener sends the same to a plain server and to one with a listener that
// reads step bytes at a time: the same comes back, to the byte, and authorizers
// see the same.
func FuzzListener(f *testing.F) {
	for i, h := range heads() {
		f.Add(h, uint8(0))
		f.Add(h, uint8(1+i%(len(steps)-1)))
	}
	leak.Check(f)
	plain := newTwin(f, func(_ *gateway.Gateway, ln net.Listener) net.Listener { return ln })
	var twins []*twin
	for _, n := range steps {
		twins = append(twins, newTwin(f, func(gw *gateway.Gateway, ln net.Listener) net.Listener {
			ours := gw.Listener(ln, "/ws")
			gateway.Tune(ours, time.Minute, 0, n)
			return ours
		}))
	}
	f.Fuzz(func(t *testing.T, data string, i uint8) {
		n := steps[int(i)%len(steps)]
		want, saw, cut := plain.exchange(t, data)
		got, sees, reset := twins[int(i)%len(steps)].exchange(t, data)
		if cut && strings.HasPrefix(got, want) || reset && strings.HasPrefix(want, got) {
			return
		}
		if got != want {
			t.Errorf("%.300q, %d at a time:\nanswer is %q\nwant      %q", data, n, got, want)
		}
		if !reflect.DeepEqual(sees, saw) {
			t.Errorf("%.300q, %d at a time:\nthe authorizer sees %+v\nwant                %+v", data, n, sees, saw)
		}
	})
}

// FuzzParseHead: what a listener reads itself net/http reads, and the same.
func FuzzParseHead(f *testing.F) {
	for _, h := range heads() {
		f.Add([]byte(h))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		end := bytes.Index(b, []byte("\r\n\r\n"))
		if end < 0 {
			return
		}
		target, path, query, host, header, ok := gateway.ParseHead(b[:end+2], "/ws", "/")
		if !ok {
			return
		}
		in := bufio.NewReaderSize(bytes.NewReader(b), len(b)+16)
		r, err := http.ReadRequest(in)
		if err != nil {
			t.Fatalf("%q: %v", b, err)
		}
		r.Header.Del("Host")
		if r.Method != "GET" || r.Proto != "HTTP/1.1" || r.RequestURI != target || r.URL.Path != path || r.URL.RawQuery != query ||
			r.Host != host || !reflect.DeepEqual(r.Header, header) || r.ContentLength != 0 || r.Close || r.TransferEncoding != nil {
			t.Errorf("%q:\nnet/http reads %+v\nthis is        %q %q %q %q %v", b, r, target, path, query, host, header)
		}
		if rest, _ := io.ReadAll(in); string(rest) != string(b[end+4:]) {
			t.Errorf("%q: net/http leaves %q", b, rest)
		}
	})
}
