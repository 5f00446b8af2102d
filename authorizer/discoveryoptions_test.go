package authorizer_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/authorizer"
)

func TestDiscoverRefusesBadIssuers(t *testing.T) {
	for raw, want := range map[string]string{
		"":                               "scheme",
		"id.example.com":                 "scheme",
		"accounts.google.com":            "scheme",
		"http://id.example.com":          "http is for loopback",
		"https://":                       "host",
		"https://u:hunter2@example.com":  "password",
		"https://id.example.com?hunter2": "query",
		"https://id.example.com/?":       "query",
		"https://id.example.com#hunter2": "fragment",
		"https://id.example.com/%zz":     "parsed",
	} {
		src, err := authorizer.Discover(raw)
		if !errors.Is(err, sumu.ErrInvalid) || src != nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("Discover(%q) = %v", raw, err)
		}
	}
	_, err := authorizer.Discover("", func(o *authorizer.JWKSOptions) { o.Timeout = -1 })
	if err == nil || !strings.Contains(err.Error(), "issuer") || !strings.Contains(err.Error(), "Timeout") {
		t.Errorf("not everything is reported: %v", err)
	}
}

// Plain http by choice is for issuers that are at plain http themselves.
func TestKeysAreNoLessSecureThanTheIssuer(t *testing.T) {
	iss := issuers["ES256"]()
	const keys = "http://id.example.com/certs"
	for home, ok := range map[string]bool{"https://id.example.com": false, "http://id.example.com": true} {
		web := &fakeWeb{docs: map[string]string{home + "/.well-known/openid-configuration": configuration(home, keys), keys: string(iss.JWKS())}}
		src := web.discover(t, home, func(o *authorizer.JWKSOptions) { o.InsecureHTTP = true })
		if ok {
			requireKeys(t, src, iss.KeyID(), iss.KeyID())
		} else {
			requireUnavailable(t, src, iss.KeyID())
		}
	}
}

// A configuration of another issuer is refused with both names: the one that was
// asked for is the caller's own, the other is public.
func TestRefusedConfigurationSaysWhatDiffers(t *testing.T) {
	for _, tc := range []struct{ issuer, doc, want string }{
		{"https://id.example.com", configuration("https://id.example.com/", "https://id.example.com/certs"), `"https://id.example.com/", not "https://id.example.com": they differ in the slash at the end`},
		{"https://id.example.com/", configuration("https://id.example.com", "https://id.example.com/certs"), `"https://id.example.com", not "https://id.example.com/": they differ in the slash at the end`},
		{"https://id.example.com", configuration("https://ID.example.com", "https://id.example.com/certs"), `"https://ID.example.com", not "https://id.example.com": they differ in upper and lower case`},
		{"https://id.example.com", configuration("http://id.example.com", "https://id.example.com/certs"), `"http://id.example.com", not "https://id.example.com": they differ in the scheme`},
		{"https://id.example.com", configuration("https://evil.example", "https://id.example.com/certs"), `"https://evil.example", not "https://id.example.com"`},
		{"https://id.example.com", configuration("https://evil.example/"+strings.Repeat("x", 5000), "https://id.example.com/certs"), `xxx…", not "https://id.example.com"`},
		{"https://id.example.com", `{"jwks_uri":"https://id.example.com/certs"}`, "has no issuer"},
		{"https://id.example.com", `{"issuer":null,"jwks_uri":"https://id.example.com/certs"}`, "has no issuer"},
		{"https://id.example.com", `{"issuer":["https://id.example.com"],"jwks_uri":"https://id.example.com/certs"}`, "has no issuer"},
	} {
		at := strings.TrimSuffix(tc.issuer, "/") + "/.well-known/openid-configuration"
		web := &fakeWeb{docs: map[string]string{at: tc.doc}}
		_, err := web.discover(t, tc.issuer).Keys(t.Context(), "k")
		if !errors.Is(err, sumu.ErrUnavailable) || !strings.Contains(err.Error(), tc.want) || strings.ContainsAny(err.Error(), "\r\n") || len(err.Error()) > 600 {
			t.Errorf("%s: %v, want %q", tc.issuer, err, tc.want)
		}
	}
}

// The iss of a token is the client's, and stays out of errors; in what it
// differs from the issuer that is configured does not.
func TestRefusedIssuerSaysWhatDiffers(t *testing.T) {
	iss := issuers["EdDSA"]()
	a := newAuthorizer(t, static(t, iss.JWKS()), func(o *authorizer.Options) {
		o.Issuers = []string{"https://other.example.com", "id.example.net"}
	})
	for name, want := range map[string]string{
		strings.TrimSuffix(testIssuer, "/"): "in the slash at the end",
		"https://other.example.com/":        "in the slash at the end",
		"https://Other.example.com":         "in upper and lower case",
		"http://other.example.com":          "in the scheme",
		"https://id.example.net":            "in the scheme",
	} {
		token := sign(t, iss, claims(change{"iss": name}))
		_, err := a.Verify(t.Context(), token)
		if !errors.Is(err, authorizer.ErrIssuer) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
		requireSilent(t, err, token, name)
	}
	for _, name := range []string{"https://evil.example", "", "/", "https://id.example.com//", "https://other.example.com.evil.example"} {
		_, err := a.Verify(t.Context(), sign(t, iss, claims(change{"iss": name})))
		if !errors.Is(err, authorizer.ErrIssuer) || strings.Contains(err.Error(), "differs") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
