// Websocket serves all routes of the WebSocket API, behind the authorizer.
//
//	SUMU_CONNECTIONS_TABLE, SUMU_STATE_TABLE  default connections, state
//	SUMU_OUTPUT_TOPIC_ARN   where the action "publish" goes; default: no such action
//	SUMU_OUTPUT_QUEUE_URL   where the action "send" goes; default: no such action
//	SUMU_MANAGEMENT_ENDPOINT  the API's management endpoint; default: told by its events.
//	                          A custom domain whose mapping has a path needs it
package main

import (
	"log/slog"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/awslambda"
	"github.com/sumu-live/sumu/examples/serverless/internal/cloud"
	"github.com/sumu-live/sumu/examples/serverless/internal/env"
	"github.com/sumu-live/sumu/notify/snsnotify"
	"github.com/sumu-live/sumu/notify/sqsnotify"
	"github.com/sumu-live/sumu/pusher/apigw"
)

func main() {
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	h, err := newHandler(env.New(os.LookupEnv), log)
	if err != nil {
		log.Error("websocket does not start", "error", err.Error())
		os.Exit(1)
	}
	lambda.Start(h)
}

func newHandler(e *env.Env, log *slog.Logger) (*awslambda.WebSocket, error) {
	c := cloud.New(e)
	if err := e.Err(); err != nil {
		return nil, err
	}
	store, err := c.Store()
	if err != nil {
		return nil, err
	}
	// The authorizer has verified the token; its context comes with every event.
	app, err := sumu.NewApp(awslambda.ContextAuthorizer(), store)
	if err != nil {
		return nil, err
	}
	if arn := e.String("SUMU_OUTPUT_TOPIC_ARN", ""); arn != "" {
		backend, err := snsnotify.Backend(c.SNS(), arn)
		if err != nil {
			return nil, err
		}
		app.Handle("publish", sumu.ToBackend("apigw.route.publish", backend))
	}
	if url := e.String("SUMU_OUTPUT_QUEUE_URL", ""); url != "" {
		backend, err := sqsnotify.Backend(c.SQS(), url)
		if err != nil {
			return nil, err
		}
		app.Handle("send", sumu.ToBackend("apigw.route.send", backend))
	}
	return awslambda.NewWebSocket(app, func(o *awslambda.WebSocketOptions) {
		o.Endpoint = apigw.EndpointFromDomain
		if fixed := e.String("SUMU_MANAGEMENT_ENDPOINT", ""); fixed != "" {
			o.Endpoint = func(string, string) (string, error) { return apigw.Normalize(fixed) }
		}
		o.Logger = log
	})
}
