// Websocket serves all routes of the WebSocket API: behind the authorizer, or
// without one, where it verifies the token in $connect itself.
//
//	JWT_ISSUER_JWKS_URI     the URL of the issuer's keys: there is no authorizer. The
//	                        authorizer's other settings, JWT_… and SUMU_ORIGINS, are
//	                        then this one's.
//	                        It keeps who a connection is in the state table: a write for
//	                        each connection, a read for each message
//	SUMU_CONNECTIONS_TABLE, SUMU_STATE_TABLE  default connections, state
//	SUMU_OUTPUT_TOPIC_ARN   where the action "publish" goes; default: no such action
//	SUMU_OUTPUT_QUEUE_URL   where the action "send" goes; default: no such action
//	SUMU_REQUESTS_QUEUE_URL the queue of the pusher: clients join channels and send to them,
//	                        and subscribe to events and submit them, as their grants say;
//	                        default: no such actions
//	SUMU_DEFAULT_CHANNEL    a channel that every connection joins; default: none
//	SUMU_OPEN               true: every client may use every channel and event; for demos
//	SUMU_MAX_CONNECTIONS    how many connections a user may have; default 0: any number
//	SUMU_EVICT_OLDEST       true: one more takes the place of the oldest; default: it is refused
//	SUMU_MANAGEMENT_ENDPOINT  the API's management endpoint; default: told by its events.
//	                          A custom domain whose mapping has a path needs it
package main

import (
	"errors"
	"log/slog"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/awslambda"
	"github.com/sumu-live/sumu/channels"
	"github.com/sumu-live/sumu/events"
	"github.com/sumu-live/sumu/examples/serverless/internal/cloud"
	"github.com/sumu-live/sumu/examples/serverless/internal/env"
	"github.com/sumu-live/sumu/examples/serverless/internal/roots"
	"github.com/sumu-live/sumu/examples/serverless/internal/tokens"
	"github.com/sumu-live/sumu/notify/snsnotify"
	"github.com/sumu-live/sumu/notify/sqsnotify"
	"github.com/sumu-live/sumu/pusher/apigw"
)

func main() {
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	h, err := newHandler(env.New(os.LookupEnv), log)
	if err = errors.Join(err, roots.Once(roots.Bundle)); err != nil {
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
	auth, identities := awslambda.ContextAuthorizer(), sumu.StateStore(nil)
	if e.String("JWT_ISSUER_JWKS_URI", "") != "" {
		if auth, err = tokens.Authorizer(e, log); err != nil {
			return nil, err
		}
		identities = store
	}
	most, evict := e.Count("SUMU_MAX_CONNECTIONS", 0), e.Bool("SUMU_EVICT_OLDEST", false)
	if err := e.Err(); err != nil {
		return nil, err
	}
	app, err := sumu.NewApp(auth, store, func(o *sumu.AppOptions) {
		o.MaxConnections, o.EvictOldest = most, evict && most > 0
		o.Origins = e.List("SUMU_ORIGINS")
	})
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
	if url := e.String("SUMU_REQUESTS_QUEUE_URL", ""); url != "" {
		client, err := sqsnotify.New(c.SQS(), url)
		if err != nil {
			return nil, err
		}
		if err := attach(e, app, store, client); err != nil {
			return nil, err
		}
	}
	return awslambda.NewWebSocket(app, func(o *awslambda.WebSocketOptions) {
		o.Endpoint = apigw.EndpointFromDomain
		if fixed := e.String("SUMU_MANAGEMENT_ENDPOINT", ""); fixed != "" {
			o.Endpoint = func(string, string) (string, error) { return apigw.Normalize(fixed) }
		}
		o.Identities, o.Logger = identities, log
	})
}

// attach has clients use channels and events.
func attach(e *env.Env, app *sumu.App, store sumu.Store, client sumu.NotifyClient) error {
	open, first := e.Bool("SUMU_OPEN", false), e.String("SUMU_DEFAULT_CHANNEL", "")
	if err := e.Err(); err != nil {
		return err
	}
	rooms, err := channels.New(store, client, func(o *channels.Options) { o.Open, o.Default = open, first })
	if err != nil {
		return err
	}
	feed, err := events.New(store, func(o *events.Options) { o.Open = open })
	if err != nil {
		return err
	}
	app.Handle("submitIotEvent", feed.Submit(client))
	return errors.Join(rooms.Attach(app), feed.Attach(app))
}
