package authorizer_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/authorizer"
)

func TestOrigins(t *testing.T) {
	iss := issuers["EdDSA"]()
	a := newAuthorizer(t, static(t, iss.JWKS()), func(o *authorizer.Options) {
		o.Origins = []string{
			"https://app.example.com", "https://dev.example.com:8443", "http://localhost:3000",
			"https://*.example.org", "https://*.example.net:8443", "http://[::1]:8080", "capacitor://localhost", "https://Upper.example.com",
		}
	})
	ann := sign(t, iss, claims())
	for origin, ok := range map[string]bool{
		"https://app.example.com":       true,
		"HTTPS://APP.example.com":       true,
		"https://dev.example.com:8443":  true,
		"http://localhost:3000":         true,
		"http://[::1]:8080":             true,
		"capacitor://localhost":         true,
		"https://upper.example.com":     true,
		"https://a.example.org":         true,
		"https://a.b-c.d_1.example.org": true,
		"https://a.example.net:8443":    true,

		"":                                        false,
		"null":                                    false,
		"https://example.com":                     false,
		"http://app.example.com":                  false,
		"https://app.example.com:444":             false,
		"https://app.example.com:443":             false,
		"https://app.example.com/":                false,
		"https://app.example.com.":                false,
		"https://app.example.com.evil.example":    false,
		"https://xapp.example.com":                false,
		"https://x.app.example.com":               false,
		"https://dev.example.com":                 false,
		"https://localhost:3000":                  false,
		"capacitor://other":                       false,
		"https://example.org":                     false,
		"https://.example.org":                    false,
		"https://a..example.org":                  false,
		"https://a.example.org:8443":              false,
		"http://a.example.org":                    false,
		"https://aexample.org":                    false,
		"https://evil.example/.example.org":       false,
		"https://evil.example?.example.org":       false,
		"https://evil.example#.example.org":       false,
		"https://evil.example:1/@.example.org":    false,
		"https://user@a.example.org":              false,
		"https://evil.example\\.example.org":      false,
		"https://evil.example%2f.example.org":     false,
		"https://evil.example .example.org":       false,
		"https://evil.example\x00.example.org":    false,
		"https://*.example.org":                   false,
		"https://a.example.net":                   false,
		"https://a.example.net:84430":             false,
		"https://a.example.org https://x.invalid": false,
		"https://app.example.com, https://x":      false,
	} {
		r := &sumu.ConnectRequest{Header: map[string][]string{"origin": {origin}}, Query: map[string][]string{"authorization": {ann}}}
		id, err := a.Authorize(t.Context(), r)
		if ok {
			if err != nil || id.UserID != "ann" {
				t.Errorf("%q: %v", origin, err)
			}
			continue
		}
		requireForbiddenOrigin(t, "origin "+origin, id, err)
	}
}

func requireForbiddenOrigin(t *testing.T, name string, id sumu.Identity, err error) {
	t.Helper()
	if !errors.Is(err, authorizer.ErrOrigin) || !errors.Is(err, sumu.ErrForbidden) || errors.Is(err, sumu.ErrUnauthorized) || id.UserID != "" {
		t.Errorf("%s: %+v, %v, want forbidden", name, id, err)
	}
	if err != nil && strings.Contains(err.Error(), "example") {
		t.Errorf("%s: the error shows it: %v", name, err)
	}
}

func TestOriginIsCheckedBeforeTheToken(t *testing.T) {
	iss := issuers["EdDSA"]()
	a := newAuthorizer(t, static(t, iss.JWKS()), func(o *authorizer.Options) { o.Origins = []string{"https://app.example.com"} })
	ann := sign(t, iss, claims())
	header := func(origins ...string) map[string][]string { return map[string][]string{"Origin": origins} }
	token := map[string][]string{"authorization": {ann}}

	id, err := a.Authorize(t.Context(), &sumu.ConnectRequest{Header: header("https://x.example.com")})
	requireForbiddenOrigin(t, "no token", id, err)
	id, err = a.Authorize(t.Context(), &sumu.ConnectRequest{Header: header("https://app.example.com", "https://app.example.com"), Query: token})
	requireForbiddenOrigin(t, "two origins", id, err)
	if id, err = a.Authorize(t.Context(), &sumu.ConnectRequest{Query: token}); err != nil || id.UserID != "ann" {
		t.Errorf("no browser: %v", err)
	}
	open := newAuthorizer(t, static(t, iss.JWKS()))
	if id, err = open.Authorize(t.Context(), &sumu.ConnectRequest{Header: header("null"), Query: token}); err != nil || id.UserID != "ann" {
		t.Errorf("no policy: %v", err)
	}
}

func TestOriginsThatNoBrowserSends(t *testing.T) {
	keys := static(t, issuers["EdDSA"]().JWKS())
	for _, origin := range []string{
		"", "*", "null", "app.example.com", "//app.example.com", "https://", "https:app.example.com",
		"https://app.example.com/", "https://app.example.com/chat", "https://app.example.com?x", "https://app.example.com#x",
		"https://u:p@app.example.com", "https://app.example.com:443", "http://app.example.com:80", "https://app.example.com:",
		"https://*", "https://*.", "https://*.com", "https://*.localhost", "https://*.*.example.com", "https://a.*.example.com",
		"https://a*.example.com", "https://*example.com", "https://*.example.com/", "https://*.example.com:443", "https://*..example.com",
		"https://bücher.example", "https://a b.example.com", "https://a.example.com,https://b.example.com", "https://a%2e.example.com", "://*.example.com",
	} {
		_, err := authorizer.New(keys, func(o *authorizer.Options) {
			o.Issuer, o.Audiences, o.Origins = testIssuer, []string{testAudience}, []string{"https://ok.example.com", origin}
		})
		if !errors.Is(err, sumu.ErrInvalid) || !strings.Contains(err.Error(), "Origins[1]") {
			t.Errorf("%q: %v", origin, err)
		}
	}
}

func TestCookie(t *testing.T) {
	iss := issuers["EdDSA"]()
	ann, bob := sign(t, iss, claims()), sign(t, iss, claims(change{"sub": "bob"}))
	a := newAuthorizer(t, static(t, iss.JWKS()), func(o *authorizer.Options) {
		o.Origins = []string{"https://app.example.com"}
		o.Sources = []authorizer.TokenSource{authorizer.FromCookie("__Host-session"), authorizer.FromHeader("Authorization")}
	})
	const app = "https://app.example.com"
	for _, tc := range []struct {
		name   string
		cookie []string
		origin string
		bearer string
		user   string
		want   error
	}{
		{"one", []string{"__Host-session=" + ann}, app, "", "ann", nil},
		{"among others", []string{"a=1; __Host-session=" + ann + "; b=\"2\""}, app, "", "ann", nil},
		{"beside a broken one", []string{"a\x01=;;;=; =x; __Host-session=" + ann}, app, "", "ann", nil},
		{"on a line of its own", []string{"a=1", "__Host-session=" + ann}, app, "", "ann", nil},
		{"quoted", []string{`__Host-session="` + ann + `"`}, app, "", "ann", nil},
		{"the first of two", []string{"__Host-session=" + ann + "; __Host-session=" + bob}, app, "", "ann", nil},
		{"an empty one before", []string{"__Host-session=; __Host-session=" + ann}, app, "", "ann", nil},
		{"before a header", []string{"__Host-session=" + ann}, app, bob, "ann", nil},
		{"another name", []string{"__host-session=" + ann}, app, "", "", authorizer.ErrNoToken},
		{"none, but a header", nil, app, bob, "bob", nil},
		{"none, but a header, no browser", nil, "", bob, "bob", nil},
		{"without an origin", []string{"__Host-session=" + ann}, "", "", "", authorizer.ErrOrigin},
		{"without an origin, beside a header", []string{"__Host-session=" + ann}, "", bob, "", authorizer.ErrOrigin},
		{"another origin", []string{"__Host-session=" + ann}, "https://evil.example", "", "", authorizer.ErrOrigin},
		{"origin null", []string{"__Host-session=" + ann}, "null", "", "", authorizer.ErrOrigin},
		{"bad token", []string{"__Host-session=" + ann[1:]}, app, bob, "", authorizer.ErrMalformed},
	} {
		r := &sumu.ConnectRequest{Header: map[string][]string{"cookie": tc.cookie}}
		if tc.origin != "" {
			r.Header["Origin"] = []string{tc.origin}
		}
		if tc.bearer != "" {
			r.Header["authorization"] = []string{"Bearer " + tc.bearer}
		}
		id, err := a.Authorize(t.Context(), r)
		if id.UserID != tc.user || !errors.Is(err, tc.want) {
			t.Errorf("%s: %q, %v, want %q, %v", tc.name, id.UserID, err, tc.user, tc.want)
		}
		if tc.want == authorizer.ErrOrigin {
			requireForbiddenOrigin(t, tc.name, id, err)
		}
		if err != nil {
			requireSilent(t, err, ann, bob)
		}
	}
}

func TestCookieNeedsOrigins(t *testing.T) {
	keys := static(t, issuers["EdDSA"]().JWKS())
	for name, tc := range map[string]struct {
		cookie  string
		origins []string
		want    string
	}{
		"no origins": {"session", nil, "give Origins"},
		"no name":    {"", []string{"https://app.example.com"}, "no name"},
		"bad name":   {"a b", []string{"https://app.example.com"}, "no cookie"},
		"good":       {"session", []string{"https://app.example.com"}, ""},
	} {
		_, err := authorizer.New(keys, func(o *authorizer.Options) {
			o.Issuer, o.Audiences, o.Origins = testIssuer, []string{testAudience}, tc.origins
			o.Sources = []authorizer.TokenSource{authorizer.FromHeader("X"), authorizer.FromCookie(tc.cookie)}
		})
		if tc.want == "" && err != nil || tc.want != "" && (!errors.Is(err, sumu.ErrInvalid) || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
