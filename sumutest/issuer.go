package sumutest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sumu-live/sumu/internal/issuer"
)

// Where an [Issuer] serves its keys, below its URL.
const (
	PathJWKS         = issuer.Path                         // a key set (RFC 7517)
	PathCertificates = "/.well-known/certificates.json"    // key ids and certificates in PEM, as Firebase serves them
	PathDiscovery    = "/.well-known/openid-configuration" // OpenID Connect Discovery 1.0
)

// IssuerOptions tune an [Issuer]. The fields hold their defaults when the funcs
// of [NewIssuer] get them.
type IssuerOptions struct {
	// Algorithm signs: RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384,
	// ES512 or EdDSA. Default ES256, which makes a key in no time.
	Algorithm string
	// Audience is the aud of the tokens. Default "sumutest".
	Audience string
	// Lifetime is how long a token is good. Default 1 h.
	Lifetime time.Duration
	// Now is the clock of the tokens and certificates. Default [time.Now].
	Now func() time.Time
}

// Issuer stands for an identity provider: it signs tokens, and serves its keys
// on a loopback address until the test ends. It shares no code with package
// authorizer, which verifies them.
type Issuer struct {
	// URL is where it serves, and the iss of its tokens. authorizer.Discover
	// takes it as it is; see [PathJWKS] and [PathCertificates] for the rest.
	URL string

	opts IssuerOptions
	keys *issuer.Issuer
	down atomic.Bool
}

var _ http.Handler = (*Issuer)(nil)

// NewIssuer starts an issuer. The test fails when an option cannot be.
func NewIssuer(tb testing.TB, optFns ...func(*IssuerOptions)) *Issuer {
	tb.Helper()
	opts := IssuerOptions{Algorithm: "ES256", Audience: "sumutest", Lifetime: time.Hour, Now: time.Now}
	for _, fn := range optFns {
		fn(&opts)
	}
	keys, err := issuer.New(opts.Algorithm)
	if err != nil {
		tb.Fatalf("sumutest: %v", err)
	}
	i := &Issuer{opts: opts, keys: keys}
	srv := httptest.NewServer(i)
	tb.Cleanup(srv.Close)
	i.URL = srv.URL
	return i
}

// Audience is the aud of the tokens.
func (i *Issuer) Audience() string { return i.opts.Audience }

// Token returns a good token of a user: [Issuer.Claims], signed.
func (i *Issuer) Token(user string) string {
	return must(i.keys.Sign(i.Claims(user)))
}

// Claims returns the claims of a good token: iss, aud, sub, iat and exp. Change
// what the test is about, and give them to [Issuer.Sign].
func (i *Issuer) Claims(user string) map[string]any {
	now := i.opts.Now()
	return map[string]any{
		"iss": i.URL,
		"aud": i.opts.Audience,
		"sub": user,
		"iat": now.Unix(),
		"exp": now.Add(i.opts.Lifetime).Unix(),
	}
}

// Sign returns a token of just these claims. The test fails when they cannot be
// encoded as JSON.
func (i *Issuer) Sign(tb testing.TB, claims map[string]any) string {
	tb.Helper()
	token, err := i.keys.Sign(claims)
	if err != nil {
		tb.Fatalf("sumutest: %v", err)
	}
	return token
}

// Rotate makes a new key, which signs from now on. The older keys are still
// served, and their tokens good. An authorizer learns of a new key with the
// first token of it, but asks at most once in
// authorizer.JWKSOptions.RefetchInterval (10 s of its clock) for keys that it
// does not know.
func (i *Issuer) Rotate() {
	if err := i.keys.Rotate(); err != nil {
		panic(err) // The system has no random numbers.
	}
}

// Retire drops the older keys. An authorizer trusts them for as long as it
// keeps what it was served: for 5 min of its clock.
func (i *Issuer) Retire() { i.keys.Retire() }

// SetDown makes the issuer answer every request with 503, or again as it
// should. It goes on signing.
func (i *Issuer) SetDown(down bool) { i.down.Store(down) }

// certificateLife is how long a certificate is good: about as long as those of
// Firebase, of which it is one that was made yesterday.
const certificateLife = 16 * 24 * time.Hour

// ServeHTTP serves the three documents. It answers 404 for other paths and 405
// for other methods than GET and HEAD.
func (i *Issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var document []byte
	switch {
	case i.down.Load():
		http.Error(w, "the issuer is down", http.StatusServiceUnavailable)
		return
	case r.URL.Path == PathCertificates:
		document = i.keys.Certificates(i.opts.Now().Add(certificateLife))
	case r.URL.Path == PathDiscovery:
		document = i.configuration()
	default:
		i.keys.ServeHTTP(w, r)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", fmt.Sprintf("public, max-age=%d", 5*time.Minute/time.Second))
	_, _ = w.Write(document) // A client that has gone away is its own affair.
}

// configuration is what an OpenID provider says of itself, but for the
// endpoints, which do not exist here.
func (i *Issuer) configuration() []byte {
	return must(json.Marshal(struct {
		Issuer        string   `json:"issuer"`
		KeySet        string   `json:"jwks_uri"`
		ResponseTypes []string `json:"response_types_supported"`
		SubjectTypes  []string `json:"subject_types_supported"`
		Algorithms    []string `json:"id_token_signing_alg_values_supported"`
	}{i.URL, i.URL + PathJWKS, []string{"id_token"}, []string{"public"}, []string{i.keys.Algorithm()}}))
}

// with returns the claims of a good token with some changed, or left out where
// the value is nil.
func (i *Issuer) with(user string, changes map[string]any) map[string]any {
	claims := i.Claims(user)
	maps.Copy(claims, changes)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	return claims
}

// must is for what cannot fail on strings and numbers.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
