package authorizer_test

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/authorizer"
)

// FuzzX509Map feeds maps of certificates: what the second reader, the standard
// library's, does not find under a key id is not used for it.
func FuzzX509Map(f *testing.F) {
	for _, alg := range fuzzAlgorithms {
		f.Add(certificates(f, issuers[alg](), testNow, testNow.Add(time.Hour)))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		src, err := authorizer.JWKS("https://id.example.com/certs", func(o *authorizer.JWKSOptions) { o.HTTPClient = serve(doc) })
		if err != nil {
			t.Fatal(err)
		}
		keys, err := src.Keys(t.Context(), "")
		if err != nil {
			if keys != nil || !errors.Is(err, sumu.ErrUnavailable) {
				t.Errorf("Keys = %v, %v", keys, err)
			}
			return
		}
		var set map[string]json.RawMessage
		if err := json.Unmarshal(doc, &set); err != nil {
			t.Fatalf("%q is used: %v", doc, err)
		}
		if bytes.HasPrefix(set["keys"], []byte("[")) {
			return // FuzzJWKS is for these.
		}
		for _, k := range keys {
			if k.ID == "" || k.Algorithm != "" || k.NotAfter.IsZero() {
				t.Errorf("key %+v", k)
			}
			requireAllowed(t, k)
			var text string
			if err := json.Unmarshal(set[k.ID], &text); err != nil {
				t.Errorf("key %q is used, which is %s", k.ID, set[k.ID])
			}
			if block, _ := pem.Decode([]byte(text)); block == nil || block.Type != "CERTIFICATE" {
				t.Errorf("key %q is used, which is %q", k.ID, text)
			}
		}
	})
}

// FuzzDiscovery feeds configurations: the second request goes where the
// configuration of this very issuer says, and never to what only this machine
// can reach.
func FuzzDiscovery(f *testing.F) {
	const home = "https://id.example.com"
	iss := issuers["EdDSA"]()
	for _, at := range []string{"https://id.example.com/keys", "https://keys.example.net/", "http://id.example.com/", "https://127.0.0.1/", "https://[::ffff:a00:1]/"} {
		f.Add([]byte(configuration(home, at)))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		var asked []*url.URL
		client := &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			body := doc
			if asked = append(asked, r.URL); len(asked) > 1 {
				body = iss.JWKS()
			}
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body)), Request: r}, nil
		})}
		src, err := authorizer.Discover(home, func(o *authorizer.JWKSOptions) { o.HTTPClient = client })
		if err != nil {
			t.Fatal(err)
		}
		keys, err := src.Keys(t.Context(), iss.KeyID())
		if err != nil {
			if len(asked) != 1 || keys != nil || !errors.Is(err, sumu.ErrUnavailable) {
				t.Errorf("asked %v: %v, %v", asked, keys, err)
			}
			return
		}
		if len(asked) != 2 || asked[1].Scheme != "https" || asked[1].User != nil || asked[1].Hostname() == "" {
			t.Fatalf("asked %v", asked)
		}
		if addr, err := netip.ParseAddr(asked[1].Hostname()); err == nil && (addr.Unmap().IsPrivate() || addr.Unmap().IsLoopback() || addr.Unmap().IsLinkLocalUnicast()) {
			t.Errorf("asked %v", asked[1])
		}
		var second map[string]any
		if err := json.Unmarshal(doc, &second); err != nil || second["issuer"] != home {
			t.Errorf("%q is used: %v", doc, err)
		}
	})
}

// FuzzGrants fills templates with any value: the grants are valid, and allow
// nothing outside of the name that the template leaves room for.
func FuzzGrants(f *testing.F) {
	iss := issuers["EdDSA"]()
	f.Add("room.{claims.v}.*", "acme", "ann")
	f.Add("{claims.v}*", "*", "*")
	f.Add("u.{user}", "", "a b")
	f.Add("{user}{claims.v}", "{user}", "{claims.v}")
	keys := static(f, iss.JWKS())
	f.Fuzz(func(t *testing.T, pattern, value, user string) {
		a, err := authorizer.New(keys, func(o *authorizer.Options) {
			o.Issuer, o.Audiences, o.Now = testIssuer, []string{testAudience}, func() time.Time { return testNow }
			o.Grants = sumu.Grants{{Pattern: pattern, Verbs: []sumu.Verb{sumu.VerbJoin, sumu.VerbBackend}}}
		})
		if err != nil {
			if !errors.Is(err, sumu.ErrInvalid) {
				t.Errorf("New = %v", err)
			}
			return
		}
		id, err := a.Verify(t.Context(), sign(t, iss, claims(change{"v": value, "sub": user})))
		if err != nil {
			if !errors.Is(err, sumu.ErrUnauthorized) {
				t.Errorf("Verify = %v", err)
			}
			return
		}
		text, err := id.Grants.MarshalText()
		var back sumu.Grants
		if err != nil || back.UnmarshalText(text) != nil || len(back) != 1 || len(id.Grants) != 1 {
			t.Fatalf("%q with %q, %q: %v, %v", pattern, value, user, id.Grants, err)
		}
		made := id.Grants[0].Pattern
		// A "*" or a "." comes from the template only.
		for _, c := range ".*{}" {
			n := strings.Count(made, string(c))
			limit := strings.Count(pattern, string(c))
			if c == '{' || c == '}' {
				limit = 0
			}
			if n > limit {
				t.Errorf("%q with %q, %q became %q", pattern, value, user, made)
			}
		}
		if made == "*" && pattern != "*" || id.Grants.Allow(sumu.VerbBackend, "publish") && made != "publish" && !strings.HasSuffix(made, "*") {
			t.Errorf("%q with %q, %q became %v", pattern, value, user, id.Grants)
		}
	})
}
