package authorizer_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/authorizer"
)

// RFC 9864 names the algorithm by its curve; EdDSA is what it was called before.
func TestEd25519IsEdDSA(t *testing.T) {
	iss := issuers["EdDSA"]()
	only := func(algs ...string) func(*authorizer.Options) {
		return func(o *authorizer.Options) { o.Algorithms = algs }
	}
	for _, keyAlg := range []any{nil, "EdDSA", "Ed25519"} {
		for _, alg := range []string{"EdDSA", "Ed25519"} {
			keys := static(t, jwkWith(t, iss, change{"alg": keyAlg}))
			token := signWith(t, iss, change{"alg": alg}, claims())
			for _, opt := range []func(*authorizer.Options){only(), only("EdDSA"), only("Ed25519"), only("RS256", "Ed25519")} {
				if id, err := newAuthorizer(t, keys, opt).Verify(t.Context(), token); err != nil || id.UserID != "ann" {
					t.Errorf("key %v, token %s: %v", keyAlg, alg, err)
				}
			}
			if _, err := newAuthorizer(t, keys, only("ES256")).Verify(t.Context(), token); !errors.Is(err, authorizer.ErrAlgorithm) {
				t.Errorf("key %v, token %s, ES256 alone: %v", keyAlg, alg, err)
			}
		}
	}
	// A source of one's own may name it either way too.
	own := authorizer.KeySourceFunc(func(context.Context, string) ([]authorizer.Key, error) {
		return []authorizer.Key{{Algorithm: "Ed25519", Public: iss.PublicKey()}}, nil
	})
	if _, err := newAuthorizer(t, own).Verify(t.Context(), sign(t, iss, claims())); err != nil {
		t.Errorf("source of one's own: %v", err)
	}
	// A name is no licence: the key must be of that kind, and the case counts.
	es := issuers["ES256"]()
	if _, err := newAuthorizer(t, static(t, es.PEM())).Verify(t.Context(), signWith(t, es, change{"alg": "Ed25519"}, claims())); !errors.Is(err, authorizer.ErrUnknownKey) {
		t.Errorf("Ed25519 by a key on P-256: %v", err)
	}
	keys := static(t, iss.JWKS())
	for _, alg := range []string{"Ed448", "ed25519", "Ed25519ph", "ESP256"} {
		if _, err := newAuthorizer(t, keys).Verify(t.Context(), signWith(t, iss, change{"alg": alg}, claims())); !errors.Is(err, authorizer.ErrAlgorithm) {
			t.Errorf("%s: %v", alg, err)
		}
		if _, err := authorizer.New(keys, func(o *authorizer.Options) {
			o.Issuer, o.Audiences, o.Algorithms = testIssuer, []string{testAudience}, []string{alg}
		}); !errors.Is(err, sumu.ErrInvalid) || !strings.Contains(err.Error(), alg) {
			t.Errorf("Algorithms: %s: %v", alg, err)
		}
	}
	// A key on another curve costs itself.
	doc := fmt.Sprintf(`{"keys":[{"kty":"OKP","crv":"Ed448","alg":"Ed448","kid":"four","x":%q},%s]}`, strings.Repeat("A", 76), jwkWith(t, iss, nil))
	if _, err := newAuthorizer(t, static(t, []byte(doc))).Verify(t.Context(), sign(t, iss, claims())); err != nil {
		t.Errorf("beside a key on Ed448: %v", err)
	}
}
