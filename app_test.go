package sumu_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
)

func TestNewAppReportsEveryBadOptionAtOnce(t *testing.T) {
	app, err := sumu.NewApp(nil, nil, func(o *sumu.AppOptions) {
		o.RowTTL = 999 * time.Millisecond
		o.Middleware = []sumu.Middleware{func(h sumu.Handler) sumu.Handler { return h }, nil}
	})
	if app != nil {
		t.Error("got an App beside the error")
	}
	wantKind(t, err, sumu.ErrInvalid)
	for _, want := range []string{"Authorizer", "Store", "RowTTL is 999ms", "Middleware[1] is nil"} {
		if err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not name %q: %v", want, err)
		}
	}
}

func TestNewAppDefaults(t *testing.T) {
	app, err := sumu.NewApp(letIn(sumu.Identity{UserID: "u1"}), new(fakeStore))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := app.RowTTL(), 130*time.Minute; got != want {
		t.Errorf("RowTTL() = %v, want %v", got, want)
	}
	if got := app.Actions(); len(got) != 0 {
		t.Errorf("Actions() = %q, want none", got)
	}
	before := time.Now()
	s, err := app.Connect(t.Context(), &sumu.ConnectRequest{ConnectionID: "c1"})
	if err != nil {
		t.Fatal(err)
	}
	if at := s.Connection.ConnectedAt; at.Before(before.Truncate(time.Millisecond)) || at.After(time.Now()) {
		t.Errorf("ConnectedAt is %v, not the time of the call", at)
	}
}

func TestNewAppKeepsItsOwnLists(t *testing.T) {
	protocols := []string{"a"}
	app := newApp(t, letIn(sumu.Identity{UserID: "u1"}), new(fakeStore), func(o *sumu.AppOptions) {
		o.Subprotocols = protocols
	})
	protocols[0] = "b"
	s, err := app.Connect(t.Context(), &sumu.ConnectRequest{
		ConnectionID: "c1", Header: map[string][]string{"Sec-Websocket-Protocol": {"b, a"}},
	})
	if err != nil || s.Subprotocol != "a" {
		t.Errorf("got %q, %v: a change after NewApp took effect", s.Subprotocol, err)
	}
}

func TestConnectAuthorizesThenWritesTheRow(t *testing.T) {
	var log []string
	store := &fakeStore{log: &log}
	req := &sumu.ConnectRequest{ConnectionID: "c1", Endpoint: "https://node1.example.com", SourceIP: "192.0.2.7"}
	id := sumu.Identity{
		UserID: "u1", ExpiresAt: now.Add(time.Hour + 500*time.Millisecond), Claims: map[string]string{"org": "acme"},
	}
	auth := sumu.AuthorizerFunc(func(_ context.Context, r *sumu.ConnectRequest) (sumu.Identity, error) {
		log = append(log, "authorize")
		if r != req {
			t.Error("the Authorizer got another request")
		}
		return id, nil
	})
	app := newApp(t, auth, store, func(o *sumu.AppOptions) {
		o.RowTTL = time.Hour
		o.Observer.Connected = func(_ context.Context, c sumu.Connection) { log = append(log, "connected "+c.ID) }
		o.Observer.Refused = func(context.Context, string, string, error) { log = append(log, "refused") }
	})
	s, err := app.Connect(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"authorize", "put", "connected c1"}; !slices.Equal(log, want) {
		t.Errorf("order: got %q, want %q", log, want)
	}
	want := sumu.Connection{
		UserID: "u1", ID: "c1", Endpoint: "https://node1.example.com",
		ConnectedAt: time.Date(2026, 11, 20, 12, 0, 0, 123_000_000, time.UTC),
		// Rounded up: a row never lives shorter than it was promised to.
		DeleteAt: time.Date(2026, 11, 20, 13, 0, 1, 0, time.UTC),
		// Rounded down: a socket is never kept longer than its token allows.
		AuthExpiresAt: time.Date(2026, 11, 20, 13, 0, 0, 0, time.UTC),
	}
	if s.Connection != want {
		t.Errorf("got  %+v\nwant %+v", s.Connection, want)
	}
	if len(store.puts) != 1 || store.puts[0] != want {
		t.Errorf("written: %+v, want the session's connection", store.puts)
	}
	if s.Identity.UserID != "u1" || s.Identity.Claims["org"] != "acme" || !s.Identity.ExpiresAt.Equal(id.ExpiresAt) {
		t.Errorf("identity: %+v", s.Identity)
	}
}

func TestConnectRefuses(t *testing.T) {
	long := strings.Repeat("u", sumu.MaxUserID+1)
	now := now.Truncate(time.Second) // So that a token can expire at this very moment.
	for _, tt := range []struct {
		name string
		auth sumu.Authorizer
		id   string // of the connection
		kind error  // nil: a fault on our side
	}{
		{"no token", refuse(sumu.ErrUnauthorized), "c1", sumu.ErrUnauthorized},
		{"a token for another place", refuse(&sumu.Error{Op: "audience", Kind: sumu.ErrForbidden}), "c1", sumu.ErrForbidden},
		{"the key server is down", refuse(io.ErrUnexpectedEOF), "c1", nil},
		{"no user id", letIn(sumu.Identity{}), "c1", sumu.ErrUnauthorized},
		{"a long user id", letIn(sumu.Identity{UserID: long}), "c1", sumu.ErrUnauthorized},
		{"a user id that is not text", letIn(sumu.Identity{UserID: "\xff"}), "c1", sumu.ErrUnauthorized},
		{"expired", letIn(sumu.Identity{UserID: "u1", ExpiresAt: now.Add(-time.Hour)}), "c1", sumu.ErrUnauthorized},
		{"expires this moment", letIn(sumu.Identity{UserID: "u1", ExpiresAt: now}), "c1", sumu.ErrUnauthorized},
		{"expires within this second", letIn(sumu.Identity{UserID: "u1", ExpiresAt: now.Add(500 * time.Millisecond)}), "c1", sumu.ErrUnauthorized},
		{"1970", letIn(sumu.Identity{UserID: "u1", ExpiresAt: time.Unix(0, 0)}), "c1", sumu.ErrUnauthorized},
	} {
		t.Run(tt.name, func(t *testing.T) {
			store := new(fakeStore)
			var told []string
			app := newApp(t, tt.auth, store, func(o *sumu.AppOptions) {
				o.Now = func() time.Time { return now }
				o.Observer.Connected = func(context.Context, sumu.Connection) { t.Error("reported as connected") }
				o.Observer.Refused = func(_ context.Context, id, ip string, err error) {
					told = append(told, id, ip)
					if err == nil {
						t.Error("refused without a reason")
					}
				}
			})
			s, err := app.Connect(t.Context(), &sumu.ConnectRequest{ConnectionID: tt.id, SourceIP: "192.0.2.7"})
			if tt.kind != nil {
				wantKind(t, err, tt.kind)
			} else if err == nil || errors.Is(err, sumu.ErrUnauthorized) || errors.Is(err, sumu.ErrForbidden) {
				t.Errorf("got %v, want a fault of ours that blames no client", err)
			}
			if err != nil && !strings.HasPrefix(err.Error(), "connect c1: ") {
				t.Errorf("the error does not say what was attempted: %v", err)
			}
			if len(store.puts)+len(store.deletes) > 0 {
				t.Errorf("something was written: %+v", store.puts)
			}
			if s.Connection != (sumu.Connection{}) || s.Identity.UserID != "" {
				t.Errorf("got %+v beside the error", s)
			}
			if !slices.Equal(told, []string{"c1", "192.0.2.7"}) {
				t.Errorf("the observer was told %q", told)
			}
		})
	}
}

func TestConnectStoreFailure(t *testing.T) {
	cause := &sumu.Error{Op: "put c1", Kind: sumu.ErrThrottled}
	refused := 0
	app := newApp(t, letIn(sumu.Identity{UserID: "u1"}), &fakeStore{putErr: cause}, func(o *sumu.AppOptions) {
		o.Observer.Refused = func(context.Context, string, string, error) { refused++ }
	})
	_, err := app.Connect(t.Context(), &sumu.ConnectRequest{ConnectionID: "c1"})
	wantKind(t, err, sumu.ErrThrottled)
	if errors.Is(err, sumu.ErrUnauthorized) || !sumu.Retryable(err) {
		t.Errorf("a failing store must not look like a bad token: %v", err)
	}
	if refused != 1 {
		t.Errorf("the observer was told %d times, want once", refused)
	}
}

func TestConnectChoosesTheSubprotocol(t *testing.T) {
	for _, tt := range []struct {
		name    string
		speaks  []string
		offered []string // header lines
		want    string
	}{
		{"none offered", []string{"sumu"}, nil, ""},
		{"one", []string{"sumu"}, []string{"sumu"}, "sumu"},
		{"never the token", []string{"sumu"}, []string{"sumu, bearer." + secret}, "sumu"},
		{"the token first", []string{"sumu"}, []string{"bearer." + secret + ", sumu"}, "sumu"},
		{"the server's order", []string{"v2", "v1"}, []string{"v1, v2"}, "v2"},
		{"over two lines", []string{"v2", "v1"}, []string{"v1", "v2"}, "v2"},
		{"by default", nil, []string{"sumu"}, "sumu"},
		{"unknown", []string{"sumu"}, []string{"graphql-ws"}, ""},
		{"case counts", []string{"sumu"}, []string{"SUMU"}, ""},
		{"speaks none", []string{}, []string{"sumu"}, ""},
	} {
		app := newApp(t, letIn(sumu.Identity{UserID: "u1"}), new(fakeStore), func(o *sumu.AppOptions) {
			o.Subprotocols = tt.speaks
		})
		s, err := app.Connect(t.Context(), &sumu.ConnectRequest{
			ConnectionID: "c1", Header: map[string][]string{"Sec-Websocket-Protocol": tt.offered},
		})
		if err != nil || s.Subprotocol != tt.want {
			t.Errorf("%s: got %q, %v, want %q", tt.name, s.Subprotocol, err, tt.want)
		}
	}
}

func TestDisconnect(t *testing.T) {
	store := new(fakeStore)
	var reasons []sumu.DisconnectReason
	app := newApp(t, letIn(sumu.Identity{UserID: "u1"}), store, func(o *sumu.AppOptions) {
		o.Observer.Disconnected = func(_ context.Context, c sumu.Connection, r sumu.DisconnectReason, err error) {
			if c.ID != "c1" || err != nil {
				t.Errorf("the observer was told %v, %v", c, err)
			}
			reasons = append(reasons, r)
		}
	})
	s, err := app.Connect(t.Context(), &sumu.ConnectRequest{ConnectionID: "c1"})
	if err != nil {
		t.Fatal(err)
	}
	want := sumu.DisconnectReason{Code: 1001, Text: "going away"}
	for range 2 {
		if err := app.Disconnect(t.Context(), s.Connection, want); err != nil {
			t.Errorf("disconnect: %v", err)
		}
		if len(store.rows) != 0 {
			t.Errorf("rows are left: %v", store.rows)
		}
	}
	if !slices.Equal(reasons, []sumu.DisconnectReason{want, want}) {
		t.Errorf("reasons: %v", reasons)
	}
}

func TestDisconnectReportsTheStore(t *testing.T) {
	var told error
	app := newApp(t, letIn(sumu.Identity{UserID: "u1"}), &fakeStore{delErr: sumu.ErrUnavailable}, func(o *sumu.AppOptions) {
		o.Observer.Disconnected = func(_ context.Context, _ sumu.Connection, _ sumu.DisconnectReason, err error) { told = err }
	})
	err := app.Disconnect(t.Context(), sumu.Connection{UserID: "u1", ID: "c1"}, sumu.DisconnectReason{Code: 1006})
	wantKind(t, err, sumu.ErrUnavailable)
	if told != err || err == nil || err.Error() != "disconnect c1: unavailable" {
		t.Errorf("returned %v, told the observer %v", err, told)
	}
}

func TestRenew(t *testing.T) {
	store := new(touchStore)
	app := newApp(t, letIn(sumu.Identity{UserID: "u1"}), store, func(o *sumu.AppOptions) { o.RowTTL = time.Minute })
	s, err := app.Connect(t.Context(), &sumu.ConnectRequest{ConnectionID: "c1"})
	if err != nil {
		t.Fatal(err)
	}
	if err := app.Renew(t.Context(), s.Connection); err != nil {
		t.Fatal(err)
	}
	want := time.Date(2026, 11, 20, 12, 1, 1, 0, time.UTC)
	if len(store.touched) != 1 || !store.touched[0].Equal(want) {
		t.Errorf("prolonged to %v, want %v", store.touched, want)
	}
	if err := app.Disconnect(t.Context(), s.Connection, sumu.DisconnectReason{}); err != nil {
		t.Fatal(err)
	}
	wantKind(t, app.Renew(t.Context(), s.Connection), sumu.ErrGone)

	app = newApp(t, letIn(sumu.Identity{UserID: "u1"}), new(fakeStore))
	wantKind(t, app.Renew(t.Context(), s.Connection), sumu.ErrUnsupported)
}

// A store that refuses us is our fault, not the client's: never a 403.
func TestConnectStoreRefusal(t *testing.T) {
	for _, kind := range []error{sumu.ErrForbidden, sumu.ErrUnauthorized} {
		store := &fakeStore{putErr: &sumu.Error{Op: "put", Kind: kind}}
		_, err := newApp(t, letIn(sumu.Identity{UserID: "u1"}), store).Connect(t.Context(), &sumu.ConnectRequest{ConnectionID: "c1"})
		wantKind(t, err, sumu.ErrUnavailable)
		if errors.Is(err, kind) {
			t.Errorf("the store's %v reaches the transport: %v", kind, err)
		}
	}
}
