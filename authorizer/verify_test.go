package authorizer_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/authorizer"
)

func TestVerifyAllAlgorithms(t *testing.T) {
	for _, alg := range algorithms {
		t.Run(alg, func(t *testing.T) {
			t.Parallel()
			iss := issuers[alg]()
			token := sign(t, iss, claims())
			for name, doc := range map[string][]byte{"JWKS": iss.JWKS(), "PEM": iss.PEM()} {
				id, err := newAuthorizer(t, static(t, doc)).Verify(t.Context(), token)
				want := sumu.Identity{UserID: "ann", ExpiresAt: testNow.Add(time.Hour + 30*time.Second)} // exp and the leeway
				if err != nil || id.UserID != want.UserID || !id.ExpiresAt.Equal(want.ExpiresAt) || id.Claims != nil {
					t.Errorf("%s: Verify = %+v, %v, want %+v", name, id, err, want)
				}
			}
		})
	}
}

// Optional members of a header that are null say nothing, as if absent.
func TestHeaderWithNullMembers(t *testing.T) {
	iss := issuers["ES256"]()
	a := newAuthorizer(t, static(t, iss.JWKS()))
	for _, name := range []string{"kid", "typ", "cty"} {
		token := signWith(t, iss, map[string]any{name: json.RawMessage("null")}, claims())
		if id, err := a.Verify(t.Context(), token); err != nil || id.UserID != "ann" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A key verifies tokens of one algorithm, whatever the token's header says:
// each key of a JWKS that of its alg, and a bare key that of its family.
func TestKeyPinsAlgorithm(t *testing.T) {
	family := func(alg string) string {
		switch alg[:2] {
		case "RS", "PS":
			return "RSA"
		}
		return alg
	}
	for _, keyAlg := range algorithms {
		iss := issuers[keyAlg]()
		byJWKS, byPEM := newAuthorizer(t, static(t, iss.JWKS())), newAuthorizer(t, static(t, iss.PEM()))
		for _, alg := range algorithms {
			if alg == keyAlg {
				continue
			}
			// The signature is good, but for another algorithm than the header's.
			lying := signWith(t, iss, map[string]any{"alg": alg}, claims())
			if _, err := byJWKS.Verify(t.Context(), lying); !errors.Is(err, authorizer.ErrUnknownKey) {
				t.Errorf("%s key, %s token: %v", keyAlg, alg, err)
			}
			want := authorizer.ErrUnknownKey
			if family(alg) == family(keyAlg) {
				want = authorizer.ErrSignature
			}
			if _, err := byPEM.Verify(t.Context(), lying); !errors.Is(err, want) {
				t.Errorf("bare %s key, %s token: %v, want %v", keyAlg, alg, err, want)
			}
		}
	}
}

func TestAnotherKeyDoesNotVerify(t *testing.T) {
	for _, alg := range []string{"RS256", "PS256", "ES256", "ES512", "EdDSA"} {
		iss, other := issuers[alg](), newIssuer(t, alg)
		a := newAuthorizer(t, static(t, iss.JWKS()))
		token := signWith(t, other, map[string]any{"kid": iss.KeyID()}, claims())
		_, err := a.Verify(t.Context(), token)
		if !errors.Is(err, authorizer.ErrSignature) || !errors.Is(err, sumu.ErrUnauthorized) {
			t.Errorf("%s: %v", alg, err)
		}
		requireSilent(t, err, token)
	}
}

func TestKeyIDs(t *testing.T) {
	es, ed, rs := issuers["ES256"](), issuers["EdDSA"](), issuers["RS256"]()
	es2 := newIssuer(t, "ES256")
	without := map[string]any{"kid": nil}
	unknown := map[string]any{"kid": "unknown"}
	for _, tc := range []struct {
		name  string
		keys  authorizer.KeySource
		token string
		want  error
	}{
		{"none in the token, one key fits", static(t, es.JWKS(), rs.JWKS()), signWith(t, es, without, claims()), nil},
		{"empty in the token, one key fits", static(t, es.JWKS(), rs.JWKS()), signWith(t, es, map[string]any{"kid": ""}, claims()), nil},
		{"none in the token, two keys fit", static(t, es.JWKS(), es2.JWKS()), signWith(t, es, without, claims()), authorizer.ErrUnknownKey},
		{"none in the token, no key fits", static(t, ed.JWKS()), signWith(t, es, without, claims()), authorizer.ErrUnknownKey},
		{"unknown", static(t, es.JWKS()), signWith(t, es, unknown, claims()), authorizer.ErrUnknownKey},
		{"unknown, the one key has none", static(t, es.PEM()), sign(t, es, claims()), nil},
		{"unknown, two keys have none", static(t, es.PEM(), es2.PEM()), sign(t, es, claims()), authorizer.ErrUnknownKey},
		{"of another key that fits", static(t, es.JWKS(), es2.JWKS()), signWith(t, es, map[string]any{"kid": es2.KeyID()}, claims()), authorizer.ErrSignature},
		{"not a string", static(t, es.JWKS()), signWith(t, es, map[string]any{"kid": 7}, claims()), authorizer.ErrMalformed},
	} {
		_, err := newAuthorizer(t, tc.keys).Verify(t.Context(), tc.token)
		if !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.want)
		}
	}
}

func TestDuplicateKeyIDsAreAllTried(t *testing.T) {
	first, second := newIssuer(t, "ES256"), newIssuer(t, "ES256")
	jwks := func(i int) []byte {
		iss := first
		if i == 1 {
			iss = second
		}
		return []byte(strings.ReplaceAll(string(iss.JWKS()), iss.KeyID(), "twice"))
	}
	a := newAuthorizer(t, static(t, jwks(0), issuers["RS256"]().JWKS(), jwks(1)))
	for _, iss := range []interface {
		SignWith(header, claims map[string]any) (string, error)
	}{first, second} {
		token, err := iss.SignWith(map[string]any{"kid": "twice"}, claims())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.Verify(t.Context(), token); err != nil {
			t.Error(err)
		}
	}
}

// The number of verifications that one token costs is bounded.
func TestAtMostEightKeysOfOneIDAreTried(t *testing.T) {
	es, other := issuers["ES256"](), newIssuer(t, "ES256")
	for _, tc := range []struct {
		before int
		want   error
	}{{7, nil}, {8, authorizer.ErrSignature}} {
		keys := slices.Repeat([]authorizer.Key{{ID: es.KeyID(), Public: other.PublicKey()}}, tc.before)
		keys = append(keys, authorizer.Key{ID: es.KeyID(), Public: es.PublicKey()})
		src := authorizer.KeySourceFunc(func(context.Context, string) ([]authorizer.Key, error) { return keys, nil })
		if _, err := newAuthorizer(t, src).Verify(t.Context(), sign(t, es, claims())); !errors.Is(err, tc.want) {
			t.Errorf("%d other keys before: %v, want %v", tc.before, err, tc.want)
		}
	}
}

func TestKeySourceMayBeAnybodys(t *testing.T) {
	es := issuers["ES256"]()
	small := newIssuer(t, "RS256", smallRSA)
	fault := errors.New("the vault is closed")
	var typedNil *ecdsa.PublicKey
	for _, tc := range []struct {
		name  string
		keys  []authorizer.Key
		err   error
		token string
		want  error
	}{
		{"good", []authorizer.Key{{ID: es.KeyID(), Public: es.PublicKey()}}, nil, sign(t, es, claims()), nil},
		{"fault", nil, fault, sign(t, es, claims()), sumu.ErrUnavailable},
		{"no key", nil, nil, sign(t, es, claims()), authorizer.ErrUnknownKey},
		{"key that was not asked for", []authorizer.Key{{ID: "x", Public: es.PublicKey()}}, nil, sign(t, es, claims()), authorizer.ErrUnknownKey},
		{"nil key", []authorizer.Key{{ID: es.KeyID()}}, nil, sign(t, es, claims()), authorizer.ErrUnknownKey},
		{"typed nil key", []authorizer.Key{{ID: es.KeyID(), Public: typedNil}}, nil, sign(t, es, claims()), authorizer.ErrUnknownKey},
		{"small RSA key", []authorizer.Key{{ID: small.KeyID(), Public: small.PublicKey()}}, nil, sign(t, small, claims()), authorizer.ErrUnknownKey},
		{"HMAC secret", []authorizer.Key{{ID: es.KeyID(), Public: []byte("secret")}}, nil, sign(t, es, claims()), authorizer.ErrUnknownKey},
		{"expired key", []authorizer.Key{{ID: es.KeyID(), Public: es.PublicKey(), NotAfter: testNow.Add(-time.Second)}}, nil, sign(t, es, claims()), authorizer.ErrUnknownKey},
		{"key about to expire", []authorizer.Key{{ID: es.KeyID(), Public: es.PublicKey(), NotAfter: testNow}}, nil, sign(t, es, claims()), nil},
	} {
		src := authorizer.KeySourceFunc(func(context.Context, string) ([]authorizer.Key, error) { return tc.keys, tc.err })
		_, err := newAuthorizer(t, src).Verify(t.Context(), tc.token)
		if !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.want)
		}
		if tc.err != nil && (!errors.Is(err, fault) || errors.Is(err, sumu.ErrUnauthorized)) {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}

func TestClaimsArePassedOn(t *testing.T) {
	iss := issuers["EdDSA"]()
	a := newAuthorizer(t, static(t, iss.JWKS()), func(o *authorizer.Options) {
		o.Claims = []string{"org", "n", "f", "big", "yes", "no", "null", "list", "object", "missing", "org", "esc", "empty"}
	})
	payload := `{"iss":"` + testIssuer + `","aud":["x","chat"],"sub":"ann","exp":1795180000.5,"org":"acme","n":7,"f":1.50,
		"big":12345678901234567890,"yes":true,"no":false,"null":null,"list":["a"],"object":{"a":1},"esc":"\u00e9\n","empty":"","secret":"s"}`
	token, err := iss.SignRaw(nil, []byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	id, err := a.Verify(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"org": "acme", "n": "7", "f": "1.50", "big": "12345678901234567890", "yes": "true", "no": "false", "esc": "é\n", "empty": "",
	}
	if !maps.Equal(id.Claims, want) {
		t.Errorf("Claims = %v, want %v", id.Claims, want)
	}
	if want := time.Unix(1795180030, 5e8); !id.ExpiresAt.Equal(want) {
		t.Errorf("ExpiresAt = %v, want %v", id.ExpiresAt, want)
	}
}

func TestClaimsToPassOnAreBounded(t *testing.T) {
	iss := issuers["EdDSA"]()
	a := newAuthorizer(t, static(t, iss.JWKS()), func(o *authorizer.Options) { o.Claims = []string{"a", "b"} })
	half := strings.Repeat("x", authorizer.MaxClaims/2-1)
	id, err := a.Verify(t.Context(), sign(t, iss, claims(map[string]any{"a": half, "b": half})))
	if err != nil || !reflect.DeepEqual(id.Claims, map[string]string{"a": half, "b": half}) {
		t.Errorf("%d bytes: %v", authorizer.MaxClaims, err)
	}
	_, err = a.Verify(t.Context(), sign(t, iss, claims(map[string]any{"a": half, "b": half + "x"})))
	if !errors.Is(err, authorizer.ErrClaims) {
		t.Errorf("%d bytes: %v", authorizer.MaxClaims+1, err)
	}
}

func TestCertificateExpires(t *testing.T) {
	doc, iss := certificate(t, testNow.Add(-time.Hour), testNow.Add(time.Hour))
	if block, _ := pem.Decode(doc); block == nil {
		t.Fatal("no PEM")
	} else if _, err := x509.ParseCertificate(block.Bytes); err != nil {
		t.Fatal(err)
	}
	token := func(now time.Time) string {
		return iss(t, claims(map[string]any{"iat": now.Unix(), "exp": now.Add(time.Hour).Unix()}))
	}
	for _, tc := range []struct {
		now  time.Time
		want error
	}{
		{testNow, nil},
		{testNow.Add(time.Hour), nil},
		{testNow.Add(time.Hour + time.Second), authorizer.ErrUnknownKey},
	} {
		a := newAuthorizer(t, static(t, doc), func(o *authorizer.Options) { o.Now = func() time.Time { return tc.now } })
		if _, err := a.Verify(t.Context(), token(tc.now)); !errors.Is(err, tc.want) {
			t.Errorf("%v: %v, want %v", tc.now, err, tc.want)
		}
	}
}
