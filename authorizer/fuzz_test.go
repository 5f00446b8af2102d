package authorizer_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/authorizer"
)

var fuzzAlgorithms = []string{"RS256", "PS384", "ES256", "ES512", "EdDSA"}

// FuzzVerify feeds tokens of any kind: none but the issued ones is accepted.
func FuzzVerify(f *testing.F) {
	var docs [][]byte
	issued := make(map[string]bool)
	for _, alg := range fuzzAlgorithms {
		iss := issuers[alg]()
		docs = append(docs, iss.JWKS())
		if alg != "PS384" { // Two bare RSA keys would both fit, and so neither.
			docs = append(docs, iss.PEM())
		}
		token := sign(f, iss, claims())
		issued[token] = true
		f.Add(token)
		f.Add(signWith(f, iss, map[string]any{"alg": "none"}, claims()))
	}
	a := newAuthorizer(f, static(f, docs...))
	f.Fuzz(func(t *testing.T, token string) {
		id, err := a.Verify(t.Context(), token)
		switch {
		case err == nil && !issued[token]:
			t.Fatalf("accepted %q", token)
		case err == nil:
			return
		case id.UserID != "" || !errors.Is(err, sumu.ErrUnauthorized) && !errors.Is(err, sumu.ErrForbidden):
			t.Errorf("Verify = %+v, %v", id, err)
		}
	})
}

// FuzzChangedToken changes a good token: no change is accepted. An ECDSA
// signature has a second value, (r, n-s), which no fuzzer finds by chance.
func FuzzChangedToken(f *testing.F) {
	var docs [][]byte
	var tokens []string
	for _, alg := range fuzzAlgorithms {
		iss := issuers[alg]()
		docs = append(docs, iss.JWKS())
		tokens = append(tokens, sign(f, iss, claims()))
	}
	a := newAuthorizer(f, static(f, docs...))
	f.Add(uint8(0), uint16(0), uint16(1), "")
	f.Add(uint8(1), uint16(400), uint16(0), "\n")
	f.Add(uint8(2), uint16(65535), uint16(1), "A")
	f.Add(uint8(3), uint16(65535), uint16(0), "=")
	f.Add(uint8(4), uint16(30), uint16(2), "..")
	f.Fuzz(func(t *testing.T, which uint8, at, drop uint16, insert string) {
		token := tokens[int(which)%len(tokens)]
		start := min(int(at), len(token))
		end := min(start+int(drop), len(token))
		changed := token[:start] + insert + token[end:]
		_, err := a.Verify(t.Context(), changed)
		if (err == nil) != slices.Contains(tokens, changed) {
			t.Fatalf("%q: %v", changed, err)
		}
	})
}

// FuzzPayload signs any payload: who is let in is who a second reader, the
// standard library's, finds in it.
func FuzzPayload(f *testing.F) {
	iss := issuers["EdDSA"]()
	a := newAuthorizer(f, static(f, iss.JWKS()), func(o *authorizer.Options) { o.Claims = []string{"org", "n"} })
	good, err := json.Marshal(claims())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"iss":"https://id.example.com/","aud":["chat"],"sub":"\u0061nn","exp":9999999999.5,"org":"a","n":1e3}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		token, err := iss.SignRaw(nil, payload)
		if err != nil {
			t.Fatal(err)
		}
		id, err := a.Verify(t.Context(), token)
		if err != nil {
			if id.UserID != "" || !errors.Is(err, sumu.ErrUnauthorized) && !errors.Is(err, sumu.ErrForbidden) {
				t.Errorf("Verify = %+v, %v", id, err)
			}
			return
		}
		var second map[string]any
		if err := json.Unmarshal(payload, &second); err != nil {
			t.Fatalf("accepted %q: %v", payload, err)
		}
		if second["sub"] != id.UserID || second["iss"] != testIssuer || second["exp"] == nil {
			t.Errorf("%q: %+v", payload, id)
		}
	})
}

// FuzzJWKS feeds key sets: whatever is used is a public key of an allowed
// kind, and a token of ours passes only when its key is in the set.
func FuzzJWKS(f *testing.F) {
	var tokens []string
	var mine []authorizer.Key
	for _, alg := range fuzzAlgorithms {
		iss := issuers[alg]()
		f.Add(iss.JWKS())
		f.Add(iss.PEM())
		tokens = append(tokens, sign(f, iss, claims()))
		mine = append(mine, authorizer.Key{ID: iss.KeyID(), Public: iss.PublicKey()})
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		src, err := authorizer.StaticKeys(doc)
		if err != nil {
			if src != nil || !errors.Is(err, sumu.ErrInvalid) {
				t.Errorf("StaticKeys = %v, %v", src, err)
			}
			return
		}
		keys, err := src.Keys(context.Background(), "")
		if err != nil || len(keys) == 0 {
			t.Fatalf("Keys = %v, %v", keys, err)
		}
		for _, k := range keys {
			requireAllowed(t, k)
		}
		a := newAuthorizer(t, src)
		for i, token := range tokens {
			if _, err := a.Verify(t.Context(), token); err == nil && !holds(keys, mine[i]) {
				t.Errorf("%s passes with %q", fuzzAlgorithms[i], doc)
			}
		}
	})
}

func requireAllowed(t *testing.T, k authorizer.Key) {
	t.Helper()
	switch pub := k.Public.(type) {
	case *rsa.PublicKey:
		if bits := pub.N.BitLen(); bits < 2048 || bits > 8192 {
			t.Errorf("RSA key of %d bits is used", bits)
		}
	case *ecdsa.PublicKey:
		if name := pub.Params().Name; !strings.HasPrefix(name, "P-") || name == "P-224" {
			t.Errorf("key on %s is used", name)
		}
		if _, err := pub.Bytes(); err != nil {
			t.Errorf("key off its curve is used: %v", err)
		}
	case ed25519.PublicKey:
		if len(pub) != ed25519.PublicKeySize {
			t.Errorf("Ed25519 key of %d bytes is used", len(pub))
		}
	default:
		t.Errorf("key of type %T is used", k.Public)
	}
}

func holds(keys []authorizer.Key, key authorizer.Key) bool {
	type comparable interface{ Equal(x crypto.PublicKey) bool }
	return slices.ContainsFunc(keys, func(k authorizer.Key) bool {
		pub, ok := k.Public.(comparable)
		return ok && pub.Equal(key.Public)
	})
}
