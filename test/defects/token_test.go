package defects_test

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/authorizer"
	"github.com/sumu-live/sumu/internal/issuer"
	"github.com/sumu-live/sumu/sumutest"
)

const issuerName = "https://id.test"

// newAuthorizer trusts the keys of iss, the name issuerName and the audience "chat".
func newAuthorizer(keys authorizer.KeySource, optFns ...func(*authorizer.Options)) *authorizer.Authorizer {
	base := func(o *authorizer.Options) { o.Issuer, o.Audiences = issuerName, []string{"chat"} }
	return must(authorizer.New(keys, append([]func(*authorizer.Options){base}, optFns...)...))
}

// signed is a good token of ann, with some claims changed; nil leaves one out.
func signed(iss *issuer.Issuer, changes map[string]any) string {
	claims := map[string]any{
		"iss": issuerName, "aud": "chat", "sub": "ann",
		"iat": time.Now().Add(-time.Minute).Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	}
	maps.Copy(claims, changes)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	return must(iss.Sign(claims))
}

// wantVerdict fails unless the token is accepted (nil) or refused as want.
func wantVerdict(t testing.TB, a *authorizer.Authorizer, name, token string, want error) {
	t.Helper()
	id, err := a.Verify(t.Context(), token)
	if !errors.Is(err, want) || err == nil && id.UserID != "ann" {
		t.Errorf("%s: %q, %v; want %v", name, id.UserID, err, want)
	}
}

// A token whose aud is a list was refused, though the list named the service.
func TestDefectAudienceList(t *testing.T) {
	iss := must(issuer.New("ES256"))
	a := newAuthorizer(must(authorizer.StaticKeys(iss.JWKS())))
	for _, tt := range []struct {
		name string
		aud  any
		want error
	}{
		{"a list that names it", []string{"mail", "chat"}, nil},
		{"its name", "chat", nil},
		{"a list of others", []string{"mail", "chats"}, sumu.ErrForbidden},
		{"an empty list", []string{}, sumu.ErrForbidden},
		{"none", nil, sumu.ErrForbidden},
	} {
		wantVerdict(t, a, tt.name, signed(iss, map[string]any{"aud": tt.aud}), tt.want)
	}
}

// Without audiences everybody was refused, though the manual said that then
// everybody is let in. It is refused when the service starts, so that neither
// is a surprise.
func TestDefectEmptyAudienceList(t *testing.T) {
	iss := must(issuer.New("ES256"))
	keys := must(authorizer.StaticKeys(iss.JWKS()))
	for _, audiences := range [][]string{nil, {}, {""}} {
		_, err := authorizer.New(keys, func(o *authorizer.Options) { o.Issuer, o.Audiences = issuerName, audiences })
		if !errors.Is(err, sumu.ErrInvalid) || !strings.Contains(err.Error(), "Audiences") {
			t.Errorf("%q: %v", audiences, err)
		}
	}
	anybody := newAuthorizer(keys, func(o *authorizer.Options) { o.Audiences, o.InsecureAnyAudience = nil, true })
	wantVerdict(t, anybody, "allowed by name", signed(iss, map[string]any{"aud": "mail"}), nil)
}

// iss and nbf were not looked at.
func TestDefectClaimsUnchecked(t *testing.T) {
	iss := must(issuer.New("ES256"))
	a := newAuthorizer(must(authorizer.StaticKeys(iss.JWKS())))
	soon, past := time.Now().Add(time.Hour).Unix(), time.Now().Add(-time.Hour).Unix()
	for _, tt := range []struct {
		name    string
		changes map[string]any
		want    error
	}{
		{"nothing", nil, nil},
		{"another issuer", map[string]any{"iss": issuerName + "/"}, sumu.ErrUnauthorized},
		{"no issuer", map[string]any{"iss": nil}, sumu.ErrUnauthorized},
		{"not yet", map[string]any{"nbf": soon}, sumu.ErrUnauthorized},
		{"since a while", map[string]any{"nbf": past}, nil},
		{"nbf that is no date", map[string]any{"nbf": "tomorrow"}, sumu.ErrUnauthorized},
		{"expired", map[string]any{"exp": past}, sumu.ErrUnauthorized},
	} {
		wantVerdict(t, a, tt.name, signed(iss, tt.changes), tt.want)
	}
}

// A token without expiry was let in for ever. That takes an option which says
// so, and not even that lets in one which has expired.
func TestDefectNoExpiry(t *testing.T) {
	iss := must(issuer.New("ES256"))
	keys := must(authorizer.StaticKeys(iss.JWKS()))
	expired := signed(iss, map[string]any{"exp": time.Now().Add(-time.Hour).Unix()})
	forever := signed(iss, map[string]any{"exp": nil})
	byDefault := newAuthorizer(keys)
	wantVerdict(t, byDefault, "expired", expired, sumu.ErrUnauthorized)
	wantVerdict(t, byDefault, "without expiry", forever, sumu.ErrUnauthorized)
	byChoice := newAuthorizer(keys, func(o *authorizer.Options) { o.InsecureNoExpiry = true })
	wantVerdict(t, byChoice, "expired, by choice", expired, sumu.ErrUnauthorized)
	wantVerdict(t, byChoice, "without expiry, by choice", forever, nil)
}

// counted counts the requests that pass.
type counted struct{ n atomic.Int64 }

func (c *counted) RoundTrip(r *http.Request) (*http.Response, error) {
	c.n.Add(1)
	return http.DefaultTransport.RoundTrip(r)
}

// After an issuer had changed its key, tokens with the new one were refused
// until the cache ended; and all were while the issuer did not answer.
func TestDefectUnknownKeyID(t *testing.T) {
	defer http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	clock, fetches := new(sumutest.Clock), new(counted)
	iss := sumutest.NewIssuer(t, func(o *sumutest.IssuerOptions) { o.Now = clock.Now })
	keys := must(authorizer.JWKS(iss.URL+sumutest.PathJWKS, func(o *authorizer.JWKSOptions) {
		o.HTTPClient, o.Now = &http.Client{Transport: fetches}, clock.Now
	}))
	a := newAuthorizer(keys, func(o *authorizer.Options) {
		o.Issuer, o.Audiences, o.Now = iss.URL, []string{iss.Audience()}, clock.Now
	})
	wantFetches := func(when string, want int64) {
		t.Helper()
		if got := fetches.n.Swap(0); got != want {
			t.Errorf("%s: %d fetches, want %d", when, got, want)
		}
	}
	wantVerdict(t, a, "the first key", iss.Token("ann"), nil)
	wantFetches("the first key", 1)

	iss.Rotate()
	token := iss.Token("ann")
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if _, err := a.Verify(t.Context(), token); err != nil {
				t.Errorf("the next key: %v", err)
			}
		})
	}
	all.Wait()
	wantFetches("the next key, 20 at once", 1)

	other := must(issuer.New("ES256")) // Its kid is known to nobody.
	for range 20 {
		wantVerdict(t, a, "a key of nobody", must(other.Sign(iss.Claims("ann"))), sumu.ErrUnauthorized)
	}
	wantFetches("a key of nobody, 20 times", 1)
	clock.Advance(time.Minute)
	wantVerdict(t, a, "a minute later", must(other.Sign(iss.Claims("ann"))), sumu.ErrUnauthorized)
	wantFetches("a minute later", 1)

	iss.SetDown(true)
	clock.Advance(48 * time.Hour) // Any cache has ended.
	wantVerdict(t, a, "while the issuer is down", iss.Token("ann"), nil)
	wantFetches("while the issuer is down", 1)
}

// One key of a type that the library did not know made the whole set useless.
func TestDefectUnknownKeyType(t *testing.T) {
	iss := must(issuer.New("ES256"))
	var set struct {
		Keys []any `json:"keys"`
	}
	if err := json.Unmarshal(iss.JWKS(), &set); err != nil {
		t.Fatal(err)
	}
	for _, odd := range []any{
		map[string]any{"kty": "AKP", "alg": "ML-DSA-44", "kid": "pq", "pub": "AAAA"},
		map[string]any{"kty": "EC", "crv": "P-999", "kid": "curve", "x": "AA", "y": "AA"},
		map[string]any{"kid": "no type"},
		7, nil,
	} {
		set.Keys = append([]any{odd}, set.Keys...)
	}
	a := newAuthorizer(must(authorizer.StaticKeys(must(json.Marshal(set)))))
	wantVerdict(t, a, "beside odd keys", signed(iss, nil), nil)
}
