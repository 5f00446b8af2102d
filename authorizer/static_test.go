package authorizer_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/authorizer"
	"github.com/sumu-live/sumu/internal/issuer"
)

func smallRSA(o *issuer.Options) { o.RSABits = 1024 }

// certificate returns a self-signed certificate and what signs tokens with
// its key.
func certificate(t *testing.T, notBefore, notAfter time.Time) ([]byte, func(*testing.T, map[string]any) string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: notBefore, NotAfter: notAfter}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	signer := func(t *testing.T, c map[string]any) string {
		t.Helper()
		payload, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		token, err := issuer.Compact([]byte(`{"alg":"ES256"}`), payload, func(input []byte) ([]byte, error) {
			digest := sha256.Sum256(input)
			r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
			if err != nil {
				return nil, err
			}
			return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...), nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), signer
}

// firstKey returns the one key of an issuer's set as its members.
func firstKey(t testing.TB, iss *issuer.Issuer) map[string]any {
	t.Helper()
	var set struct{ Keys []map[string]any }
	if err := json.Unmarshal(iss.JWKS(), &set); err != nil {
		t.Fatal(err)
	}
	return set.Keys[0]
}

func jwkWith(t testing.TB, iss *issuer.Issuer, changes map[string]any) []byte {
	t.Helper()
	key := firstKey(t, iss)
	for name, v := range changes {
		if key[name] = v; v == nil {
			delete(key, name)
		}
	}
	doc, err := json.Marshal(key)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestStaticKeysReadsEveryFormat(t *testing.T) {
	rs, es, ed := issuers["RS256"](), issuers["ES256"](), issuers["EdDSA"]()
	cert, signByCert := certificate(t, testNow.Add(-time.Hour), testNow.Add(time.Hour))
	pkcs1 := pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: pkcs1DER(t, rs)})
	for _, tc := range []struct {
		name  string
		doc   []byte
		token string
	}{
		{"JWKS", es.JWKS(), sign(t, es, claims())},
		{"JWK", jwkWith(t, es, nil), sign(t, es, claims())},
		{"JWK without alg, use and kid", jwkWith(t, es, map[string]any{"alg": nil, "use": nil, "kid": nil}), sign(t, es, claims())},
		{"JWK with key_ops", jwkWith(t, ed, map[string]any{"key_ops": []string{"sign", "verify"}}), sign(t, ed, claims())},
		{"JWK with a broken certificate", jwkWith(t, rs, map[string]any{"x5c": []string{"?"}, "x5t": 5}), sign(t, rs, claims())},
		{"PEM", ed.PEM(), sign(t, ed, claims())},
		{"PKCS 1", pkcs1, sign(t, rs, claims())},
		{"certificate", cert, signByCert(t, claims())},
		{"several blocks", slices.Concat([]byte("\n"), ed.PEM(), []byte("\n"), cert, rs.PEM(), []byte("\n")), sign(t, rs, claims())},
	} {
		keys, err := authorizer.StaticKeys(tc.doc)
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		if _, err := newAuthorizer(t, keys).Verify(t.Context(), tc.token); err != nil {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}

func TestStaticKeysRefuses(t *testing.T) {
	es := issuers["ES256"]()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p224DER, err := x509.MarshalPKIXPublicKey(p224.Public())
	if err != nil {
		t.Fatal(err)
	}
	for name, doc := range map[string][]byte{
		"empty":                  nil,
		"text":                   []byte("hello"),
		"empty object":           []byte("{}"),
		"empty set":              []byte(`{"keys":[]}`),
		"keys is no list":        []byte(`{"keys":{}}`),
		"duplicate keys":         []byte(`{"keys":[],"keys":[]}`),
		"private PEM":            pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}),
		"public and private PEM": slices.Concat(es.PEM(), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
		"broken PEM":             pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: []byte("x")}),
		"broken certificate":     pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")}),
		"text after PEM":         append(es.PEM(), "rest"...),
		"P-224":                  pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: p224DER}),
		"small RSA PEM":          newIssuer(t, "RS256", smallRSA).PEM(),
		"small RSA JWK":          jwkWith(t, newIssuer(t, "RS256", smallRSA), nil),
		"symmetric JWK":          []byte(`{"kty":"oct","k":"c2VjcmV0","alg":"HS256"}`),
		"private JWK":            jwkWith(t, es, map[string]any{"d": "AQ"}),
		"k beside an EC key":     jwkWith(t, es, map[string]any{"k": "AQ"}),
		"unknown kty":            []byte(`{"kty":"AKP","alg":"ML-DSA-65","pub":"AQ"}`),
		"encryption":             jwkWith(t, es, map[string]any{"use": "enc"}),
		"use is no string":       jwkWith(t, es, map[string]any{"use": 1}),
		"key_ops without verify": jwkWith(t, es, map[string]any{"key_ops": []string{"encrypt"}}),
		"key_ops is no list":     jwkWith(t, es, map[string]any{"key_ops": "verify"}),
		"kid is no string":       jwkWith(t, es, map[string]any{"kid": 1}),
		"alg is no string":       jwkWith(t, es, map[string]any{"alg": 1}),
		"point off its curve":    jwkWith(t, es, map[string]any{"x": "AQ"}),
		"missing y":              jwkWith(t, es, map[string]any{"y": nil}),
		"curve of another kind":  jwkWith(t, es, map[string]any{"crv": "Ed25519"}),
		"unknown curve":          jwkWith(t, es, map[string]any{"crv": "P-1"}),
		"short Ed25519":          []byte(`{"kty":"OKP","crv":"Ed25519","x":"AQ"}`),
		"X25519":                 []byte(`{"kty":"OKP","crv":"X25519","x":"hSDwCYkwp1R0i33ctD73Wg2_Og0mOBr066SpjqqbTmo"}`),
		"even RSA exponent":      jwkWith(t, issuers["RS256"](), map[string]any{"e": "AA"}),
		"only unusable ones":     []byte(`{"keys":[{"kty":"AKP"},7,null,"x",[]]}`),
	} {
		keys, err := authorizer.StaticKeys(doc)
		if !errors.Is(err, sumu.ErrInvalid) || keys != nil {
			t.Errorf("%s: %v, %v", name, keys, err)
		}
	}
	if _, err := authorizer.StaticKeys(); !errors.Is(err, sumu.ErrInvalid) {
		t.Errorf("no document: %v", err)
	}
	_, err = authorizer.StaticKeys(es.PEM(), []byte("x"), []byte("{}"))
	if err == nil || !strings.Contains(err.Error(), "document 1") || !strings.Contains(err.Error(), "document 2") {
		t.Errorf("two bad documents: %v", err)
	}
}

// One bad key of a set costs only itself.
func TestSetLeavesOutWhatItCannotUse(t *testing.T) {
	es, rs := issuers["ES256"](), issuers["RS256"]()
	bad := []string{
		`{"kty":"AKP","kid":"pq","alg":"ML-DSA-65","pub":"AQ"}`,
		`{"kty":"oct","kid":"secret","k":"c2VjcmV0"}`,
		string(jwkWith(t, es, map[string]any{"d": "AQ", "kid": "private"})),
		string(jwkWith(t, rs, map[string]any{"use": "enc", "kid": "enc"})),
		string(jwkWith(t, es, map[string]any{"x": "!", "kid": "broken"})),
		`{"kty":"RSA","kid":"dup","kid":"dup2","n":"AQ","e":"AQAB"}`,
		`null`, `7`, `"x"`, `[]`, `{}`,
	}
	doc := fmt.Sprintf(`{"keys":[%s,%s,%s,%s],"more":{"keys":[1]}}`,
		strings.Join(bad, ","), jwkWith(t, es, nil), strings.Join(bad, ","), jwkWith(t, rs, nil))
	src := static(t, []byte(doc))
	if got, want := keyIDs(t, src, ""), []string{es.KeyID(), rs.KeyID()}; !slices.Equal(got, want) {
		t.Errorf("keys = %v, want %v", got, want)
	}
	for _, kid := range []string{"pq", "secret", "private", "enc", "broken", "dup", "dup2"} {
		if got := keyIDs(t, src, kid); len(got) > 0 {
			t.Errorf("key %s is used", kid)
		}
	}
	if got := keyIDs(t, src, rs.KeyID()); !slices.Equal(got, []string{rs.KeyID()}) {
		t.Errorf("lookup of a key id = %v", got)
	}
}

func TestAtMostThousandKeysAreUsed(t *testing.T) {
	key := func(i int) string {
		return string(jwkWith(t, issuers["EdDSA"](), map[string]any{"kid": fmt.Sprint(i)}))
	}
	var keys []string
	for i := range 1001 {
		keys = append(keys, key(i))
	}
	src := static(t, []byte(`{"keys":[`+strings.Join(keys, ",")+`]}`))
	if n := len(keyIDs(t, src, "")); n != 1000 {
		t.Errorf("%d keys are used", n)
	}
	if _, err := authorizer.StaticKeys([]byte(`{"keys":[`+strings.Join(keys[1:], ",")+`]}`), []byte(key(0))); !errors.Is(err, sumu.ErrInvalid) {
		t.Errorf("1001 keys in two documents: %v", err)
	}
}

func pkcs1DER(t *testing.T, iss *issuer.Issuer) []byte {
	t.Helper()
	pub, ok := iss.PublicKey().(*rsa.PublicKey)
	if !ok {
		t.Fatal("not an RSA issuer")
	}
	return x509.MarshalPKCS1PublicKey(pub)
}

// withMember is a key with a member more, null among the values.
func withMember(t testing.TB, key map[string]any, name string, value any) []byte {
	t.Helper()
	key[name] = value
	doc, err := json.Marshal(key)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}
