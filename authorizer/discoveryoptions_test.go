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
