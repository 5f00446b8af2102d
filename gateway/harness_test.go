package gateway_test

import (
	"context"
	"flag"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/gateway"
	"github.com/sumu-live/sumu/internal/leak"
	"github.com/sumu-live/sumu/internal/testlog"
	"github.com/sumu-live/sumu/internal/ws/wstest"
)

// unpolled runs all tests as where there is no poller.
var unpolled = flag.Bool("unpolled", false, "sockets wait in goroutines, as on other systems than Linux")

// clock is moved by tests, never by itself.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func (c *clock) set(now time.Time) { c.Advance(now.Sub(c.Now())) }

// ended is one call of Observer.Disconnected.
type ended struct {
	conn   sumu.Connection
	reason sumu.DisconnectReason
	err    error
}

// env is a gateway on a loopback server. Users are named by the query's "user".
type env struct {
	t     *testing.T
	clock *clock
	store *faulty
	app   *sumu.App
	gw    *gateway.Gateway
	srv   *httptest.Server

	auth      sumu.Authorizer // what clients that name a user are asked; nil: let in
	connected chan sumu.Connection
	ended     chan ended
}

// faulty is a store of which a method can be replaced.
type faulty struct {
	*memstore.Store
	delete func(ctx context.Context, ref sumu.ConnectionRef) error
	touch  func(ctx context.Context, ref sumu.ConnectionRef, at time.Time) error
}

func (f *faulty) Delete(ctx context.Context, ref sumu.ConnectionRef) error {
	if f.delete != nil {
		return f.delete(ctx, ref)
	}
	return f.Store.Delete(ctx, ref)
}

func (f *faulty) Touch(ctx context.Context, ref sumu.ConnectionRef, at time.Time) error {
	if f.touch != nil {
		return f.touch(ctx, ref, at)
	}
	return f.Store.Touch(ctx, ref, at)
}

type config struct {
	app   []func(*sumu.AppOptions)
	gw    []func(*gateway.Options)
	setup func(*env)
	own   bool // the defaults, for one's own servers, instead of [gateway.LikeAPIGateway]
	tls   bool
	small bool // the server's system buffers little for each socket
}

// start runs a gateway until the test ends, and checks then that nothing of it
// is left: no goroutine, no row.
func start(t *testing.T, c config) *env {
	t.Helper()
	return startApp(t, &env{clock: newClock()}, nil, c)
}

// startApp is start with an authorizer; nil: the env's own.
func startApp(t *testing.T, e *env, auth sumu.Authorizer, c config) *env {
	t.Helper()
	leak.Check(t)
	e.t = t
	e.connected = make(chan sumu.Connection, 10_000)
	e.ended = make(chan ended, 10_000)
	e.store = &faulty{Store: &memstore.Store{Now: e.clock.Now}}
	if c.setup != nil {
		c.setup(e)
	}
	if auth == nil {
		auth = sumu.AuthorizerFunc(func(ctx context.Context, r *sumu.ConnectRequest) (sumu.Identity, error) {
			if e.auth != nil {
				return e.auth.Authorize(ctx, r)
			}
			return sumu.Identity{UserID: r.Query["user"][0]}, nil
		})
	}
	var err error
	e.app, err = sumu.NewApp(auth, e.store, append([]func(*sumu.AppOptions){func(o *sumu.AppOptions) {
		o.Now = e.clock.Now
		o.Observer = testlog.Observer()
		o.Observer.Connected = func(_ context.Context, c sumu.Connection) { e.connected <- c }
		o.Observer.Disconnected = func(ctx context.Context, c sumu.Connection, r sumu.DisconnectReason, err error) {
			if ctx.Err() != nil {
				t.Error("Disconnect was called with a context that has ended")
			}
			e.ended <- ended{c, r, err}
		}
	}}, c.app...)...)
	if err != nil {
		t.Fatal(err)
	}
	like := gateway.LikeAPIGateway
	if c.own {
		like = func(*gateway.Options) {}
	}
	e.gw, err = gateway.New(e.app, append([]func(*gateway.Options){like, gateway.Manual, gateway.Unpolled(*unpolled), func(o *gateway.Options) {
		o.Now = e.clock.Now
		o.Logger = testlog.Logger()
		o.Observer = testlog.Observer()
	}}, c.gw...)...)
	if err != nil {
		t.Fatal(err)
	}
	e.srv = newServer(t, e.gw, e.gw)
	if c.small {
		e.srv.Listener = smallListener{e.srv.Listener}
	}
	if c.tls {
		e.srv.StartTLS()
	} else {
		e.srv.Start()
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = e.gw.Shutdown(ctx) // By then most tests have ended it themselves.
		e.srv.Close()
	})
	return e
}

// newServer returns a server that is not started. Below byListener it has the
// gateway's listener.
func newServer(t *testing.T, gw *gateway.Gateway, h http.Handler) *httptest.Server {
	srv := httptest.NewUnstartedServer(h)
	if strings.HasPrefix(t.Name(), byListener+"/") {
		srv.Listener = gw.Listener(srv.Listener, "/")
	}
	return srv
}

type smallListener struct{ net.Listener }

func (l smallListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if tcp, ok := nc.(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(smallBuffers)
	}
	return nc, err
}

// dial connects a user and returns the connection's row.
func (e *env) dial(user string) (*wstest.Conn, sumu.Connection) {
	e.t.Helper()
	c := wstest.Dial(e.t, e.srv.URL+"/?user="+user)
	return c, e.accepted()
}

// status is what a user's request to connect is answered with.
func (e *env) status(user string, change ...func(*http.Request)) int {
	e.t.Helper()
	r := wstest.Request(e.t, e.srv.URL+"/?user="+user)
	for _, f := range change {
		f(r)
	}
	resp, _ := wstest.Send(e.t, r, nil).Response()
	return resp.StatusCode
}

// logTo writes what the gateway logs to b, which is read once nothing of it
// runs any more.
func logTo(b *strings.Builder) func(*gateway.Options) {
	return func(o *gateway.Options) { o.Logger = slog.New(slog.NewTextHandler(b, nil)) }
}

func (e *env) accepted() sumu.Connection {
	e.t.Helper()
	return receive(e.t, e.connected)
}

// expectEnd waits for the end of a connection, and checks its row.
func (e *env) expectEnd(c sumu.Connection, code int) sumu.DisconnectReason {
	e.t.Helper()
	end := receive(e.t, e.ended)
	if end.conn.Ref() != c.Ref() || end.reason.Code != code || end.err != nil {
		e.t.Fatalf("%v ended with %d %q (%v), want %v with %d",
			end.conn.ID, end.reason.Code, end.reason.Text, end.err, c.ID, code)
	}
	if rows := e.rows(); rows != e.gw.Sockets() {
		e.t.Fatalf("%d rows are left of %d sockets", rows, e.gw.Sockets())
	}
	return end.reason
}

func (e *env) rows() int {
	e.t.Helper()
	n := 0
	for _, err := range e.store.All(context.Background(), sumu.Segment{}) {
		if err != nil {
			e.t.Fatal(err)
		}
		n++
	}
	return n
}

func (e *env) post(c sumu.Connection, text string) error {
	e.t.Helper()
	p, err := sumu.NewPayload([]byte(text))
	if err != nil {
		e.t.Fatal(err)
	}
	return e.gw.Post(context.Background(), c, p)
}

// receive takes from a channel, and fails the test when nothing comes.
func receive[T any](t *testing.T, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(20 * time.Second):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

// until polls for what the gateway tells nobody, and fails the test when it
// does not come.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
