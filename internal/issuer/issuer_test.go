package issuer_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/sumu-live/sumu/internal/issuer"
)

var algorithms = []string{
	"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
}

// Each algorithm is checked with the standard library, against the key as the
// key set tells it and not as the issuer holds it.
func TestSignedTokenVerifiesWithServedKey(t *testing.T) {
	for _, alg := range algorithms {
		t.Run(alg, func(t *testing.T) {
			t.Parallel()
			iss, err := issuer.New(alg)
			if err != nil {
				t.Fatal(err)
			}
			token, err := iss.Sign(map[string]any{"sub": "ann"})
			if err != nil {
				t.Fatal(err)
			}
			part := strings.Split(token, ".")
			if len(part) != 3 {
				t.Fatalf("token has %d parts", len(part))
			}
			wantHeader := fmt.Sprintf(`{"alg":%q,"kid":%q,"typ":"JWT"}`, alg, iss.KeyID())
			if got := string(decode(t, part[0])); got != wantHeader {
				t.Errorf("header = %s, want %s", got, wantHeader)
			}
			if got := string(decode(t, part[1])); got != `{"sub":"ann"}` {
				t.Errorf("payload = %s", got)
			}
			keys := keySet(t, iss.JWKS())
			if len(keys) != 1 || keys[0]["kid"] != iss.KeyID() || keys[0]["alg"] != alg || keys[0]["use"] != "sig" {
				t.Fatalf("key set = %v", keys)
			}
			input, sig := part[0]+"."+part[1], decode(t, part[2])
			if !verifies(t, alg, keys[0], input, sig) {
				t.Error("signature does not verify")
			}
			if verifies(t, alg, keys[0], input+"x", sig) {
				t.Error("signature verifies for another input")
			}
		})
	}
}

func TestRotateAndRetire(t *testing.T) {
	iss, err := issuer.New("EdDSA")
	if err != nil {
		t.Fatal(err)
	}
	first := iss.KeyID()
	if err := iss.Rotate(); err != nil {
		t.Fatal(err)
	}
	second := iss.KeyID()
	if first == second {
		t.Fatal("Rotate kept the key id")
	}
	if keys := keySet(t, iss.JWKS()); len(keys) != 2 || keys[0]["kid"] != first || keys[1]["kid"] != second {
		t.Errorf("after Rotate the set is %v", keys)
	}
	iss.Retire()
	if keys := keySet(t, iss.JWKS()); len(keys) != 1 || keys[0]["kid"] != second {
		t.Errorf("after Retire the set is %v", keys)
	}
}

// The race detector watches.
func TestConcurrentUse(t *testing.T) {
	iss, err := issuer.New("EdDSA")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := iss.Rotate(); err != nil {
				t.Error(err)
			}
			if _, err := iss.Sign(map[string]any{"sub": "ann"}); err != nil {
				t.Error(err)
			}
			if !strings.Contains(string(iss.JWKS()), "Ed25519") {
				t.Error("the key set holds no key")
			}
			iss.Retire()
		})
	}
	wg.Wait()
	if keys := keySet(t, iss.JWKS()); len(keys) != 1 || keys[0]["kid"] != iss.KeyID() {
		t.Errorf("the set is %v", keys)
	}
}

func TestSignWithChangesHeader(t *testing.T) {
	iss, err := issuer.New("EdDSA")
	if err != nil {
		t.Fatal(err)
	}
	token, err := iss.SignWith(map[string]any{"kid": nil, "alg": "none", "crit": []string{"x"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	head, _, _ := strings.Cut(token, ".")
	if got := string(decode(t, head)); got != `{"alg":"none","crit":["x"],"typ":"JWT"}` {
		t.Errorf("header = %s", got)
	}
	if _, err := iss.Sign(map[string]any{"f": func() {}}); err == nil {
		t.Error("claims that are no JSON were signed")
	}
}

func TestServeHTTP(t *testing.T) {
	iss, err := issuer.New("ES256", func(o *issuer.Options) { o.MaxAge = 90e9 })
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		method, path string
		code         int
	}{
		{"GET", issuer.Path, 200},
		{"HEAD", issuer.Path, 200},
		{"POST", issuer.Path, 405},
		{"GET", "/", 404},
	} {
		w := httptest.NewRecorder()
		iss.ServeHTTP(w, httptest.NewRequest(tc.method, tc.path, http.NoBody))
		if w.Code != tc.code {
			t.Errorf("%s %s: %d, want %d", tc.method, tc.path, w.Code, tc.code)
		}
		if tc.code != 200 {
			continue
		}
		if got := w.Header().Get("Cache-Control"); got != "public, max-age=90" {
			t.Errorf("Cache-Control = %q", got)
		}
		if got := w.Body.String(); got != string(iss.JWKS()) {
			t.Errorf("body = %s", got)
		}
	}
}

func TestPEMHoldsPublicKey(t *testing.T) {
	iss, err := issuer.New("ES384")
	if err != nil {
		t.Fatal(err)
	}
	block, rest := pem.Decode(iss.PEM())
	if block == nil || len(rest) > 0 || block.Type != "PUBLIC KEY" {
		t.Fatalf("PEM = %s", iss.PEM())
	}
	pub, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if !iss.PublicKey().(*ecdsa.PublicKey).Equal(pub) {
		t.Error("PEM holds another key")
	}
}

func TestNewRefusesBadOptions(t *testing.T) {
	_, err := issuer.New("HS256", func(o *issuer.Options) { o.RSABits, o.MaxAge = 512, -1 })
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"HS256", "RSABits", "MaxAge"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not name %s", err, want)
		}
	}
}

func keySet(t *testing.T, data []byte) []map[string]string {
	t.Helper()
	var set struct{ Keys []map[string]string }
	if err := json.Unmarshal(data, &set); err != nil {
		t.Fatal(err)
	}
	return set.Keys
}

func decode(t *testing.T, s string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func verifies(t *testing.T, alg string, k map[string]string, input string, sig []byte) bool {
	t.Helper()
	num := func(name string) *big.Int { return new(big.Int).SetBytes(decode(t, k[name])) }
	hash, digest := crypto.SHA256, []byte(nil)
	switch sum2, sum3, sum5 := sha256.Sum256([]byte(input)), sha512.Sum384([]byte(input)), sha512.Sum512([]byte(input)); alg[2:] {
	case "256":
		digest = sum2[:]
	case "384":
		hash, digest = crypto.SHA384, sum3[:]
	case "512":
		hash, digest = crypto.SHA512, sum5[:]
	}
	switch alg[:2] {
	case "RS":
		pub := &rsa.PublicKey{N: num("n"), E: int(num("e").Int64())}
		return rsa.VerifyPKCS1v15(pub, hash, digest, sig) == nil
	case "PS":
		pub := &rsa.PublicKey{N: num("n"), E: int(num("e").Int64())}
		return rsa.VerifyPSS(pub, hash, digest, sig, &rsa.PSSOptions{SaltLength: hash.Size()}) == nil
	case "ES":
		curve := map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()}[k["crv"]]
		pub, err := ecdsa.ParseUncompressedPublicKey(curve, append([]byte{4}, append(decode(t, k["x"]), decode(t, k["y"])...)...))
		if err != nil {
			t.Fatal(err)
		}
		n := len(sig) / 2
		return ecdsa.Verify(pub, digest, new(big.Int).SetBytes(sig[:n]), new(big.Int).SetBytes(sig[n:]))
	}
	return ed25519.Verify(decode(t, k["x"]), []byte(input), sig)
}
