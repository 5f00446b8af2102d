// Package issuer is a token issuer for examples and tests: it makes a key,
// signs tokens, and serves the key set as an identity provider does. It is
// built on the standard library's crypto alone, so that a test which checks
// tokens with another implementation compares two of them.
//
//	iss, err := issuer.New("ES256")
//	http.Handle("/.well-known/jwks.json", iss)
//	token, err := iss.Sign(map[string]any{"sub": "ann", "exp": time.Now().Add(time.Hour).Unix()})
package issuer

import (
	"crypto"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Options tune an [Issuer]. The fields hold their defaults when the funcs of
// [New] get them.
type Options struct {
	// RSABits is the size of RSA keys. Default 2048; at least 1024, so that a
	// test can make a key that is too small.
	RSABits int
	// MaxAge is how long the served key set may be cached, in whole seconds.
	// Default 5 min.
	MaxAge time.Duration
}

// Issuer signs tokens. It is safe for concurrent use.
type Issuer struct {
	alg  algorithm
	opts Options

	mu   sync.RWMutex
	keys []key // the last one signs
}

type key struct {
	id     string
	signer crypto.Signer
}

// New returns an issuer with a fresh key. alg is RS256, RS384, RS512, PS256,
// PS384, PS512, ES256, ES384, ES512 or EdDSA (Ed25519).
func New(alg string, optFns ...func(*Options)) (*Issuer, error) {
	opts := Options{RSABits: 2048, MaxAge: 5 * time.Minute}
	for _, fn := range optFns {
		fn(&opts)
	}
	var errs []error
	a, ok := algorithms[alg]
	if !ok {
		errs = append(errs, fmt.Errorf("issuer: algorithm %q is not supported", alg))
	}
	if opts.RSABits < 1024 {
		errs = append(errs, fmt.Errorf("issuer: RSABits is %d; at least 1024 are needed", opts.RSABits))
	}
	if opts.MaxAge < 0 {
		errs = append(errs, fmt.Errorf("issuer: MaxAge is %v; it must not be negative", opts.MaxAge))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	i := &Issuer{alg: a, opts: opts}
	if err := i.Rotate(); err != nil {
		return nil, err
	}
	return i, nil
}

// Rotate makes a new key, which signs from now on. Tokens of the older keys
// stay valid until [Issuer.Retire].
func (i *Issuer) Rotate() error {
	signer, err := i.alg.generate(i.opts.RSABits)
	if err != nil {
		return fmt.Errorf("issuer: make a key: %w", err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys = append(i.keys, key{id: rand.Text(), signer: signer})
	return nil
}

// Retire drops every key but the one that signs.
func (i *Issuer) Retire() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys = slices.Clone(i.keys[len(i.keys)-1:])
}

// Algorithm is the algorithm that New was given.
func (i *Issuer) Algorithm() string { return i.alg.name }

// KeyID is the kid of the key that signs.
func (i *Issuer) KeyID() string { return i.current().id }

// PublicKey is the public half of the key that signs: an *rsa.PublicKey, an
// *ecdsa.PublicKey or an ed25519.PublicKey.
func (i *Issuer) PublicKey() crypto.PublicKey { return i.current().signer.Public() }

func (i *Issuer) current() key {
	i.mu.RLock()
	defer i.mu.RUnlock()
	return i.keys[len(i.keys)-1]
}
