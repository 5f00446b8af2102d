package authorizer_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/authorizer"
	"github.com/sumu-live/sumu/internal/issuer"
	"github.com/sumu-live/sumu/internal/leak"
)

// fakeWeb answers by URL, and keeps a list of what it was asked.
type fakeWeb struct {
	mu    sync.Mutex
	docs  map[string]string
	down  map[string]bool
	age   int
	asked []string
}

func (f *fakeWeb) RoundTrip(r *http.Request) (*http.Response, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	u := r.URL.String()
	f.asked = append(f.asked, u)
	doc, ok := f.docs[u]
	if f.down[u] {
		return nil, errors.New("connection refused")
	}
	status := http.StatusOK
	if !ok {
		status = http.StatusNotFound
	}
	header := http.Header{}
	if f.age > 0 {
		header.Set("Cache-Control", fmt.Sprintf("max-age=%d", f.age))
	}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(bytes.NewReader([]byte(doc))), Request: r}, nil
}

func (f *fakeWeb) requireAsked(t *testing.T, want ...string) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if fmt.Sprint(f.asked) != fmt.Sprint(want) {
		t.Errorf("asked for %v, want %v", f.asked, want)
	}
	f.asked = nil
}

func (f *fakeWeb) discover(t testing.TB, issuer string, optFns ...func(*authorizer.JWKSOptions)) authorizer.KeySource {
	t.Helper()
	src, err := authorizer.Discover(issuer, append([]func(*authorizer.JWKSOptions){func(o *authorizer.JWKSOptions) {
		o.HTTPClient = &http.Client{Transport: f}
	}}, optFns...)...)
	if err != nil {
		t.Fatal(err)
	}
	return src
}

func configuration(issuer, jwksURI string) string {
	return fmt.Sprintf(`{"issuer":%q,"jwks_uri":%q,"authorization_endpoint":"https://id.example.com/auth","claims_supported":["sub"]}`, issuer, jwksURI)
}

func TestDiscover(t *testing.T) {
	iss := issuers["ES256"]()
	const elsewhere = "https://keys.example.net/certs"
	for issuerURL, at := range map[string]string{
		"https://id.example.com":              "https://id.example.com/.well-known/openid-configuration",
		"https://id.example.com/":             "https://id.example.com/.well-known/openid-configuration",
		"https://id.example.com/realms/a":     "https://id.example.com/realms/a/.well-known/openid-configuration",
		"https://id.example.com/realms/a/":    "https://id.example.com/realms/a/.well-known/openid-configuration",
		"https://id.example.com/realms/a%2Fb": "https://id.example.com/realms/a%2Fb/.well-known/openid-configuration",
	} {
		web := &fakeWeb{docs: map[string]string{at: configuration(issuerURL, elsewhere), elsewhere: string(iss.JWKS())}}
		keys := web.discover(t, issuerURL)
		web.requireAsked(t)
		// Its issuer is that of the authorizer, unless another one is given.
		a, err := authorizer.New(keys, func(o *authorizer.Options) {
			o.Audiences = []string{testAudience}
			o.Now = func() time.Time { return testNow }
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.Verify(t.Context(), sign(t, iss, claims(change{"iss": issuerURL}))); err != nil {
			t.Errorf("%s: %v", issuerURL, err)
		}
		web.requireAsked(t, at, elsewhere)
		if _, err := a.Verify(t.Context(), sign(t, iss, claims(change{"iss": issuerURL + "x"}))); !errors.Is(err, authorizer.ErrIssuer) {
			t.Errorf("%s: token of another issuer: %v", issuerURL, err)
		}
		if _, err := newAuthorizer(t, keys).Verify(t.Context(), sign(t, iss, claims())); err != nil {
			t.Errorf("%s: issuer that is given: %v", issuerURL, err)
		}
		web.requireAsked(t)
	}
}

func TestConfigurationsThatAreRefused(t *testing.T) {
	iss := issuers["ES256"]()
	const home, at = "https://id.example.com", "https://id.example.com/.well-known/openid-configuration"
	for _, tc := range []struct {
		name, doc, keys string
		ok              bool
	}{
		{"good", configuration(home, "https://id.example.com/certs"), "https://id.example.com/certs", true},
		{"another host", configuration(home, "https://www.googleapis.com/certs"), "https://www.googleapis.com/certs", true},
		{"another port", configuration(home, "https://id.example.com:8443/certs"), "https://id.example.com:8443/certs", true},
		{"public address", configuration(home, "https://8.8.8.8/certs"), "https://8.8.8.8/certs", true},

		{"issuer with a slash", configuration(home+"/", "https://id.example.com/certs"), "", false},
		{"issuer of another", configuration("https://evil.example", "https://id.example.com/certs"), "", false},
		{"issuer in another case", configuration("https://ID.example.com", "https://id.example.com/certs"), "", false},
		{"no issuer", `{"jwks_uri":"https://id.example.com/certs"}`, "", false},
		{"issuer twice", `{"issuer":"x","issuer":"` + home + `","jwks_uri":"https://id.example.com/certs"}`, "", false},
		{"no jwks_uri", `{"issuer":"` + home + `"}`, "", false},
		{"jwks_uri is a list", `{"issuer":"` + home + `","jwks_uri":["https://id.example.com/certs"]}`, "", false},
		{"no JSON", `<html>`, "", false},
		{"a list", `[]`, "", false},
		{"empty", ``, "", false},
		{"http", configuration(home, "http://id.example.com/certs"), "", false},
		{"http to this machine", configuration(home, "http://127.0.0.1/certs"), "", false},
		{"no scheme", configuration(home, "//id.example.com/certs"), "", false},
		{"file", configuration(home, "file:///etc/passwd"), "", false},
		{"password", configuration(home, "https://u:p@id.example.com/certs"), "", false},
		{"this machine", configuration(home, "https://127.0.0.1/certs"), "", false},
		{"localhost", configuration(home, "https://localhost/certs"), "", false},
		{"localhost with a dot", configuration(home, "https://LOCALHOST./certs"), "", false},
		{"below localhost", configuration(home, "https://a.localhost/certs"), "", false},
		{"private", configuration(home, "https://10.0.0.1/certs"), "", false},
		{"private, IPv6", configuration(home, "https://[fd00::1]/certs"), "", false},
		{"mapped", configuration(home, "https://[::ffff:10.0.0.1]/certs"), "", false},
		{"metadata service", configuration(home, "https://169.254.169.254/latest"), "", false},
	} {
		web := &fakeWeb{docs: map[string]string{at: tc.doc}}
		for _, u := range []string{tc.keys, "http://id.example.com/certs", "https://id.example.com/certs"} {
			web.docs[u] = string(iss.JWKS())
		}
		keys, err := web.discover(t, home).Keys(t.Context(), iss.KeyID())
		if tc.ok {
			if err != nil || len(keys) != 1 {
				t.Errorf("%s: %d keys, %v", tc.name, len(keys), err)
			}
			web.requireAsked(t, at, tc.keys)
			continue
		}
		if !errors.Is(err, sumu.ErrUnavailable) || keys != nil || strings.Contains(err.Error(), "certs") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, %v", tc.name, keys, err)
		}
		web.requireAsked(t, at) // And nothing else.
	}
}

// Configuration and keys are cached on their own, by the rules of JWKS.
func TestDiscoveryIsCached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		iss := newIssuer(t, "EdDSA")
		const home, at, a, b = "https://id.example.com", "https://id.example.com/.well-known/openid-configuration", "https://id.example.com/a", "https://id.example.com/b"
		web := &fakeWeb{docs: map[string]string{at: configuration(home, a), a: string(iss.JWKS())}, down: map[string]bool{}, age: 3600}
		src := web.discover(t, home)
		time.Sleep(time.Hour)
		web.requireAsked(t)

		// All callers share one fetch.
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() { requireKeys(t, src, iss.KeyID(), iss.KeyID()) })
		}
		wg.Wait()
		web.requireAsked(t, at, a)

		// An unknown key id asks for the keys, and not for the configuration.
		requireKeys(t, src, "unknown")
		requireKeys(t, src, "unknown")
		web.requireAsked(t, a)
		time.Sleep(time.Hour)
		requireKeys(t, src, iss.KeyID(), iss.KeyID())
		web.requireAsked(t, at, a)

		// The configuration is down: where the keys are is known.
		web.mu.Lock()
		web.down[at] = true
		web.mu.Unlock()
		time.Sleep(time.Hour)
		requireKeys(t, src, iss.KeyID(), iss.KeyID())
		web.requireAsked(t, at, a)

		// The keys move: the configuration is read ahead of time.
		web.mu.Lock()
		web.down[at] = false
		web.mu.Unlock()
		time.Sleep(time.Hour)
		requireKeys(t, src, iss.KeyID(), iss.KeyID())
		web.requireAsked(t, at, a)
		if err := iss.Rotate(); err != nil {
			t.Fatal(err)
		}
		web.mu.Lock()
		web.docs[at], web.docs[b] = configuration(home, b), string(iss.JWKS())
		delete(web.docs, a)
		web.mu.Unlock()
		requireUnavailable(t, src, iss.KeyID())
		web.requireAsked(t, a)
		time.Sleep(10 * time.Second)
		requireKeys(t, src, iss.KeyID(), iss.KeyID())
		web.requireAsked(t, at, b)

		// Another issuer answers there now: what is known stays in use.
		web.mu.Lock()
		web.docs[at] = configuration("https://evil.example", "https://evil.example/keys")
		web.mu.Unlock()
		time.Sleep(time.Hour)
		requireKeys(t, src, iss.KeyID(), iss.KeyID())
		web.requireAsked(t, at, b)
	})
}

func TestDiscoveryDownAtTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		iss := newIssuer(t, "EdDSA")
		const home, at, a = "https://id.example.com", "https://id.example.com/.well-known/openid-configuration", "https://id.example.com/a"
		web := &fakeWeb{docs: map[string]string{at: configuration(home, a), a: string(iss.JWKS())}, down: map[string]bool{at: true}}
		src := web.discover(t, home)
		for range 10 {
			requireUnavailable(t, src, iss.KeyID())
		}
		web.requireAsked(t, at)
		web.mu.Lock()
		web.down[at] = false
		web.mu.Unlock()
		time.Sleep(time.Second)
		requireKeys(t, src, iss.KeyID(), iss.KeyID())
		web.requireAsked(t, at, a)
	})
}

// On this machine, with the default client.
func TestDiscoverOverHTTP(t *testing.T) {
	leak.Check(t)
	iss := issuers["ES256"]()
	keys := httptest.NewServer(iss)
	defer keys.Close()
	mux := http.NewServeMux()
	home := httptest.NewServer(mux)
	defer home.Close()
	var at string
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, configuration(home.URL, at))
	})
	for _, at = range []string{keys.URL + issuer.Path, strings.Replace(keys.URL, "127.0.0.1", "localhost", 1) + issuer.Path} {
		src, err := authorizer.Discover(home.URL)
		if err != nil {
			t.Fatal(err)
		}
		requireKeys(t, src, iss.KeyID(), iss.KeyID())
	}
}
