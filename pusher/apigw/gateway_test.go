package apigw_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/gateway"
	"github.com/sumu-live/sumu/internal/leak"
	"github.com/sumu-live/sumu/internal/ws"
	"github.com/sumu-live/sumu/internal/ws/wstest"
	"github.com/sumu-live/sumu/pusher"
	"github.com/sumu-live/sumu/pusher/apigw"
)

// live is a gateway with its management API, on a server of its own.
type live struct {
	store   *memstore.Store
	sockets *httptest.Server
	api     *httptest.Server
}

func newLive(t *testing.T, http2 bool) *live {
	t.Helper()
	leak.Check(t)
	l := &live{store: new(memstore.Store)}
	auth := sumu.AuthorizerFunc(func(_ context.Context, r *sumu.ConnectRequest) (sumu.Identity, error) {
		return sumu.Identity{UserID: r.Query["user"][0]}, nil
	})
	app, err := sumu.NewApp(auth, l.store)
	if err != nil {
		t.Fatal(err)
	}
	gw, err := gateway.New(app)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := gw.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
	l.sockets = httptest.NewServer(gw)
	t.Cleanup(l.sockets.Close)
	mux := http.NewServeMux()
	mux.Handle("/prod/", gw.Management(gateway.Credentials{
		AccessKeyID: testCreds.AccessKeyID, SecretAccessKey: testSecret, SessionToken: testToken, Region: "eu-west-1",
	}))
	l.api = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if want := map[bool]int{false: 1, true: 2}[http2]; r.ProtoMajor != want {
			t.Errorf("request came over %s", r.Proto)
		}
		mux.ServeHTTP(w, r)
	}))
	if http2 {
		l.api.EnableHTTP2 = true
		l.api.StartTLS()
	} else {
		l.api.Start()
	}
	t.Cleanup(l.api.Close)
	return l
}

func (l *live) sender(t *testing.T, optFns ...func(*apigw.Options)) *apigw.Sender {
	t.Helper()
	if l.api.TLS != nil {
		roots := x509.NewCertPool()
		roots.AddCert(l.api.Certificate())
		optFns = append(optFns, func(o *apigw.Options) { o.TLS = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12} })
	}
	return newSender(t, append([]func(*apigw.Options){at(l.api.URL + "/prod/")}, optFns...)...)
}

// connect opens a socket of a user and returns its row.
func (l *live) connect(t *testing.T, user string) (*wstest.Conn, sumu.Connection) {
	t.Helper()
	c := wstest.Dial(t, "ws"+strings.TrimPrefix(l.sockets.URL, "http")+"/?user="+user)
	for row, err := range l.store.ByUser(t.Context(), user) {
		if err != nil {
			t.Fatal(err)
		}
		return c, row
	}
	t.Fatalf("%s has no row", user)
	return nil, sumu.Connection{}
}

func TestAgainstGateway(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		t.Run(map[bool]string{false: "HTTP/1.1", true: "HTTP/2"}[http2], func(t *testing.T) {
			l := newLive(t, http2)
			client, row := l.connect(t, "ann")
			s := l.sender(t)
			ctx := t.Context()
			for _, text := range []string{`{"hello":"wörld"}`, "", strings.Repeat("x", sumu.MaxPayload)} {
				if err := s.Post(ctx, row, payload(t, text)); err != nil {
					t.Fatal(err)
				}
				if got := client.Expect(ws.Text); got != text {
					t.Errorf("client got %.40q, want %.40q", got, text)
				}
			}
			info, err := s.Get(ctx, row)
			if err != nil || !info.ConnectedAt.Equal(row.ConnectedAt) || info.SourceIP != "127.0.0.1" || time.Since(info.LastActiveAt) > time.Minute {
				t.Errorf("got %+v: %v", info, err)
			}
			if err := s.Disconnect(ctx, row); err != nil {
				t.Error(err)
			}
			client.Expect(ws.Close)
			if err := s.Disconnect(ctx, row); kindOf(err) != sumu.ErrGone {
				t.Errorf("disconnected twice: %v", err)
			}
			if _, err := s.Get(ctx, row); kindOf(err) != sumu.ErrGone {
				t.Errorf("got what is gone: %v", err)
			}
			if err := s.Post(ctx, row, payload(t, "x")); kindOf(err) != sumu.ErrGone {
				t.Errorf("posted to what is gone: %v", err)
			}
			if err := s.Post(ctx, sumu.Connection{ID: "a b/c=%25é?#"}, payload(t, "x")); kindOf(err) != sumu.ErrGone {
				t.Errorf("a strange id: %v", err)
			}
		})
	}
}

func TestGatewayRefuses(t *testing.T) {
	l := newLive(t, false)
	client, row := l.connect(t, "ann")
	for name, tt := range map[string]struct {
		creds func(*aws.Credentials)
		opt   func(*apigw.Options)
	}{
		"wrong secret": {creds: func(c *aws.Credentials) { c.SecretAccessKey = "other" }},
		"unknown key":  {creds: func(c *aws.Credentials) { c.AccessKeyID = "AKOTHER" }},
		"no session":   {creds: func(c *aws.Credentials) { c.SessionToken = "" }},
		"clock": {opt: func(o *apigw.Options) {
			o.Now = func() time.Time { return time.Now().Add(-10 * time.Minute) }
		}},
	} {
		creds := testCreds
		if tt.creds != nil {
			tt.creds(&creds)
		}
		s, err := apigw.New(static(creds), "eu-west-1", at(l.api.URL+"/prod"), func(o *apigw.Options) {
			if tt.opt != nil {
				tt.opt(o)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Close)
		err = s.Post(t.Context(), row, payload(t, name))
		if kindOf(err) != sumu.ErrForbidden {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil {
			wantNoSecret(t, err.Error())
		}
	}
	if err := l.sender(t).Post(t.Context(), row, payload(t, "right")); err != nil {
		t.Error(err)
	}
	if got := client.Expect(ws.Text); got != "right" {
		t.Errorf("client got %q", got)
	}
}

// A push over sockets: delivered, gone and pruned, and a row that names a
// foreign host, which fails alone.
func TestPushThroughGateway(t *testing.T) {
	l := newLive(t, false)
	ctx := t.Context()
	ann, _ := l.connect(t, "ann")
	bob, _ := l.connect(t, "bob")
	old := time.Now().Add(-time.Hour)
	for _, c := range []sumu.Connection{
		{UserID: "eve", ID: "eve1", Endpoint: "http://169.254.169.254/latest", ConnectedAt: old},
		{UserID: "eve", ID: "eve2", Endpoint: "https://evil.example/prod", ConnectedAt: old},
		{UserID: "old", ID: "old1", ConnectedAt: old},
	} {
		if err := l.store.Put(ctx, c); err != nil {
			t.Fatal(err)
		}
	}
	push, err := pusher.New(l.store, l.sender(t), func(o *pusher.Options) { o.Tries = 1 })
	if err != nil {
		t.Fatal(err)
	}
	results, err := push.Push(ctx, sumu.Notification{ID: "n", Everyone: true, Data: []byte(`"all"`)})
	if err != nil {
		t.Fatal(err)
	}
	if r := results[0]; r.Delivered != 2 || r.Gone != 1 || r.Failed != 2 || r.Targets != 5 {
		t.Errorf("got %+v", r)
	}
	for _, c := range []*wstest.Conn{ann, bob} {
		if got := c.Expect(ws.Text); got != `"all"` {
			t.Errorf("client got %q", got)
		}
	}
	for user, want := range map[string]bool{"ann": true, "eve": true, "old": false} {
		if live, err := l.store.HasLive(ctx, user); err != nil || live != want {
			t.Errorf("%s has a row: %v (%v), want %v", user, live, err, want)
		}
	}
}

// A node is told with which code to close; what is not one gets what API
// Gateway knows, a DELETE without a body.
func TestKickThroughANode(t *testing.T) {
	for code, nodes := range map[int][]string{sumu.CloseKicked: {"127.0.0.1:*"}, ws.CloseNormal: nil} {
		l := newLive(t, false)
		client, row := l.connect(t, "ann")
		row.Endpoint = l.api.URL + "/prod"
		if err := l.store.Put(t.Context(), row); err != nil {
			t.Fatal(err)
		}
		s := l.sender(t, func(o *apigw.Options) { o.NodeHosts = nodes })
		if n, err := sumu.Kick(t.Context(), l.store, s, "ann"); n != 1 || err != nil {
			t.Fatalf("kicked %d: %v", n, err)
		}
		if got := client.Expect(ws.Text); !strings.Contains(got, "kicked") {
			t.Errorf("the last frame is %s", got)
		}
		client.ExpectClose(code)
		if err := s.DisconnectFor(t.Context(), row, sumu.DisconnectReason{Code: 1000}); kindOf(err) != sumu.ErrInvalid {
			t.Errorf("with 1000: %v", err)
		}
	}
}
