package gateway_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sumu-live/sumu/gateway"
	"github.com/sumu-live/sumu/internal/ws/wstest"
)

// failing is a listener whose first calls fail, as when files run out.
type failing struct {
	net.Listener
	errs chan error
}

func (f failing) Accept() (net.Conn, error) {
	select {
	case err := <-f.errs:
		return nil, err
	default:
		return f.Listener.Accept()
	}
}

type temporary struct{ error }

func (temporary) Timeout() bool   { return false }
func (temporary) Temporary() bool { return true }

func TestListenerForwardsErrors(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	errs := make(chan error, 3)
	for range cap(errs) {
		errs <- temporary{errors.New("too many open files")}
	}
	var log strings.Builder
	l := listen(t, config{}, failing{inner, errs}, func(_ net.Listener, srv *http.Server) { srv.ErrorLog = textLog(&log) })
	wstest.Dial(t, l.url())
	if len(errs) > 0 {
		t.Errorf("%d errors are left", len(errs))
	}
	l.accepted()
}

// An error that does not pass ends the server, as ever.
func TestListenerForwardsTheLastError(t *testing.T) {
	broken, errs := errors.New("broken"), make(chan error, 1)
	errs <- broken
	e := start(t, config{})
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := gateway.Server(e.gw).Serve(e.gw.Listener(failing{inner, errs}, "/")); !errors.Is(err, broken) {
		t.Errorf("the server ended with %v", err)
	}
}

// TLS is the server's, with HTTP/2, whichever listener wraps the other.
func TestListenerWithTLS(t *testing.T) {
	e := start(t, config{})
	for _, inside := range []bool{false, true} {
		srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.ProtoMajor == 2 {
				_, _ = io.WriteString(w, r.Proto)
				return
			}
			e.gw.ServeHTTP(w, r)
		}))
		srv.EnableHTTP2 = true
		if !inside { // StartTLS wraps it.
			srv.Listener = e.gw.Listener(srv.Listener, "/")
			srv.StartTLS()
		} else {
			srv.StartTLS() // For its certificate and its configuration.
			plain, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			ln := e.gw.Listener(tls.NewListener(plain, srv.TLS), "/")
			served := make(chan error, 1)
			go func() { served <- srv.Config.Serve(ln) }()
			t.Cleanup(func() {
				_ = ln.Close()
				receive(t, served)
			})
			srv.URL = "https://" + plain.Addr().String()
		}
		resp, err := srv.Client().Get(srv.URL)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(resp.Body); err != nil || string(b) != "HTTP/2.0" {
			t.Errorf("inside %v: %q, %v", inside, b, err)
		}
		_ = resp.Body.Close()
		c := wstest.Dial(t, srv.URL+"/?user=ann")
		row := e.accepted()
		if err := e.post(row, "x"); err != nil {
			t.Fatal(err)
		}
		c.ExpectText("x")
		_ = c.Close()
		e.expectEnd(row, 1006)
		srv.Close()
	}
}
