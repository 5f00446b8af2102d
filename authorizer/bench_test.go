package authorizer_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"
)

// BenchmarkVerify compares a whole verification with its signature alone. The
// sub-benchmark "overhead" does both in turns and reports the ratio of their
// medians, which a busy machine moves less than a mean.
func BenchmarkVerify(b *testing.B) {
	for _, alg := range []string{"RS256", "ES256", "EdDSA"} {
		iss := issuers[alg]()
		a := newAuthorizer(b, static(b, iss.JWKS()))
		token := sign(b, iss, claims(change{"email": "ann@example.com", "org": "acme", "jti": "5c1e"}))
		verify := func() {
			if _, err := a.Verify(b.Context(), token); err != nil {
				b.Fatal(err)
			}
		}
		raw := rawSignature(b, iss.PublicKey(), token)
		b.Run(alg+"/token", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				verify()
			}
		})
		b.Run(alg+"/signature", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				raw()
			}
		})
		b.Run(alg+"/overhead", func(b *testing.B) {
			var whole, part []time.Duration
			timed := func(f func(), took *[]time.Duration) {
				start := time.Now()
				f()
				*took = append(*took, time.Since(start))
			}
			for i := 0; b.Loop(); i++ {
				if i%2 == 0 {
					timed(verify, &whole)
					timed(raw, &part)
				} else {
					timed(raw, &part)
					timed(verify, &whole)
				}
			}
			b.ReportMetric(0, "ns/op") // Of both together: it would mislead.
			b.ReportMetric(float64(median(whole).Nanoseconds()), "token-ns")
			b.ReportMetric(float64(median(part).Nanoseconds()), "signature-ns")
			b.ReportMetric(float64(median(whole))/float64(median(part)), "x-signature")
		})
	}
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

// rawSignature verifies the signature of a token with the standard library,
// everything else done beforehand.
func rawSignature(b *testing.B, key crypto.PublicKey, token string) func() {
	b.Helper()
	dot := strings.LastIndexByte(token, '.')
	input := []byte(token[:dot])
	sig, err := base64.RawURLEncoding.DecodeString(token[dot+1:])
	if err != nil {
		b.Fatal(err)
	}
	must := func(ok bool) {
		if !ok {
			b.Fatal("the signature does not verify")
		}
	}
	switch pub := key.(type) {
	case *rsa.PublicKey:
		return func() {
			digest := sha256.Sum256(input)
			must(rsa.VerifyPKCS1v15(pub, crypto.SHA256, digest[:], sig) == nil)
		}
	case *ecdsa.PublicKey:
		r, s := new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])
		return func() {
			digest := sha256.Sum256(input)
			must(ecdsa.Verify(pub, digest[:], r, s))
		}
	case ed25519.PublicKey:
		return func() { must(ed25519.Verify(pub, input, sig)) }
	}
	b.Fatalf("no raw operation for %T", key)
	return nil
}
