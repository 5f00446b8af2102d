// Presence follows the stream of the connections table and tells who comes and
// goes. It serves three sources: the stream, the queue of delayed checks, and a
// schedule of every minute or so, which sweeps expired rows and repairs what
// was lost.
//
//	SUMU_CONNECTIONS_TABLE, SUMU_STATE_TABLE  default connections, state
//	SUMU_PRESENCE_TOPIC_ARN  where events go; required
//	SUMU_CHECKS_QUEUE_URL    the queue of delayed checks; required
//	SUMU_PRESENCE_GRACE      how long a user may be away unnoticed; default 10s
package main

import (
	"context"
	"log/slog"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/sumu-live/sumu/awslambda"
	"github.com/sumu-live/sumu/examples/serverless/internal/cloud"
	"github.com/sumu-live/sumu/examples/serverless/internal/env"
	"github.com/sumu-live/sumu/notify/snsnotify"
	"github.com/sumu-live/sumu/presence"
)

func main() {
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	h, err := newHandler(env.New(os.LookupEnv), log)
	if err != nil {
		log.Error("presence does not start", "error", err.Error())
		os.Exit(1)
	}
	lambda.Start(h)
}

func newHandler(e *env.Env, log *slog.Logger) (*awslambda.Mux, error) {
	c := cloud.New(e)
	topic, checks := e.Required("SUMU_PRESENCE_TOPIC_ARN"), e.Required("SUMU_CHECKS_QUEUE_URL")
	grace := e.Duration("SUMU_PRESENCE_GRACE", 10*time.Second)
	if err := e.Err(); err != nil {
		return nil, err
	}
	store, err := c.Store()
	if err != nil {
		return nil, err
	}
	publisher, err := snsnotify.Presence(c.SNS(), topic)
	if err != nil {
		return nil, err
	}
	queue := c.SQS()
	later := func(ctx context.Context, userID string, after time.Duration) error {
		return cloud.SendLater(ctx, queue, checks, awslambda.CheckMessage(userID), after)
	}
	watcher, err := presence.New(store, publisher, func(o *presence.Options) {
		o.Grace, o.Delay = grace, later
	})
	if err != nil {
		return nil, err
	}
	h, err := awslambda.NewPresence(watcher, func(o *awslambda.PresenceOptions) { o.Later, o.Logger = later, log })
	if err != nil {
		return nil, err
	}
	schedule, err := awslambda.NewSchedule(
		func(ctx context.Context) error { _, err := store.SweepExpired(ctx, 0); return err },
		func(ctx context.Context) error { _, err := watcher.Reconcile(ctx); return err },
	)
	if err != nil {
		return nil, err
	}
	return awslambda.NewMux(
		awslambda.Route{Kind: awslambda.KindDynamoDB, Handler: h},
		awslambda.Route{Kind: awslambda.KindSQS, Handler: h},
		awslambda.Route{Kind: awslambda.KindSchedule, Handler: schedule},
	)
}
