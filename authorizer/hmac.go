package authorizer

import (
	"bytes"
	"context"
	"slices"

	"github.com/lestrrat-go/jwx/v2/jwa"
)

// minSecret is the shortest secret in bytes: the output of SHA-256, as RFC 7518
// (3.2) demands.
const minSecret = 32

// hmacSecret holds its bytes in a func: no verb of package fmt shows them,
// not even those that follow pointers.
type hmacSecret struct{ bytes func() []byte }

// HMAC returns a source for tokens that are signed with a secret which the
// issuer shares with this service: whoever verifies can sign too, so prefer
// public keys where the issuer has them. algs are the algorithms to accept,
// HS256, HS384 or HS512; none: HS256. An [Authorizer] with this source accepts
// no other algorithm, and one with any other source accepts none of these.
//
// The secret is random bytes, at least as many as the algorithm's hash has: 32,
// 48 or 64. ErrInvalid is returned for a shorter one, for a document of keys
// (PEM or JSON), which is no secret, and for an algorithm that is not known.
func HMAC(secret []byte, algs ...string) (KeySource, error) {
	if len(algs) == 0 {
		algs = []string{jwa.HS256.String()}
	}
	var errs []error
	if text := bytes.TrimSpace(secret); bytes.HasPrefix(text, []byte("-----BEGIN ")) || bytes.HasPrefix(text, []byte("{")) {
		// Most likely a public key, which everybody may have.
		errs = append(errs, invalid("the secret is a document of keys; HMAC needs random bytes"))
	}
	if len(secret) < minSecret {
		errs = append(errs, invalid("the secret has %d bytes; at least %d are needed", len(secret), minSecret))
	}
	secret = slices.Clone(secret)
	shared := &hmacSecret{bytes: func() []byte { return secret }}
	known := hmacAlgorithms()
	var keys []Key
	for _, alg := range slices.Compact(slices.Sorted(slices.Values(algs))) {
		sigLen := known[jwa.SignatureAlgorithm(alg)]
		switch {
		case sigLen == nil:
			errs = append(errs, invalid("%q is not an HMAC algorithm; HS256, HS384 and HS512 are", alg))
		case len(secret) >= minSecret && sigLen(shared) == 0:
			errs = append(errs, invalid("the secret has %d bytes, too few for %s", len(secret), alg))
		}
		keys = append(keys, Key{Algorithm: alg, secret: shared})
	}
	if err := joined(errs); err != nil {
		return nil, err
	}
	return &hmacKeys{newKeySet(keys)}, nil
}

type hmacKeys struct{ set *keySet }

func (h *hmacKeys) Keys(_ context.Context, kid string) ([]Key, error) {
	return h.set.lookup(kid), nil
}
