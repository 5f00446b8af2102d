package sumutest_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/authorizer"
	"github.com/sumu-live/sumu/internal/leak"
	"github.com/sumu-live/sumu/sumutest"
)

// verifier trusts an issuer by one of the documents that it serves.
func verifier(t *testing.T, iss *sumutest.Issuer, path string, clock *sumutest.Clock) *authorizer.Authorizer {
	t.Helper()
	onClock := func(o *authorizer.JWKSOptions) { o.Now = clock.Now }
	keys, err := authorizer.JWKS(iss.URL+path, onClock)
	if path == sumutest.PathDiscovery {
		keys, err = authorizer.Discover(iss.URL, onClock)
	}
	if err != nil {
		t.Fatal(err)
	}
	auth, err := authorizer.New(keys, func(o *authorizer.Options) {
		o.Issuer = iss.URL
		o.Audiences = []string{iss.Audience()}
		o.Now = clock.Now
	})
	if err != nil {
		t.Fatal(err)
	}
	return auth
}

// onClock gives an issuer a clock and an algorithm.
func onClock(clock *sumutest.Clock, alg string) func(*sumutest.IssuerOptions) {
	return func(o *sumutest.IssuerOptions) { o.Now, o.Algorithm = clock.Now, alg }
}

func TestIssuerIsTrustedByEachDocument(t *testing.T) {
	leak.Check(t)
	for _, alg := range []string{"ES256", "RS256", "EdDSA"} {
		for _, path := range []string{sumutest.PathJWKS, sumutest.PathCertificates, sumutest.PathDiscovery} {
			t.Run(alg+path, func(t *testing.T) {
				clock := new(sumutest.Clock)
				iss := sumutest.NewIssuer(t, onClock(clock, alg))
				auth := verifier(t, iss, path, clock)
				id, err := auth.Verify(t.Context(), iss.Token("ann"))
				if err != nil || id.UserID != "ann" {
					t.Fatalf("verified %q: %v", id.UserID, err)
				}
				for _, h := range iss.Hostile("ann") {
					id, err := auth.Verify(t.Context(), h.Token)
					if !errors.Is(err, h.Want) || id.UserID != "" {
						t.Errorf("%s: verified %q: %v, want %v", h.Name, id.UserID, err, h.Want)
					}
				}
			})
		}
	}
}

// A verifier that a hostile token gets past is seen: here one that checks
// neither issuer, audience nor expiry.
func TestHostileTokensAreGoodButForOneThing(t *testing.T) {
	clock := new(sumutest.Clock)
	iss := sumutest.NewIssuer(t, onClock(clock, "ES256"))
	keys, err := authorizer.JWKS(iss.URL + sumutest.PathJWKS)
	if err != nil {
		t.Fatal(err)
	}
	careless, err := authorizer.New(keys, func(o *authorizer.Options) {
		o.InsecureAnyIssuer, o.InsecureAnyAudience, o.InsecureNoExpiry = true, true, true
		o.Now = clock.Now
	})
	if err != nil {
		t.Fatal(err)
	}
	var in []string
	for _, h := range iss.Hostile("ann") {
		if id, err := careless.Verify(t.Context(), h.Token); err == nil && id.UserID == "ann" {
			in = append(in, h.Name)
		}
	}
	wantEqual(t, "let in", in, "without exp", "of another issuer", "for another audience")
}

func TestIssuerRotates(t *testing.T) {
	clock := new(sumutest.Clock)
	iss := sumutest.NewIssuer(t, onClock(clock, "ES256"))
	auth := verifier(t, iss, sumutest.PathJWKS, clock)
	verify := func(token string, want error) {
		t.Helper()
		if _, err := auth.Verify(t.Context(), token); !errors.Is(err, want) {
			t.Errorf("verify: %v, want %v", err, want)
		}
	}
	old := iss.Token("ann")
	verify(old, nil)
	iss.Rotate()
	verify(iss.Token("ann"), nil)
	verify(old, nil)
	iss.Retire()
	clock.Advance(5*time.Minute + time.Second)
	verify(iss.Token("ann"), nil)
	verify(old, sumu.ErrUnauthorized)

	iss.SetDown(true)
	clock.Advance(time.Hour)
	verify(iss.Token("ann"), nil) // The keys of the last fetch stay in use.
	fresh := verifier(t, iss, sumutest.PathJWKS, clock)
	if _, err := fresh.Verify(t.Context(), iss.Token("ann")); !errors.Is(err, sumu.ErrUnavailable) {
		t.Errorf("without any key: %v, want ErrUnavailable", err)
	}
	iss.SetDown(false)
	clock.Advance(time.Second)
	if _, err := fresh.Verify(t.Context(), iss.Token("ann")); err != nil {
		t.Errorf("up again: %v", err)
	}
}

func TestIssuerAnswers(t *testing.T) {
	leak.Check(t)
	iss := sumutest.NewIssuer(t)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for _, tt := range []struct {
		method, path string
		status       int
		holds        string
	}{
		{"GET", sumutest.PathJWKS, 200, `"kty":"EC"`},
		{"GET", sumutest.PathCertificates, 200, "BEGIN CERTIFICATE"},
		{"GET", sumutest.PathDiscovery, 200, `"issuer":"` + iss.URL + `","jwks_uri":"` + iss.URL + sumutest.PathJWKS + `"`},
		{"POST", sumutest.PathDiscovery, 405, ""},
		{"POST", sumutest.PathJWKS, 405, ""},
		{"GET", "/", 404, ""},
	} {
		req, err := http.NewRequestWithContext(t.Context(), tt.method, iss.URL+tt.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != tt.status || !strings.Contains(string(body), tt.holds) {
			t.Errorf("%s %s: %d %s", tt.method, tt.path, resp.StatusCode, body)
		}
		if cached := resp.Header.Get("Cache-Control") == "public, max-age=300"; cached != (tt.status == 200) {
			t.Errorf("%s %s: Cache-Control is %q", tt.method, tt.path, resp.Header.Get("Cache-Control"))
		}
	}
}

func TestIssuerReportsWhatCannotBe(t *testing.T) {
	wantFailure(t, func(tb testing.TB) {
		sumutest.NewIssuer(tb, func(o *sumutest.IssuerOptions) { o.Algorithm = "none" })
	}, `"none"`)
	iss := sumutest.NewIssuer(t)
	wantFailure(t, func(tb testing.TB) { iss.Sign(tb, map[string]any{"f": func() {}}) }, "claims")
}

func TestAuthorizer(t *testing.T) {
	header := func(v string) *sumu.ConnectRequest {
		return &sumu.ConnectRequest{Header: map[string][]string{"authorization": {v}}}
	}
	for _, tt := range []struct {
		r    *sumu.ConnectRequest
		want string // "": refused
	}{
		{header("user:ann"), "ann"},
		{header("bearer user:ann"), "ann"},
		{header("Bearer user:ann lee"), "ann lee"},
		{&sumu.ConnectRequest{Query: map[string][]string{"authorization": {"user:bob"}}}, "bob"},
		{header("user:"), ""},
		{header("ann"), ""},
		{header("Bearer user:" + strings.Repeat("x", sumu.MaxUserID+1)), ""},
		{header(""), ""},
		{&sumu.ConnectRequest{}, ""},
	} {
		id, err := sumutest.Authorizer{}.Authorize(t.Context(), tt.r)
		if id.UserID != tt.want || (tt.want == "") != errors.Is(err, sumu.ErrUnauthorized) {
			t.Errorf("%v %v: got %q, %v; want %q", tt.r.Header["authorization"], tt.r.Query, id.UserID, err, tt.want)
		}
	}
}
