// Package tokens makes what verifies the tokens of clients, from the settings
// that the functions share:
//
//	JWT_ISSUER_JWKS_URI       the URL of the issuer's keys; required
//	JWT_AUTHORIZED_AUDIENCES  the aud that a token may have, with commas; required
//	JWT_AUDIENCE_CLAIMS       the claims that name the audience, with commas; default: aud, of Cognito client_id too
//	JWT_ISSUER                the iss; default: told by the URL, for Firebase, Cognito and Auth0
//	JWT_VERIFY_EXPIRATION     false accepts tokens that have no exp; default true
//	JWT_USER_ID_CLAIM         default sub
//	JWT_CLAIMS                the claims to pass on, with commas
//	JWT_GRANTS                such as "join,post:room.{claims.org}.* backend:publish"
//	JWT_INSECURE_ANY_AUDIENCE, JWT_INSECURE_ANY_ISSUER  true: not checked
package tokens

import (
	"log/slog"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/authorizer"
	"github.com/sumu-live/sumu/examples/serverless/internal/env"
)

// Authorizer returns what verifies tokens, or all that is wrong with the
// environment so far.
func Authorizer(e *env.Env, log *slog.Logger) (sumu.Authorizer, error) {
	url := e.Required("JWT_ISSUER_JWKS_URI")
	audiences := e.List("JWT_AUTHORIZED_AUDIENCES")
	anyAudience, anyIssuer := e.Bool("JWT_INSECURE_ANY_AUDIENCE", false), e.Bool("JWT_INSECURE_ANY_ISSUER", false)
	if len(audiences) == 0 && !anyAudience {
		e.Bad("JWT_AUTHORIZED_AUDIENCES", "is not set; or set JWT_INSECURE_ANY_AUDIENCE to true")
	}
	// What the provider's tokens need, where the URL tells whose they are.
	opts, told := authorizer.OptionsOf(url, audiences...)
	issuer := e.String("JWT_ISSUER", "")
	if issuer != "" || anyIssuer {
		opts.Issuer = issuer
	} else if !told {
		e.Bad("JWT_ISSUER", "is not set, and the URL of the keys does not tell it; or set JWT_INSECURE_ANY_ISSUER to true")
	}
	if claims := e.List("JWT_AUDIENCE_CLAIMS"); claims != nil {
		opts.AudienceClaims = claims
	}
	var grants sumu.Grants
	if err := grants.UnmarshalText([]byte(e.String("JWT_GRANTS", ""))); err != nil {
		e.Bad("JWT_GRANTS", "is not a list of grants: %v", err)
	}
	noExpiry := !e.Bool("JWT_VERIFY_EXPIRATION", true)
	if err := e.Err(); err != nil {
		return nil, err
	}
	keys, err := authorizer.JWKS(url, func(o *authorizer.JWKSOptions) { o.Logger = log })
	if err != nil {
		return nil, err
	}
	return authorizer.New(keys, func(o *authorizer.Options) {
		*o = opts
		o.InsecureAnyIssuer, o.InsecureAnyAudience = anyIssuer, anyAudience
		o.InsecureNoExpiry = noExpiry
		o.UserIDClaim = e.String("JWT_USER_ID_CLAIM", "")
		o.Claims, o.Grants = e.List("JWT_CLAIMS"), grants
	})
}
