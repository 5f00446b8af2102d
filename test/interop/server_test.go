package interop

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/authorizer"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/gateway"
	"github.com/sumu-live/sumu/internal/issuer"
)

const (
	issuerName = "https://issuer.test"
	audience   = "interop"
)

// ended is what the gateway says of a connection's end.
type ended struct {
	user   string
	reason sumu.DisconnectReason
}

// server is a gateway whose App answers a message with itself.
type server struct {
	gw     *gateway.Gateway
	url    string // ws or wss
	ca     *x509.CertPool
	caFile string
	issuer *issuer.Issuer
	relay  *relay // what clients connect to, if there is one

	offered   sync.Map // by user, the extensions
	connected chan sumu.Connection
	ended     chan ended
}

type config struct {
	tls bool
	gw  []func(*gateway.Options)
}

// start runs a gateway on loopback until the test ends.
func start(t *testing.T, c config) *server {
	t.Helper()
	s := &server{connected: make(chan sumu.Connection, 1000), ended: make(chan ended, 1000)}
	var err error
	if s.issuer, err = issuer.New("ES256"); err != nil {
		t.Fatal(err)
	}
	keys, err := authorizer.StaticKeys(s.issuer.JWKS())
	if err != nil {
		t.Fatal(err)
	}
	verify, err := authorizer.New(keys, func(o *authorizer.Options) {
		o.Issuer = issuerName
		o.Audiences = []string{audience}
	})
	if err != nil {
		t.Fatal(err)
	}
	auth := sumu.AuthorizerFunc(func(ctx context.Context, r *sumu.ConnectRequest) (sumu.Identity, error) {
		id, err := verify.Authorize(ctx, r)
		s.offered.Store(id.UserID, strings.Join(r.HeaderValues("Sec-WebSocket-Extensions"), ", "))
		return id, err
	})
	app, err := sumu.NewApp(auth, new(memstore.Store), func(o *sumu.AppOptions) {
		o.Default = func(_ context.Context, m sumu.Message) ([]byte, error) {
			return []byte(string(m.Body)), nil // A copy: the body is the gateway's.
		}
		o.Observer.Connected = func(_ context.Context, c sumu.Connection) { s.connected <- c }
		o.Observer.Disconnected = func(_ context.Context, c sumu.Connection, r sumu.DisconnectReason, err error) {
			if err != nil {
				t.Errorf("the row of %s was not removed: %v", c.UserID, err)
			}
			s.ended <- ended{c.UserID, r}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if s.gw, err = gateway.New(app, c.gw...); err != nil {
		t.Fatal(err)
	}
	web := httptest.NewUnstartedServer(s.gw)
	web.Config = gateway.Server(s.gw)
	if c.tls {
		web.StartTLS()
		s.ca = x509.NewCertPool()
		s.ca.AddCert(web.Certificate())
		s.caFile = filepath.Join(t.TempDir(), "ca.pem")
		b := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw})
		if err := os.WriteFile(s.caFile, b, 0o600); err != nil {
			t.Fatal(err)
		}
	} else {
		web.Start()
	}
	s.url = "ws" + strings.TrimPrefix(web.URL, "http")
	t.Cleanup(func() {
		s.shutdown(t)
		web.Close()
	})
	return s
}

func (s *server) shutdown(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.gw.Shutdown(ctx); err != nil {
		t.Errorf("shutdown: %v", err)
	}
}

// token is one of a user; change makes it wrong.
func (s *server) token(t *testing.T, user string, change func(claims map[string]any)) string {
	t.Helper()
	now := time.Now()
	claims := map[string]any{"iss": issuerName, "aud": audience, "sub": user, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix()}
	if change != nil {
		change(claims)
	}
	token, err := s.issuer.Sign(claims)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// address is that of the server, with a token as a sub-protocol.
func (s *server) address(t *testing.T, user string) address {
	t.Helper()
	url := s.url
	if s.relay != nil {
		url = s.relay.url
	}
	return address{
		url: url + "/ws", protocols: []string{"sumu", "bearer." + s.token(t, user, nil)},
		ca: s.ca, caFile: s.caFile,
	}
}

// opened returns the connection of a user that has just been opened.
func (s *server) opened(t *testing.T, user string) sumu.Connection {
	t.Helper()
	for {
		select {
		case c := <-s.connected:
			if c.UserID == user {
				return c
			}
		case <-time.After(patience):
			t.Fatal("no connection was accepted")
		}
	}
}

// expectEnd waits until the gateway has taken note of the end of a user's
// connection.
func (s *server) expectEnd(t *testing.T, user string, want sumu.DisconnectReason) {
	t.Helper()
	for {
		select {
		case e := <-s.ended:
			if e.user != user {
				continue // That of a case that failed.
			}
			if e.reason != want {
				t.Errorf("the gateway notes an end with %d %q, want %d %q", e.reason.Code, e.reason.Text, want.Code, want.Text)
			}
		case <-time.After(patience):
			t.Error("the gateway does not note the end")
		}
		return
	}
}
