package authorizer

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"fmt"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"
)

const (
	minRSABits = 2048
	maxRSABits = 8192 // A larger one makes every verification slow.
)

// algorithm is one way to verify a signature.
type algorithm struct {
	verifier jws.Verifier
	// sigLen is how long a signature by this key is; 0: the key does not fit
	// the algorithm.
	sigLen func(crypto.PublicKey) int
}

// newAlgorithms returns the algorithms that a token may name. HMAC is not
// among them: its secret could be taken for a public key.
func newAlgorithms() (map[string]algorithm, error) {
	algs := make(map[string]algorithm, 10)
	for alg, sigLen := range map[jwa.SignatureAlgorithm]func(crypto.PublicKey) int{
		jwa.RS256: rsaSigLen, jwa.RS384: rsaSigLen, jwa.RS512: rsaSigLen,
		jwa.PS256: rsaSigLen, jwa.PS384: rsaSigLen, jwa.PS512: rsaSigLen,
		jwa.ES256: ecdsaSigLen(elliptic.P256()),
		jwa.ES384: ecdsaSigLen(elliptic.P384()),
		jwa.ES512: ecdsaSigLen(elliptic.P521()),
		jwa.EdDSA: ed25519SigLen,
	} {
		v, err := jws.NewVerifier(alg)
		if err != nil {
			return nil, fmt.Errorf("verifier of %s: %w", alg, err)
		}
		algs[alg.String()] = algorithm{verifier: v, sigLen: sigLen}
	}
	return algs, nil
}

func rsaSigLen(key crypto.PublicKey) int {
	pub, ok := key.(*rsa.PublicKey)
	if !ok || pub == nil || pub.N == nil || pub.N.BitLen() < minRSABits || pub.N.BitLen() > maxRSABits {
		return 0
	}
	return pub.Size()
}

func ecdsaSigLen(curve elliptic.Curve) func(crypto.PublicKey) int {
	size := 2 * ((curve.Params().BitSize + 7) / 8)
	return func(key crypto.PublicKey) int {
		if pub, ok := key.(*ecdsa.PublicKey); !ok || pub == nil || pub.Curve != curve {
			return 0
		}
		return size
	}
}

func ed25519SigLen(key crypto.PublicKey) int {
	if pub, ok := key.(ed25519.PublicKey); !ok || len(pub) != ed25519.PublicKeySize {
		return 0
	}
	return ed25519.SignatureSize
}

// fits reports whether the key may be used with the algorithm.
func (a algorithm) fits(key crypto.PublicKey) bool { return a.sigLen(key) > 0 }

// verify reports whether sig is the signature of signed. The key must fit.
// jwx compares the length too, but does not promise to: a signature that could
// be padded would make many tokens of one.
func (a algorithm) verify(key crypto.PublicKey, signed, sig []byte) bool {
	return len(sig) == a.sigLen(key) && a.verifier.Verify(signed, sig, key) == nil
}

// usable returns why a key could never verify a token.
func usable(key crypto.PublicKey) error {
	switch pub := key.(type) {
	case *rsa.PublicKey:
		bits := pub.N.BitLen()
		if bits < minRSABits || bits > maxRSABits {
			return fmt.Errorf("RSA key of %d bits; %d to %d are allowed", bits, minRSABits, maxRSABits)
		}
		if pub.E < 3 || pub.E%2 == 0 {
			return fmt.Errorf("RSA key with a bad exponent")
		}
	case *ecdsa.PublicKey:
		if pub.Curve != elliptic.P256() && pub.Curve != elliptic.P384() && pub.Curve != elliptic.P521() {
			return fmt.Errorf("elliptic curve is none of P-256, P-384, P-521")
		}
		if _, err := pub.ECDH(); err != nil {
			return fmt.Errorf("point is not on its curve")
		}
	case ed25519.PublicKey:
		if len(pub) != ed25519.PublicKeySize {
			return fmt.Errorf("Ed25519 key of %d bytes", len(pub))
		}
	default:
		return fmt.Errorf("key type is not supported")
	}
	return nil
}
