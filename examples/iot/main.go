// Iot is sumu on AWS IoT Core: four functions, of one binary. template.yaml
// deploys them.
//
//	SUMU_PART  vendor, lifecycle, pusher or backend; required
//
// The vendor gives clients credentials, by a function URL:
//
//	SUMU_CLIENT_ROLE_ARN      the role whose sessions clients get; required
//	SUMU_IOT_ENDPOINT         the account's data endpoint, a1b2c3-ats.iot.eu-west-1.amazonaws.com; required
//	SUMU_SESSION              how long a session lives, 15m to 1h; default 1h
//	JWT_ISSUER_JWKS_URI       the URL of the issuer's keys; required
//	JWT_AUTHORIZED_AUDIENCES  the aud that a token may have, with commas; required
//	JWT_AUDIENCE_CLAIMS       the claims that name the audience, with commas; default: aud, of Cognito client_id too
//	JWT_ISSUER                the iss; default: told by the URL, for Firebase, Cognito and Auth0
//	JWT_GRANTS                such as "join,post:room.{claims.org}"
//	SUMU_BACKEND              true: clients may publish to backends; default false
//	SUMU_ORIGINS              the pages that may ask for credentials, with commas; default: all
//
// The lifecycle keeps the connections table:
//
//	SUMU_CLIENT_ROLE_ID  the unique id of that role: others' clients are ignored
//
// The pusher pushes the notifications that come by a queue:
//
//	SUMU_REQUESTS_QUEUE_URL  where what remains is sent: a queue of this function; required
//	SUMU_IOT_ENDPOINT        as above; required
//
// The backend hands on what clients publish for backends, as it comes by a queue:
//
//	SUMU_OUTPUT_TOPIC_ARN  where the action "publish" goes; default: no such action
//	SUMU_OUTPUT_QUEUE_URL  where the action "send" goes; default: no such action
//
// The lifecycle and the pusher share SUMU_CONNECTIONS_TABLE and SUMU_STATE_TABLE, by default
// connections and state.
package main

import (
	"log/slog"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/sumu-live/sumu/awslambda"
)

func main() {
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	h, err := newHandler(&settings{lookup: os.LookupEnv}, log)
	if err != nil {
		log.Error("iot does not start", "error", err.Error())
		os.Exit(1)
	}
	lambda.Start(h)
}

func newHandler(s *settings, log *slog.Logger) (awslambda.Handler, error) {
	switch part := s.required("SUMU_PART"); part {
	case "vendor":
		return newVendor(s, log)
	case "lifecycle":
		return newLifecycle(s, log)
	case "pusher":
		return newPusher(s, log)
	case "backend":
		return newBackend(s, log)
	case "":
	default:
		s.bad("SUMU_PART", "is none of vendor, lifecycle, pusher and backend")
	}
	return nil, s.err()
}
