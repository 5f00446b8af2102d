package authorizer

import (
	"context"
	"crypto"
	"time"
)

// Key is a public key that tokens are verified with.
type Key struct {
	// ID is the key id (kid) that tokens name it by; "": it has none.
	ID string
	// Algorithm is the one algorithm that the key is for, such as "RS256"; "":
	// any that fits Public.
	Algorithm string
	// Public is a valid *rsa.PublicKey of 2,048 to 8,192 bits, an
	// *ecdsa.PublicKey on P-256, P-384 or P-521, or an ed25519.PublicKey. A
	// key of any other kind fits no token.
	Public crypto.PublicKey
	// NotAfter is when the key ceases to verify, as the certificate that holds
	// it says. Zero: never.
	NotAfter time.Time

	// secret is that of a key made by HMAC, which has no Public.
	secret *hmacSecret
}

// material is what an algorithm verifies with.
func (k Key) material() any {
	if k.secret != nil {
		return k.secret
	}
	return k.Public
}

// KeySource holds the keys of an issuer. [JWKS], [Discover], [StaticKeys] and
// [HMAC] make one. Its methods are safe for concurrent use.
type KeySource interface {
	// Keys returns the keys that may have signed a token which names the key
	// id kid: those with that ID or, when there are none, those without an ID;
	// for kid "" all keys. Of several with that ID the first 8 that fit a
	// token are tried. No key is no error. An error is a fault on our side,
	// such as an issuer that does not answer, and never the client's. The
	// result must not be changed.
	Keys(ctx context.Context, kid string) ([]Key, error)
}

// KeySourceFunc is a function as a [KeySource].
type KeySourceFunc func(ctx context.Context, kid string) ([]Key, error)

// Keys calls f.
func (f KeySourceFunc) Keys(ctx context.Context, kid string) ([]Key, error) { return f(ctx, kid) }

const (
	// maxKeys is how many keys of a set are used.
	maxKeys = 1000
	// maxTried is how many keys with one key id are tried: each costs a
	// verification.
	maxTried = 8
)

// keySet is a set of keys that does not change. A nil one is empty.
type keySet struct {
	all  []Key
	byID map[string][]Key
}

func newKeySet(keys []Key) *keySet {
	s := &keySet{all: keys, byID: make(map[string][]Key, len(keys))}
	for _, k := range keys {
		s.byID[k.ID] = append(s.byID[k.ID], k)
	}
	return s
}

// lookup is [KeySource.Keys].
func (s *keySet) lookup(kid string) []Key {
	switch {
	case s == nil:
		return nil
	case kid == "":
		return s.all
	}
	if keys := s.byID[kid]; len(keys) > 0 {
		return keys
	}
	return s.byID[""]
}
