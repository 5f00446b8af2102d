package authorizer_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha512"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"strings"
	"testing"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/authorizer"
)

var testSecret = []byte("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")

func hs(h func() hash.Hash, secret []byte) func([]byte) []byte {
	return func(input []byte) []byte {
		mac := hmac.New(h, secret)
		mac.Write(input)
		return mac.Sum(nil)
	}
}

func hmacSource(t testing.TB, secret []byte, algs ...string) authorizer.KeySource {
	t.Helper()
	keys, err := authorizer.HMAC(secret, algs...)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func TestHMAC(t *testing.T) {
	rs := issuers["RS256"]()
	token256 := forge(t, `{"alg":"HS256","typ":"JWT"}`, claims(), hs256(testSecret))
	token384 := forge(t, `{"alg":"HS384"}`, claims(), hs(sha512.New384, testSecret))
	token512 := forge(t, `{"alg":"HS512","kid":"any"}`, claims(), hs(sha512.New, testSecret))
	for _, tc := range []struct {
		name  string
		algs  []string
		token string
		want  error
	}{
		{"HS256 by default", nil, token256, nil},
		{"HS384", []string{"HS384"}, token384, nil},
		{"HS512, with a key id", []string{"HS512"}, token512, nil},
		{"all three, HS256", []string{"HS256", "HS384", "HS512"}, token256, nil},
		{"all three, HS384", []string{"HS256", "HS384", "HS512"}, token384, nil},
		{"all three, HS512", []string{"HS512", "HS384", "HS256", "HS256"}, token512, nil},
		{"HS512 where HS256 is chosen", nil, token512, authorizer.ErrUnknownKey},
		{"HS256 under the name HS384", []string{"HS256", "HS384"}, forge(t, `{"alg":"HS384"}`, claims(), hs256(testSecret)), authorizer.ErrSignature},
		{"another secret", nil, forge(t, `{"alg":"HS256"}`, claims(), hs256(testSecret[1:])), authorizer.ErrSignature},
		{"no secret", nil, forge(t, `{"alg":"HS256"}`, claims(), hs256(nil)), authorizer.ErrSignature},
		{"half a signature", nil, forge(t, `{"alg":"HS256"}`, claims(), func(b []byte) []byte { return hs256(testSecret)(b)[:16] }), authorizer.ErrSignature},
		{"public key", nil, sign(t, rs, claims()), authorizer.ErrAlgorithm},
		{"none", nil, forge(t, `{"alg":"none"}`, claims(), hs256(testSecret)), authorizer.ErrAlgorithm},
	} {
		_, err := newAuthorizer(t, hmacSource(t, testSecret, tc.algs...)).Verify(t.Context(), tc.token)
		if !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.want)
		}
		if err != nil {
			requireSilent(t, err, tc.token, string(testSecret))
		}
	}
}

// A source of public keys takes no HMAC, wherever its secret comes from, and
// one that wraps a source made by HMAC hands out nothing that verifies.
func TestHMACIsNotMixedWithPublicKeys(t *testing.T) {
	rs := issuers["RS256"]()
	secret := hmacSource(t, testSecret)
	token := forge(t, `{"alg":"HS256"}`, claims(), hs256(testSecret))
	mixed := authorizer.KeySourceFunc(func(ctx context.Context, kid string) ([]authorizer.Key, error) {
		keys, err := secret.Keys(ctx, kid)
		return append(keys, authorizer.Key{ID: rs.KeyID(), Public: rs.PublicKey()}), err
	})
	a := newAuthorizer(t, mixed)
	if _, err := a.Verify(t.Context(), token); !errors.Is(err, authorizer.ErrAlgorithm) {
		t.Errorf("HMAC beside a public key: %v", err)
	}
	if _, err := a.Verify(t.Context(), sign(t, rs, claims())); err != nil {
		t.Errorf("public key beside HMAC: %v", err)
	}
	// A secret that carries a public key as well verifies with neither.
	both := authorizer.KeySourceFunc(func(ctx context.Context, kid string) ([]authorizer.Key, error) {
		keys, err := secret.Keys(ctx, kid)
		key := keys[0]
		key.ID, key.Public, key.Algorithm = rs.KeyID(), rs.PublicKey(), ""
		return []authorizer.Key{key}, err
	})
	if _, err := newAuthorizer(t, both).Verify(t.Context(), sign(t, rs, claims())); !errors.Is(err, authorizer.ErrUnknownKey) {
		t.Errorf("a key that is both: %v", err)
	}
}

func TestHMACRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		secret []byte
		algs   []string
		want   string
	}{
		"empty":             {nil, nil, "0 bytes"},
		"short":             {testSecret[:31], nil, "31 bytes"},
		"short for HS384":   {testSecret[:47], []string{"HS384"}, "too few for HS384"},
		"short for HS512":   {testSecret[:63], []string{"HS256", "HS512"}, "too few for HS512"},
		"unknown algorithm": {testSecret, []string{"HS1"}, "HS1"},
		"public algorithm":  {testSecret, []string{"RS256"}, "RS256"},
		"none":              {testSecret, []string{"none"}, "none"},
		"PEM":               {issuers["RS256"]().PEM(), nil, "document of keys"},
		"JWKS":              {issuers["RS256"]().JWKS(), nil, "document of keys"},
	} {
		keys, err := authorizer.HMAC(tc.secret, tc.algs...)
		if keys != nil || !errors.Is(err, sumu.ErrInvalid) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, %v", name, keys, err)
		}
		if err != nil && len(tc.secret) > 0 && strings.Contains(err.Error(), string(tc.secret[:16])) {
			t.Errorf("%s: the error shows the secret", name)
		}
	}
	for _, n := range []int{32, 48, 64} {
		if _, err := authorizer.HMAC(testSecret[:n], fmt.Sprintf("HS%d", 8*n)); err != nil {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func TestHMACCopiesAndHidesItsSecret(t *testing.T) {
	secret := bytes.Clone(testSecret)
	src := hmacSource(t, secret)
	clear(secret)
	a := newAuthorizer(t, src)
	if _, err := a.Verify(t.Context(), forge(t, `{"alg":"HS256"}`, claims(), hs256(testSecret))); err != nil {
		t.Error(err)
	}
	keys, err := src.Keys(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	asJSON, err := json.Marshal(keys)
	if err != nil {
		t.Fatal(err)
	}
	printed := string(asJSON)
	for _, v := range []any{keys, keys[0], &keys[0], src, a} {
		printed += fmt.Sprintf("%v %+v %#v %s %x", v, v, v, v, v)
	}
	for _, shown := range []string{string(testSecret[:8]), fmt.Sprint(testSecret[:8])[1:20], fmt.Sprintf("%x", testSecret[:8])} {
		if strings.Contains(printed, shown) {
			t.Errorf("printed: %q", shown)
		}
	}
}

func TestAlgorithmsAreAnOption(t *testing.T) {
	rs := issuers["RS256"]()
	without := static(t, jwkWith(t, rs, change{"alg": nil}))
	rs512 := newIssuer(t, "RS512")
	other := static(t, jwkWith(t, rs512, change{"alg": nil}))
	only := func(algs ...string) func(*authorizer.Options) {
		return func(o *authorizer.Options) { o.Algorithms = algs }
	}
	for _, tc := range []struct {
		name  string
		keys  authorizer.KeySource
		algs  []string
		token string
		want  error
	}{
		{"one that is named", without, []string{"RS256"}, sign(t, rs, claims()), nil},
		{"one of several", without, []string{"ES256", "RS256"}, sign(t, rs, claims()), nil},
		{"another of the same key", other, []string{"RS256"}, sign(t, rs512, claims()), authorizer.ErrAlgorithm},
		{"any", other, nil, sign(t, rs512, claims()), nil},
	} {
		if _, err := newAuthorizer(t, tc.keys, only(tc.algs...)).Verify(t.Context(), tc.token); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.want)
		}
	}
	good := func(o *authorizer.Options) { o.Issuer, o.Audiences = testIssuer, []string{testAudience} }
	for _, tc := range []struct {
		keys authorizer.KeySource
		alg  string
	}{{without, "HS256"}, {without, "none"}, {without, ""}, {without, "rs256"}, {hmacSource(t, testSecret), "RS256"}} {
		if _, err := authorizer.New(tc.keys, good, only(tc.alg)); !errors.Is(err, sumu.ErrInvalid) || !strings.Contains(err.Error(), "Algorithms") {
			t.Errorf("%q: %v", tc.alg, err)
		}
	}
}
