package authorizer_test

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/authorizer"
)

// serve answers every request with a document.
func serve(doc []byte) *http.Client {
	return &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(doc)), Request: r}, nil
	})}
}

func jwksOf(t testing.TB, doc []byte, optFns ...func(*authorizer.JWKSOptions)) authorizer.KeySource {
	t.Helper()
	src, err := authorizer.JWKS("https://id.example.com/keys", append([]func(*authorizer.JWKSOptions){func(o *authorizer.JWKSOptions) {
		o.HTTPClient = serve(doc)
	}}, optFns...)...)
	if err != nil {
		t.Fatal(err)
	}
	return src
}

func certMap(t testing.TB, members ...any) []byte {
	t.Helper()
	var parts []string
	for i := 0; i < len(members); i += 2 {
		value, err := json.Marshal(members[i+1])
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, fmt.Sprintf("%q:%s", members[i], value))
	}
	return []byte("{" + strings.Join(parts, ",") + "}")
}

func certOf(t testing.TB, doc []byte) string {
	t.Helper()
	var certs map[string]string
	if err := json.Unmarshal(doc, &certs); err != nil {
		t.Fatal(err)
	}
	for _, cert := range certs {
		return cert
	}
	t.Fatal("no certificate")
	return ""
}

func TestContentTellsTheFormat(t *testing.T) {
	for _, alg := range []string{"RS256", "ES256", "EdDSA"} {
		iss := issuers[alg]()
		certs := certificates(t, iss, testNow, testNow.Add(time.Hour))
		for name, doc := range map[string][]byte{"JWKS": iss.JWKS(), "map of certificates": certs} {
			for from, src := range map[string]authorizer.KeySource{"URL": jwksOf(t, doc), "static": static(t, doc)} {
				if _, err := newAuthorizer(t, src).Verify(t.Context(), sign(t, iss, claims())); err != nil {
					t.Errorf("%s, %s, %s: %v", alg, name, from, err)
				}
			}
		}
	}
	// A key id may have any name, that of a JWKS's list too.
	iss := issuers["ES256"]()
	keys := jwksOf(t, certMap(t, "keys", certOf(t, certificates(t, iss, testNow, testNow.Add(time.Hour))), "kty", "RSA"))
	token := signWith(t, iss, change{"kid": "keys"}, claims())
	if _, err := newAuthorizer(t, keys).Verify(t.Context(), token); err != nil {
		t.Errorf("a certificate for the key id %q: %v", "keys", err)
	}
}

// A key of a map counts for its own key id only.
func TestCertificateIsForItsKeyID(t *testing.T) {
	a, b := newIssuer(t, "ES256"), newIssuer(t, "ES256")
	end := testNow.Add(time.Hour)
	auth := newAuthorizer(t, jwksOf(t, certMap(t,
		a.KeyID(), certOf(t, certificates(t, a, testNow, end)), b.KeyID(), certOf(t, certificates(t, b, testNow, end)))))
	for _, tc := range []struct {
		kid  any
		want error
	}{
		{a.KeyID(), nil},
		{b.KeyID(), authorizer.ErrSignature},
		{"other", authorizer.ErrUnknownKey},
		{nil, authorizer.ErrUnknownKey},
	} {
		if _, err := auth.Verify(t.Context(), signWith(t, a, change{"kid": tc.kid}, claims())); !errors.Is(err, tc.want) {
			t.Errorf("kid %v: %v, want %v", tc.kid, err, tc.want)
		}
	}
}

func TestMapLeavesOutWhatItCannotUse(t *testing.T) {
	iss := issuers["ES256"]()
	good := certOf(t, certificates(t, iss, testNow, testNow.Add(time.Hour)))
	block, _ := pem.Decode([]byte(good))
	bad := []any{
		"number", 7, "null", nil, "list",
		[]string{good},
		"object",
		map[string]string{"cert": good},
		"text", "hello", "empty", "",
		"two", good + good, "after", good + "x", "public key", string(iss.PEM()),
		"private", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: block.Bytes})),
		"broken", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: block.Bytes[:99]})),
		"small", certOf(t, certificates(t, newIssuer(t, "RS256", smallRSA), testNow, testNow.Add(time.Hour))),
		"", good, // For every token that names another.
	}
	src := jwksOf(t, certMap(t, append(bad, iss.KeyID(), good)...))
	if got := keyIDs(t, src, ""); !slices.Equal(got, []string{iss.KeyID()}) {
		t.Errorf("keys = %v", got)
	}
	for i := 0; i < len(bad); i += 2 {
		doc := certMap(t, bad[i], bad[i+1])
		requireUnavailable(t, jwksOf(t, doc), iss.KeyID())
		if _, err := authorizer.StaticKeys(doc); !errors.Is(err, sumu.ErrInvalid) {
			t.Errorf("%s: %v", bad[i], err)
		}
	}
}

func TestCertificateOfMapExpires(t *testing.T) {
	iss := issuers["RS256"]()
	doc := certificates(t, iss, testNow.Add(-time.Hour), testNow)
	for after, want := range map[time.Duration]error{0: nil, time.Second: authorizer.ErrUnknownKey} {
		now := testNow.Add(after)
		a := newAuthorizer(t, jwksOf(t, doc), func(o *authorizer.Options) { o.Now = func() time.Time { return now } })
		if _, err := a.Verify(t.Context(), sign(t, iss, claims())); !errors.Is(err, want) {
			t.Errorf("%v after its end: %v, want %v", after, err, want)
		}
	}
}

// What holds for a JWKS holds for a map: it is one cache.
func TestMapIsCached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeIssuer(t)
		f.asCertificates = true
		f.header = http.Header{"Cache-Control": {"public, max-age=7200"}}
		src, kid := f.source(t), f.iss.KeyID()
		requireKeys(t, src, kid, kid)
		time.Sleep(2*time.Hour - time.Second)
		requireKeys(t, src, kid, kid)
		f.requireFetches(t, 1)
		if err := f.iss.Rotate(); err != nil {
			t.Fatal(err)
		}
		requireKeys(t, src, f.iss.KeyID(), f.iss.KeyID())
		f.requireFetches(t, 1)
		f.set(func() { f.down = true })
		time.Sleep(3 * time.Hour)
		requireKeys(t, src, f.iss.KeyID(), f.iss.KeyID())
	})
}
