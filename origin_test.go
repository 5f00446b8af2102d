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
