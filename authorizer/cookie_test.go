package authorizer_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/authorizer"
)

func TestCookie(t *testing.T) {
	iss := issuers["EdDSA"]()
	ann, bob := sign(t, iss, claims()), sign(t, iss, claims(change{"sub": "bob"}))
	a := newAuthorizer(t, static(t, iss.JWKS()), func(o *authorizer.Options) {
		o.Sources = []authorizer.TokenSource{authorizer.FromCookie("__Host-session"), authorizer.FromHeader("Authorization")}
	})
	for _, tc := range []struct {
		name   string
		cookie []string
		bearer string
		user   string
		want   error
	}{
		{"one", []string{"__Host-session=" + ann}, "", "ann", nil},
		{"among others", []string{"a=1; __Host-session=" + ann + "; b=\"2\""}, "", "ann", nil},
		{"beside a broken one", []string{"a\x01=;;;=; =x; __Host-session=" + ann}, "", "ann", nil},
		{"on a line of its own", []string{"a=1", "__Host-session=" + ann}, "", "ann", nil},
		{"quoted", []string{`__Host-session="` + ann + `"`}, "", "ann", nil},
		{"the first of two", []string{"__Host-session=" + ann + "; __Host-session=" + bob}, "", "ann", nil},
		{"an empty one before", []string{"__Host-session=; __Host-session=" + ann}, "", "ann", nil},
		{"before a header", []string{"__Host-session=" + ann}, bob, "ann", nil},
		{"another name", []string{"__host-session=" + ann}, "", "", authorizer.ErrNoToken},
		{"none, but a header", nil, bob, "bob", nil},
		{"bad token", []string{"__Host-session=" + ann[1:]}, bob, "", authorizer.ErrMalformed},
	} {
		r := &sumu.ConnectRequest{Header: map[string][]string{"cookie": tc.cookie}}
		if tc.bearer != "" {
			r.Header["authorization"] = []string{"Bearer " + tc.bearer}
		}
		id, err := a.Authorize(t.Context(), r)
		if id.UserID != tc.user || !errors.Is(err, tc.want) {
			t.Errorf("%s: %q, %v, want %q, %v", tc.name, id.UserID, err, tc.user, tc.want)
		}
		if err != nil {
			requireSilent(t, err, ann, bob)
		}
	}
}

func TestCookiesHaveNames(t *testing.T) {
	keys := static(t, issuers["EdDSA"]().JWKS())
	for name, tc := range map[string]struct{ cookie, want string }{
		"no name": {"", "no name"}, "bad name": {"a b", "no cookie"}, "good": {"session", ""},
	} {
		_, err := authorizer.New(keys, func(o *authorizer.Options) {
			o.Issuer, o.Audiences = testIssuer, []string{testAudience}
			o.Sources = []authorizer.TokenSource{authorizer.FromHeader("X"), authorizer.FromCookie(tc.cookie)}
		})
		if tc.want == "" && err != nil || tc.want != "" && (!errors.Is(err, sumu.ErrInvalid) || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A cookie decides by what a browser sends by itself; so may a header, which a
// proxy can have made from a cookie. A token in the query or a sub-protocol does
// not, whatever cookies come along.
func TestAmbientCredentials(t *testing.T) {
	iss := issuers["EdDSA"]()
	keys, ann := static(t, iss.JWKS()), sign(t, issuers["EdDSA"](), claims())
	byCookie := newAuthorizer(t, keys, func(o *authorizer.Options) {
		o.Sources = []authorizer.TokenSource{authorizer.FromQuery("authorization"), authorizer.FromCookie("session")}
	})
	rawCookie := newAuthorizer(t, keys, func(o *authorizer.Options) { o.Sources = []authorizer.TokenSource{authorizer.FromHeader("cookie")} })
	byDefault := newAuthorizer(t, keys)
	k := newTicketing(t)
	headerTickets := newTicketing(t, func(o *authorizer.TicketOptions) { o.Source = authorizer.FromHeader("X-Ticket") })
	own := sumu.AuthorizerFunc(func(context.Context, *sumu.ConnectRequest) (sumu.Identity, error) {
		return sumu.Identity{}, authorizer.ErrNoToken
	})
	query := func(name string) *sumu.ConnectRequest {
		return &sumu.ConnectRequest{Query: map[string][]string{name: {ann}}, Header: map[string][]string{"Cookie": {"a=1"}}}
	}
	header := func(pairs ...string) *sumu.ConnectRequest {
		r := &sumu.ConnectRequest{Header: map[string][]string{}}
		for i := 0; i < len(pairs); i += 2 {
			r.Header[pairs[i]] = []string{pairs[i+1]}
		}
		return r
	}
	for _, tc := range []struct {
		name string
		auth sumu.Authorizer
		r    *sumu.ConnectRequest
		want bool
	}{
		{"a cookie, ever", byCookie, nil, true},
		{"a cookie", byCookie, header("Cookie", "session="+ann), true},
		{"another cookie", byCookie, header("Cookie", "a=1"), false},
		{"the query before a cookie", byCookie, query("authorization"), false},
		{"the whole header of cookies, ever", rawCookie, nil, true},
		{"the whole header of cookies", rawCookie, header("Cookie", ann), true},

		{"by default, ever", byDefault, nil, false},
		{"query, with a cookie", byDefault, query("authorization"), false},
		{"sub-protocol, with a cookie", byDefault, header("Sec-Websocket-Protocol", "bearer."+ann, "Cookie", "a=1"), false},
		{"header", byDefault, header("Authorization", "Bearer "+ann), false},
		{"header, with a cookie that a proxy may have read", byDefault, header("Authorization", "Bearer "+ann, "Cookie", "a=1"), true},
		{"a password, which is no token", byDefault, header("Authorization", "Basic YTpi"), false},
		{"nothing", byDefault, header(), false},

		{"tickets, ever", k, nil, false},
		{"ticket, with a cookie", k, query("ticket"), false},
		{"ticket in a header", headerTickets, header("X-Ticket", "t"), false},
		{"ticket in a header, with a cookie", headerTickets, header("X-Ticket", "t", "Cookie", "a=1"), true},

		{"first, ever", authorizer.First(k, byDefault), nil, false},
		{"first with a cookie, ever", authorizer.First(k, byDefault, byCookie), nil, true},
		{"first with one that says nothing, ever", authorizer.First(k, own), nil, false},
		{"first, query, with a cookie", authorizer.First(k, byDefault), query("authorization"), false},
		{"first, a cookie", authorizer.First(k, byCookie), header("Cookie", "session="+ann), true},
		{"first with one that says nothing", authorizer.First(k, own), header(), false},
		{"first with one that says nothing, with a cookie", authorizer.First(k, own), query("ticket"), true},
		{"first of first", authorizer.First(authorizer.First(byCookie)), nil, true},
	} {
		if got := tc.auth.(sumu.AmbientReader).AmbientCredentials(tc.r); got != tc.want {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
		}
	}
}
