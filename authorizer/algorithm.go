package authorizer

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	_ "crypto/sha256" // Linked in for crypto.Hash.
	_ "crypto/sha512" // Linked in for crypto.Hash.
	"errors"
	"fmt"
	"slices"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"

	"github.com/sumu-live/sumu"
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
	sigLen func(key any) int
}

type sigLens map[jwa.SignatureAlgorithm]func(key any) int

// publicAlgorithms are those of public keys, hmacAlgorithms those of a secret
// that both sides share. No Authorizer knows both: a public key could be taken
// for a secret then, and everybody knows it.
func publicAlgorithms() sigLens {
	return sigLens{
		jwa.RS256: rsaSigLen, jwa.RS384: rsaSigLen, jwa.RS512: rsaSigLen,
		jwa.PS256: rsaSigLen, jwa.PS384: rsaSigLen, jwa.PS512: rsaSigLen,
		jwa.ES256: ecdsaSigLen(elliptic.P256()),
		jwa.ES384: ecdsaSigLen(elliptic.P384()),
		jwa.ES512: ecdsaSigLen(elliptic.P521()),
		jwa.EdDSA: ed25519SigLen,
	}
}

func hmacAlgorithms() sigLens {
	return sigLens{
		jwa.HS256: hmacSigLen(crypto.SHA256),
		jwa.HS384: hmacSigLen(crypto.SHA384),
		jwa.HS512: hmacSigLen(crypto.SHA512),
	}
}

// canonical is the one name of an algorithm that has two: RFC 9864 calls Ed25519
// what RFC 8037 calls EdDSA, which is no other curve's here.
func canonical(alg string) string {
	if alg == "Ed25519" {
		return jwa.EdDSA.String()
	}
	return alg
}

// pssVerifier verifies PS256, PS384 and PS512 by their hash. jwx takes a salt of
// any length; RFC 7518 (3.5) wants that of the hash, and the mask by the same.
type pssVerifier crypto.Hash

// Verify returns an error for what is not the signature of signed by a key of
// type *rsa.PublicKey.
func (v pssVerifier) Verify(signed, sig []byte, key any) error {
	pub, ok := key.(*rsa.PublicKey)
	if !ok {
		return errors.New("not an RSA key")
	}
	h := crypto.Hash(v).New()
	h.Write(signed)
	return rsa.VerifyPSS(pub, crypto.Hash(v), h.Sum(nil), sig, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
}

// newVerifier returns what verifies signatures of an algorithm.
func newVerifier(alg jwa.SignatureAlgorithm) (jws.Verifier, error) {
	switch alg {
	case jwa.PS256:
		return pssVerifier(crypto.SHA256), nil
	case jwa.PS384:
		return pssVerifier(crypto.SHA384), nil
	case jwa.PS512:
		return pssVerifier(crypto.SHA512), nil
	}
	return jws.NewVerifier(alg)
}

// newAlgorithms returns the algorithms that a token may name: those that fit
// the source, or of them the ones given.
func newAlgorithms(keys KeySource, only []string) (map[string]algorithm, []error) {
	known := publicAlgorithms()
	if _, ok := keys.(*hmacKeys); ok {
		known = hmacAlgorithms()
	}
	var errs []error
	wanted := make([]string, len(only))
	for i, name := range only {
		wanted[i] = canonical(name)
		if known[jwa.SignatureAlgorithm(wanted[i])] == nil {
			errs = append(errs, invalid("Algorithms: %q is not known, or not for keys of this source", name))
		}
	}
	algs := make(map[string]algorithm, len(known))
	for alg, sigLen := range known {
		if len(wanted) > 0 && !slices.Contains(wanted, alg.String()) {
			continue
		}
		v, err := newVerifier(alg)
		if err != nil {
			errs = append(errs, &sumu.Error{Op: "authorizer: verifier of " + alg.String(), Kind: sumu.ErrUnsupported, Err: err})
		}
		algs[alg.String()] = algorithm{verifier: v, sigLen: sigLen}
	}
	return algs, errs
}

func rsaSigLen(key any) int {
	pub, ok := key.(*rsa.PublicKey)
	if !ok || pub == nil || pub.N == nil || pub.N.BitLen() < minRSABits || pub.N.BitLen() > maxRSABits {
		return 0
	}
	return pub.Size()
}

func ecdsaSigLen(curve elliptic.Curve) func(any) int {
	size := 2 * ((curve.Params().BitSize + 7) / 8)
	return func(key any) int {
		if pub, ok := key.(*ecdsa.PublicKey); !ok || pub == nil || pub.Curve != curve {
			return 0
		}
		return size
	}
}

func ed25519SigLen(key any) int {
	if pub, ok := key.(ed25519.PublicKey); !ok || len(pub) != ed25519.PublicKeySize {
		return 0
	}
	return ed25519.SignatureSize
}

func hmacSigLen(hash crypto.Hash) func(any) int {
	return func(key any) int {
		if secret, ok := key.(*hmacSecret); !ok || len(secret.bytes()) < hash.Size() {
			return 0
		}
		return hash.Size()
	}
}

// fits reports whether the key may be used with the algorithm.
func (a algorithm) fits(key Key) bool { return a.sigLen(key.material()) > 0 }

// verify reports whether sig is the signature of signed. The key must fit.
// jwx compares the length too, but does not promise to: a signature that could
// be padded would make many tokens of one.
func (a algorithm) verify(key Key, signed, sig []byte) bool {
	material := key.material()
	if len(sig) != a.sigLen(material) {
		return false
	}
	if secret, ok := material.(*hmacSecret); ok {
		material = secret.bytes()
	}
	return a.verifier.Verify(signed, sig, material) == nil
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
