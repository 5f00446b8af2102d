package authorizer

import (
	"errors"

	"github.com/sumu-live/sumu"
)

// Why a token was refused. Each comes inside a [sumu.Error] of the kind
// [sumu.ErrUnauthorized] (401), but ErrAudience, whose kind is
// [sumu.ErrForbidden] (403). No error holds the token or any part of it.
var (
	// ErrNoToken: no source of the request has a token.
	ErrNoToken = errors.New("no token")
	// ErrTokenTooLong: the token has more than [Options.MaxToken] bytes.
	ErrTokenTooLong = errors.New("token is too long")
	// ErrMalformed: not a compact JWS whose header and payload are JSON
	// objects without a duplicate member.
	ErrMalformed = errors.New("token is malformed")
	// ErrHeader: the header asks for what is never done: crit, b64,
	// compression, encryption, a nested token, or a token of another purpose.
	ErrHeader = errors.New("token header is not supported")
	// ErrAlgorithm: "none", an algorithm that is not known or not among
	// [Options.Algorithms], or an HMAC where [HMAC] is not the source.
	ErrAlgorithm = errors.New("token algorithm is not allowed")
	// ErrUnknownKey: no key of the source has the token's key id and fits its
	// algorithm, or the token names none and not exactly one key fits.
	ErrUnknownKey = errors.New("no key fits the token")
	// ErrSignature: the signature does not verify.
	ErrSignature = errors.New("token signature does not verify")
	// ErrClaims: a claim is missing, or its value is not what it must be.
	ErrClaims = errors.New("token claims are not acceptable")
	// ErrTokenExpired: exp has passed.
	ErrTokenExpired = errors.New("token has expired")
	// ErrNotYetValid: nbf or iat is in the future.
	ErrNotYetValid = errors.New("token is not valid yet")
	// ErrIssuer: iss is neither [Options.Issuer] nor among [Options.Issuers].
	ErrIssuer = errors.New("token is from another issuer")
	// ErrUserID: the user id claim is missing, not a string, or one that
	// [sumu.Identity.Validate] refuses.
	ErrUserID = errors.New("token names no acceptable user")
	// ErrAudience: the token names none of [Options.Audiences].
	ErrAudience = errors.New("token is for another audience")
	// ErrTicket: the ticket is not known, was used, or has expired.
	ErrTicket = errors.New("ticket is not valid")
)

const opVerify = "verify token"

// refuse gives the reason why a token is refused its kind.
func refuse(reason error) error {
	return &sumu.Error{Op: opVerify, Kind: kindOf(reason), Err: reason}
}

func kindOf(reason error) error {
	if errors.Is(reason, ErrAudience) {
		return sumu.ErrForbidden
	}
	return sumu.ErrUnauthorized
}
