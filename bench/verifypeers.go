package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jwt"
)

// jwxVerifier checks what the authorizer does: signature, key id, issuer,
// audience, times with the same skew, and that exp and sub are there.
func jwxVerifier(jwks []byte, token string) (func() error, error) {
	set, err := jwk.Parse(jwks)
	if err != nil {
		return nil, err
	}
	raw := []byte(token)
	return func() error {
		tok, err := jwt.Parse(raw,
			jwt.WithKeySet(set),
			jwt.WithIssuer(tokenIssuer),
			jwt.WithAudience(tokenAudience),
			jwt.WithRequiredClaim(jwt.ExpirationKey),
			jwt.WithRequiredClaim(jwt.SubjectKey),
			jwt.WithAcceptableSkew(30*time.Second),
		)
		if err == nil && tok.Subject() != tokenUser {
			err = fmt.Errorf("token is taken for %q", tok.Subject())
		}
		return err
	}, nil
}

var errSignature = errors.New("signature does not verify")

// rawVerifier hashes and verifies; everything else is done before.
func rawVerifier(alg string, key crypto.PublicKey, token string) (func() error, error) {
	dot := strings.LastIndexByte(token, '.')
	signed := []byte(token[:dot])
	sig, err := base64.RawURLEncoding.DecodeString(token[dot+1:])
	if err != nil {
		return nil, err
	}
	var valid func() bool
	switch pub := key.(type) {
	case *rsa.PublicKey:
		valid = func() bool {
			digest := sha256.Sum256(signed)
			return rsa.VerifyPKCS1v15(pub, crypto.SHA256, digest[:], sig) == nil
		}
	case *ecdsa.PublicKey:
		r, s := new(big.Int).SetBytes(sig[:len(sig)/2]), new(big.Int).SetBytes(sig[len(sig)/2:])
		valid = func() bool {
			digest := sha256.Sum256(signed)
			return ecdsa.Verify(pub, digest[:], r, s)
		}
	case ed25519.PublicKey:
		valid = func() bool { return ed25519.Verify(pub, signed, sig) }
	default:
		return nil, fmt.Errorf("no signature of %s", alg)
	}
	return func() error {
		if !valid() {
			return errSignature
		}
		return nil
	}, nil
}
