package authorizer_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"maps"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sumu-live/sumu/authorizer"
	"github.com/sumu-live/sumu/internal/issuer"
)

const (
	testIssuer   = "https://id.example.com/"
	testAudience = "chat"
)

// testNow is the clock of every test that does not move it.
var testNow = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

var algorithms = []string{
	"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
}

// issuers are shared by the tests that do not rotate them: RSA keys are slow
// to make.
var issuers = func() map[string]func() *issuer.Issuer {
	m := make(map[string]func() *issuer.Issuer)
	for _, alg := range algorithms {
		m[alg] = sync.OnceValue(func() *issuer.Issuer {
			iss, err := issuer.New(alg)
			if err != nil {
				panic(err)
			}
			return iss
		})
	}
	return m
}()

func newIssuer(t testing.TB, alg string, optFns ...func(*issuer.Options)) *issuer.Issuer {
	t.Helper()
	iss, err := issuer.New(alg, optFns...)
	if err != nil {
		t.Fatal(err)
	}
	return iss
}

// claims returns good claims with some of them changed, or left out where the
// value is nil.
func claims(changes ...map[string]any) map[string]any {
	c := map[string]any{
		"iss": testIssuer, "aud": testAudience, "sub": "ann",
		"iat": testNow.Unix(), "exp": testNow.Add(time.Hour).Unix(),
	}
	for _, change := range changes {
		maps.Copy(c, change)
	}
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

func sign(t testing.TB, iss *issuer.Issuer, c map[string]any) string {
	t.Helper()
	return signWith(t, iss, nil, c)
}

func signWith(t testing.TB, iss *issuer.Issuer, header, c map[string]any) string {
	t.Helper()
	token, err := iss.SignWith(header, c)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func static(t testing.TB, documents ...[]byte) authorizer.KeySource {
	t.Helper()
	keys, err := authorizer.StaticKeys(documents...)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func newAuthorizer(t testing.TB, keys authorizer.KeySource, optFns ...func(*authorizer.Options)) *authorizer.Authorizer {
	t.Helper()
	optFns = append([]func(*authorizer.Options){func(o *authorizer.Options) {
		o.Issuer = testIssuer
		o.Audiences = []string{testAudience}
		o.Now = func() time.Time { return testNow }
	}}, optFns...)
	a, err := authorizer.New(keys, optFns...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// keyIDs is what a source answers for a key id.
func keyIDs(t testing.TB, src authorizer.KeySource, kid string) []string {
	t.Helper()
	keys, err := src.Keys(context.Background(), kid)
	if err != nil {
		t.Fatal(err)
	}
	ids := []string{}
	for _, k := range keys {
		ids = append(ids, k.ID)
	}
	return ids
}

// requireSilent fails when an error shows any part of the token, or any of the given
// secrets.
func requireSilent(t *testing.T, err error, token string, secrets ...string) {
	t.Helper()
	for _, s := range append(append(secrets, token), strings.Split(token, ".")...) {
		if len(s) > 3 && strings.Contains(err.Error(), s) {
			t.Errorf("error %q shows %q", err, s)
		}
	}
}

// certificates returns the key of an issuer that signs as Firebase serves it:
// a JSON object of its id and a certificate in PEM. Whose signature the
// certificate has plays no part.
func certificates(t testing.TB, iss *issuer.Issuer, notBefore, notAfter time.Time) []byte {
	t.Helper()
	_, ca, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: notBefore, NotAfter: notAfter, KeyUsage: x509.KeyUsageDigitalSignature}
	der, err := x509.CreateCertificate(rand.Reader, template, template, iss.PublicKey(), ca)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := json.Marshal(map[string]string{
		iss.KeyID(): string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
	})
	if err != nil {
		t.Fatal(err)
	}
	return doc
}
