package sumutest

import (
	"context"
	"strings"

	"github.com/sumu-live/sumu"
)

var (
	_ sumu.Authorizer    = Authorizer{}
	_ sumu.TokenVerifier = Authorizer{}
)

// Authorizer lets in whoever says who he is, with the token "user:ann"; see
// [UserToken]. It verifies nothing: it is for tests whose point is elsewhere.
// The token is looked for where package authorizer looks by default, but for
// sub-protocols, whose names have no colon: the query's "authorization" and the
// header Authorization, with or without the scheme Bearer.
type Authorizer struct {
	// Identity, if set, decides who a user is: his grants, when he must leave,
	// or, by an error, that he may not come in. Default: an identity that has
	// the user's id alone.
	Identity func(user string) (sumu.Identity, error)
}

// UserToken returns the token that an [Authorizer] accepts for a user.
func UserToken(user string) string { return "user:" + user }

// Authorize implements [sumu.Authorizer].
func (a Authorizer) Authorize(ctx context.Context, r *sumu.ConnectRequest) (sumu.Identity, error) {
	for _, values := range [][]string{r.Query["authorization"], r.HeaderValues("Authorization")} {
		for _, v := range values {
			scheme, token, ok := strings.Cut(v, " ")
			if !ok || !strings.EqualFold(scheme, "Bearer") {
				token = v
			}
			if token != "" {
				return a.Verify(ctx, token)
			}
		}
	}
	return sumu.Identity{}, &sumu.Error{Op: "verify token: no token", Kind: sumu.ErrUnauthorized}
}

// Verify implements [sumu.TokenVerifier].
func (a Authorizer) Verify(_ context.Context, token string) (sumu.Identity, error) {
	user, ok := strings.CutPrefix(token, UserToken(""))
	if !ok || sumu.ValidateUserID(user) != nil {
		return sumu.Identity{}, &sumu.Error{Op: "verify token: it is not user:name", Kind: sumu.ErrUnauthorized}
	}
	if a.Identity != nil {
		return a.Identity(user)
	}
	return sumu.Identity{UserID: user}, nil
}
