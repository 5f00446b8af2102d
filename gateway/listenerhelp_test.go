package gateway_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/gateway"
	"github.com/sumu-live/sumu/internal/ws"
	"github.com/sumu-live/sumu/internal/ws/wstest"
)

func textLog(w io.Writer) *log.Logger { return log.New(w, "", 0) }

// An authorizer that panics, or ends its goroutine, costs its own connection
// alone; a panic is logged.
func TestListenerLogsPanics(t *testing.T) {
	var logged strings.Builder
	l := listen(t, config{gw: []func(*gateway.Options){logTo(&logged)}, setup: func(e *env) {
		e.auth = sumu.AuthorizerFunc(func(_ context.Context, r *sumu.ConnectRequest) (sumu.Identity, error) {
			if r.Query["user"][0] == "exits" {
				runtime.Goexit()
			}
			panic("oh")
		})
	}}, nil, nil)
	for _, user := range []string{"ann", "exits"} {
		wstest.Send(t, wstest.Request(t, "http://"+l.addr+"/ws?user="+user), nil).ExpectEnd()
	}
	if err := l.gw.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(logged.String(), "panic=oh") {
		t.Errorf("logged is %q", logged.String())
	}
}

// So does an observer that panics because of a connection that finds no place.
func TestListenerOutlivesObservers(t *testing.T) {
	var logged strings.Builder
	l := listen(t, config{gw: []func(*gateway.Options){logTo(&logged), func(o *gateway.Options) {
		o.MaxSockets = 1
		o.Observer.Refused = func(context.Context, string, string, error) { panic("oh") }
	}}}, nil, nil)
	first := wstest.Dial(t, l.url())
	wstest.Send(t, wstest.Request(t, l.url()), nil).ExpectEnd()
	first.Send(wstest.New(ws.Ping, "still there"))
	first.Expect(ws.Pong)
	_ = first.Close()
	receive(t, l.ended)
	if err := l.ln.Close(); err != nil { // It waits for who was refused.
		t.Fatal(err)
	}
	if !strings.Contains(logged.String(), "panic=oh") {
		t.Errorf("logged is %q", logged.String())
	}
}

// A connection whose request comes while the listener is closed is a socket or
// is closed; it is not one that cannot be read.
func TestListenerClosedAfterRead(t *testing.T) {
	e := start(t, config{})
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	client, err := net.Dial("tcp", inner.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	nc, err := inner.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if err := gateway.CloseAfterRead(e.gw.Listener(inner, "/ws"), nc.(*net.TCPConn)); err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(client, "x")
	if _, err := nc.Read(make([]byte, 1)); err != nil {
		t.Errorf("what was accepted cannot be read: %v", err)
	}
}

// The bytes that were read come first, by whatever way the connection is read.
func TestReplayed(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer inner.Close()
	client, err := net.Dial("tcp", inner.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	tcp, err := inner.Accept()
	if err != nil {
		t.Fatal(err)
	}
	nc := gateway.Replayed(tcp.(*net.TCPConn), "held, ")
	defer nc.Close()
	_, _ = io.WriteString(client, "sent")
	_ = client.(*net.TCPConn).CloseWrite()
	var got bytes.Buffer
	one := make([]byte, 1)
	for n := range 3 {
		if _, err := nc.Read(one[:min(n, 1)]); err != nil { // Also of nothing.
			t.Fatal(err)
		}
		got.Write(one[:min(n, 1)])
	}
	if _, err := io.Copy(&got, nc); err != nil || got.String() != "held, sent" {
		t.Errorf("read %q (%v)", got.String(), err)
	}
	if n, err := nc.(io.ReaderFrom).ReadFrom(strings.NewReader("back")); n != 4 || err != nil {
		t.Errorf("wrote %d (%v)", n, err)
	}
	if err := nc.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Error(err)
	}
	if b, err := io.ReadAll(client); err != nil || string(b) != "back" {
		t.Errorf("the client read %q (%v)", b, err)
	}
}

func ExampleGateway_Listener() {
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
	mux := http.NewServeMux()
	mux.Handle("/ws", gw) // What the listener leaves to the server.
	mux.HandleFunc("/", func(http.ResponseWriter, *http.Request) {})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	srv := gateway.Server(mux)
	served := make(chan error)
	go func() { served <- srv.Serve(gw.Listener(ln, "/ws")) }()

	_, refused := dialUpgraded(ln.Addr().String(), "/ws")
	fmt.Println(strings.Contains(refused.Error(), "HTTP/1.1 401 Unauthorized"))

	_ = srv.Shutdown(context.Background()) // Closes the listener.
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		panic(err)
	}
	_ = gw.Shutdown(context.Background())
	// Output:
	// true
}
