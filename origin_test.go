package sumu_test

import (
	"context"
	"errors"
	"testing"

	"github.com/sumu-live/sumu"
)

// sessions lets in by a session cookie, as an Authorizer of one's own does: the
// App knows nothing of it.
func sessions(_ context.Context, r *sumu.ConnectRequest) (sumu.Identity, error) {
	for _, line := range r.HeaderValues("Cookie") {
		if line == "session=ann" {
			return sumu.Identity{UserID: "ann"}, nil
		}
	}
	return sumu.Identity{}, &sumu.Error{Op: "no session", Kind: sumu.ErrUnauthorized}
}

// Cross-site hijacking of WebSockets: a browser sends the cookie along, whatever
// page opens the connection.
func TestForeignPageDoesNotConnectByACookie(t *testing.T) {
	for _, origin := range [][]string{
		{"https://evil.example"}, {"null"}, {"file://"}, {""}, {"https://evil.example", "https://evil.example"},
	} {
		store, asked := new(fakeStore), false
		app := newApp(t, sumu.AuthorizerFunc(func(ctx context.Context, r *sumu.ConnectRequest) (sumu.Identity, error) {
			asked = true
			return sessions(ctx, r)
		}), store)
		_, err := app.Connect(t.Context(), &sumu.ConnectRequest{
			ConnectionID: "c1", Header: map[string][]string{"cookie": {"session=ann"}, "origin": origin},
		})
		wantKind(t, err, sumu.ErrForbidden)
		if asked || len(store.puts) > 0 || errors.Is(err, sumu.ErrUnauthorized) {
			t.Errorf("%q: asked: %v, written: %v, %v", origin, asked, store.puts, err)
		}
	}
}

// declared says of itself what it goes by; it is asked instead of the request.
type declared struct {
	sumu.AuthorizerFunc
	ambient bool
}

func (d declared) AmbientCredentials(*sumu.ConnectRequest) bool { return d.ambient }

func TestAuthorizerDeclaresWhatItGoesBy(t *testing.T) {
	foreign := func(header ...string) *sumu.ConnectRequest {
		r := &sumu.ConnectRequest{Scheme: "https", Host: "chat.example.com", Header: map[string][]string{"Origin": {"https://evil.example"}}}
		if len(header) > 0 {
			r.Header[header[0]] = header[1:]
		}
		return r
	}
	yes, no, undeclared := declared{sessions, true}, declared{sessions, false}, sumu.AuthorizerFunc(sessions)
	for _, tt := range []struct {
		name string
		auth sumu.Authorizer
		list []string
		bare bool // a foreign page without a cookie connects
		with bool // and one with
		only bool
	}{
		{"by an address", yes, nil, false, false, true},
		{"by an address, listed", yes, []string{"https://evil.example"}, true, true, false},
		{"by an address, others listed", yes, []string{"https://app.example.com"}, false, false, false},
		{"by an address, all", yes, []string{"*"}, true, true, false},
		{"by a token", no, nil, true, true, false},
		{"by a token, others listed", no, []string{"https://app.example.com"}, false, false, false},
		{"not declared", undeclared, nil, true, false, false},
	} {
		p := policy(t, tt.auth, tt.list...)
		wantOrigin(t, tt.name, tt.bare, p.Check(foreign()))
		wantOrigin(t, tt.name+", with a cookie", tt.with, p.Check(foreign("Cookie", "a=1")))
		if got := p.SameHostOnly(); got != tt.only {
			t.Errorf("%s: SameHostOnly() = %v", tt.name, got)
		}
		app := newApp(t, tt.auth, new(fakeStore), func(o *sumu.AppOptions) { o.Origins = tt.list })
		if got := app.Origins().SameHostOnly(); got != tt.only {
			t.Errorf("%s: SameHostOnly() of the App = %v", tt.name, got)
		}
	}
	same := foreign("Cookie", "a=1")
	same.Header["Origin"] = []string{"https://chat.example.com"}
	wantOrigin(t, "a page of its own", true, policy(t, yes).Check(same))
}

// A session cookie, for pages of one's own: nobody who is refused is asked for it.
func TestConnectByASessionCookie(t *testing.T) {
	for name, tt := range map[string]struct {
		origin []string
		kind   error
	}{
		"own page":     {[]string{"https://chat.example.com"}, nil},
		"no browser":   {nil, nil},
		"another page": {[]string{"https://evil.example"}, sumu.ErrForbidden},
	} {
		refused := 0
		app := newApp(t, sumu.AuthorizerFunc(sessions), new(fakeStore), func(o *sumu.AppOptions) {
			o.Observer.Refused = func(_ context.Context, _, _ string, err error) {
				refused++
				wantOrigin(t, name, false, err)
			}
		})
		s, err := app.Connect(t.Context(), &sumu.ConnectRequest{
			ConnectionID: "c1", Scheme: "https", Host: "chat.example.com",
			Header: map[string][]string{"Cookie": {"session=ann"}, "Origin": tt.origin},
		})
		if !errors.Is(err, tt.kind) || (err == nil) != (s.Connection.UserID == "ann") || (err == nil) != (refused == 0) {
			t.Errorf("%s: %+v, %v, refused %d times", name, s.Connection, err, refused)
		}
	}
}
