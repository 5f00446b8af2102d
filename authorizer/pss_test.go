package authorizer_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha256" // Linked in for crypto.Hash.
	_ "crypto/sha512" // Linked in for crypto.Hash.
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/sumu-live/sumu/authorizer"
	"github.com/sumu-live/sumu/internal/issuer"
)

func oneKey(k authorizer.Key) authorizer.KeySource {
	return authorizer.KeySourceFunc(func(context.Context, string) ([]authorizer.Key, error) { return []authorizer.Key{k}, nil })
}

// RFC 7518, section 3.5: the salt is as long as the hash. The mask is made with
// the same hash (MGF1); crypto/rsa makes no other.
func TestSaltIsAsLongAsTheHash(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	bare := newAuthorizer(t, oneKey(authorizer.Key{Public: key.Public()}))
	payload, err := json.Marshal(claims())
	if err != nil {
		t.Fatal(err)
	}
	for alg, hash := range map[string]crypto.Hash{"PS256": crypto.SHA256, "PS384": crypto.SHA384, "PS512": crypto.SHA512} {
		named := newAuthorizer(t, oneKey(authorizer.Key{Algorithm: alg, Public: key.Public()}))
		most := key.Size() - hash.Size() - 2
		for _, tc := range []struct {
			salt, want int // want 0: accepted
		}{{hash.Size(), 0}, {rsa.PSSSaltLengthEqualsHash, 0}, {1, 1}, {hash.Size() - 1, 1}, {hash.Size() + 1, 1}, {20, 1}, {most, 1}, {rsa.PSSSaltLengthAuto, 1}} {
			token, err := issuer.Compact(fmt.Appendf(nil, `{"alg":%q}`, alg), payload, func(input []byte) ([]byte, error) {
				h := hash.New()
				h.Write(input)
				return key.Sign(rand.Reader, h.Sum(nil), &rsa.PSSOptions{SaltLength: tc.salt, Hash: hash})
			})
			if err != nil {
				t.Fatal(err)
			}
			var want error
			if tc.want != 0 {
				want = authorizer.ErrSignature
			}
			for name, a := range map[string]*authorizer.Authorizer{"named": named, "bare": bare} {
				if id, err := a.Verify(t.Context(), token); !errors.Is(err, want) || (err == nil) != (id.UserID == "ann") {
					t.Errorf("%s, salt of %d bytes, %s key: %q, %v, want %v", alg, tc.salt, name, id.UserID, err, want)
				}
			}
		}
	}
}
