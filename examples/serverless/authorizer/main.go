// Authorizer is the REQUEST authorizer of the WebSocket API: it verifies the
// token of a client that connects.
//
//	JWT_ISSUER_JWKS_URI       the URL of the issuer's keys; required
//	JWT_AUTHORIZED_AUDIENCES  the aud that a token may have, with commas; required
//	JWT_AUDIENCE_CLAIMS       the claims that name the audience, with commas; default: aud, of Cognito client_id too
//	JWT_ISSUER                the iss; default: told by the URL, for Firebase, Cognito and Auth0
//	JWT_VERIFY_EXPIRATION     false accepts tokens that have no exp; default true
//	JWT_USER_ID_CLAIM         default sub
//	JWT_CLAIMS                the claims to pass on, with commas
//	JWT_GRANTS                such as "join,post:room.{claims.org}.* backend:publish"
//	SUMU_ORIGINS              the pages that may connect, with commas; default: all
//	JWT_INSECURE_ANY_AUDIENCE, JWT_INSECURE_ANY_ISSUER  true: not checked
package main

import (
	"errors"
	"log/slog"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/sumu-live/sumu/awslambda"
	"github.com/sumu-live/sumu/examples/serverless/internal/env"
	"github.com/sumu-live/sumu/examples/serverless/internal/roots"
	"github.com/sumu-live/sumu/examples/serverless/internal/tokens"
)

func main() {
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	h, err := newHandler(env.New(os.LookupEnv), log)
	if err = errors.Join(err, roots.Once(roots.Bundle)); err != nil {
		log.Error("authorizer does not start", "error", err.Error())
		os.Exit(1)
	}
	lambda.Start(h)
}

func newHandler(e *env.Env, log *slog.Logger) (*awslambda.Authorizer, error) {
	auth, err := tokens.Authorizer(e, log)
	if err != nil {
		return nil, err
	}
	return awslambda.NewAuthorizer(auth, func(o *awslambda.AuthorizerOptions) {
		o.Origins, o.Logger = e.List("SUMU_ORIGINS"), log
	})
}
