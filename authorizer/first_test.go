package authorizer_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/authorizer"
)

func TestFirst(t *testing.T) {
	iss := issuers["EdDSA"]()
	k := newTicketing(t)
	both := authorizer.First(nil, k.Tickets, newAuthorizer(t, static(t, iss.JWKS())))
	token := sign(t, iss, claims())
	request := func(ticket, token string) *sumu.ConnectRequest {
		q := make(map[string][]string)
		if ticket != "" {
			q["ticket"] = []string{ticket}
		}
		if token != "" {
			q["authorization"] = []string{token}
		}
		return &sumu.ConnectRequest{Query: q}
	}
	ticket := k.issue(t, sumu.Identity{UserID: "bob"})
	for _, tc := range []struct {
		name          string
		ticket, token string
		user          string
		want          error
	}{
		{"token", "", token, "ann", nil},
		{"ticket before token", ticket, token, "bob", nil},
		{"a used ticket is not passed over", ticket, token, "", authorizer.ErrTicket},
		{"a bad token", "", token[1:], "", authorizer.ErrMalformed},
		{"nothing", "", "", "", authorizer.ErrNoToken},
	} {
		id, err := both.Authorize(t.Context(), request(tc.ticket, tc.token))
		if id.UserID != tc.user || !errors.Is(err, tc.want) || tc.want != nil && !errors.Is(err, sumu.ErrUnauthorized) {
			t.Errorf("%s: %q, %v, want %q, %v", tc.name, id.UserID, err, tc.user, tc.want)
		}
	}
	if _, err := authorizer.First().Authorize(t.Context(), request("", token)); !errors.Is(err, sumu.ErrUnauthorized) {
		t.Errorf("nobody to ask: %v", err)
	}
	k.store.err = errors.New("down")
	if _, err := both.Authorize(t.Context(), request(strings.Repeat("A", 32), token)); !errors.Is(err, sumu.ErrUnavailable) {
		t.Errorf("a fault is not passed over: %v", err)
	}
}
