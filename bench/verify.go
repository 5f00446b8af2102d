package main

import (
	"context"
	"fmt"
	"time"

	"github.com/sumu-live/sumu/authorizer"
	"github.com/sumu-live/sumu/internal/issuer"
)

const (
	tokenIssuer   = "https://id.example.com/"
	tokenAudience = "chat"
	tokenUser     = "ann"
)

// verifiers are three ways to check the same token.
type verifiers struct {
	ours func() error // authorizer.Verify
	jwx  func() error // jwt.Parse, which makes the same checks
	raw  func() error // the signature alone, with nothing to parse
}

// addVerify compares the authorizer with jwx alone, and with the signature alone.
func addVerify(ctx context.Context, cfg *config, t *table) error {
	for _, alg := range []string{"RS256", "ES256", "EdDSA"} {
		v, err := newVerifiers(ctx, alg)
		if err != nil {
			return fmt.Errorf("verify %s: %w", alg, err)
		}
		name := "verify " + alg
		jwx := row{name: name, peer: "jwx jwt.Parse, same checks", scale: perToken}
		allocs := row{name: name, peer: jwx.peer, scale: tokenAllocs}
		raw := row{name: name, peer: "the signature alone", scale: perToken}
		for range cfg.rounds {
			ours, err := measure(cfg.sample, v.ours)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			parse, err := measure(cfg.sample, v.jwx)
			if err != nil {
				return fmt.Errorf("%s, jwx: %w", name, err)
			}
			alone, err := measure(cfg.sample, v.raw)
			if err != nil {
				return fmt.Errorf("%s, raw: %w", name, err)
			}
			jwx.ours, jwx.theirs = append(jwx.ours, ours.nanos), append(jwx.theirs, parse.nanos)
			allocs.ours, allocs.theirs = append(allocs.ours, ours.allocs), append(allocs.theirs, parse.allocs)
			raw.ours, raw.theirs = append(raw.ours, ours.nanos), append(raw.theirs, alone.nanos)
		}
		t.add(jwx)
		t.add(allocs)
		t.add(raw)
	}
	return nil
}

func newVerifiers(ctx context.Context, alg string) (verifiers, error) {
	iss, err := issuer.New(alg)
	if err != nil {
		return verifiers{}, err
	}
	now := time.Now()
	token, err := iss.Sign(map[string]any{
		"iss": tokenIssuer, "aud": tokenAudience, "sub": tokenUser,
		"iat": now.Unix(), "exp": now.Add(24 * time.Hour).Unix(),
	})
	if err != nil {
		return verifiers{}, err
	}
	keys, err := authorizer.StaticKeys(iss.JWKS())
	if err != nil {
		return verifiers{}, err
	}
	auth, err := authorizer.New(keys, func(o *authorizer.Options) {
		o.Issuer, o.Audiences = tokenIssuer, []string{tokenAudience}
	})
	if err != nil {
		return verifiers{}, err
	}
	v := verifiers{ours: func() error {
		id, err := auth.Verify(ctx, token)
		if err == nil && id.UserID != tokenUser {
			err = fmt.Errorf("token is taken for %q", id.UserID)
		}
		return err
	}}
	if v.jwx, err = jwxVerifier(iss.JWKS(), token); err != nil {
		return verifiers{}, err
	}
	v.raw, err = rawVerifier(alg, iss.PublicKey(), token)
	return v, err
}
