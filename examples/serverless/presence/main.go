// Presence follows the stream of the connections table and tells who comes and
// goes. It serves three sources: the stream, the queue of delayed checks, and a
// schedule of every minute or so, which sweeps the rows of connections that died
// silently and repairs what was lost.
//
//	SUMU_CONNECTIONS_TABLE, SUMU_STATE_TABLE  default connections, state
//	SUMU_PRESENCE_TOPIC_ARN  where events go: one of these two, or both
//	SUMU_PRESENCE_QUEUE_URL
//	SUMU_CHECKS_QUEUE_URL    the queue of delayed checks; required
//	SUMU_PRESENCE_GRACE      how long a user may be away unnoticed; default 10s
//	SUMU_MANAGEMENT_HOSTS    as pusher has them: with one of the two, old rows are checked
//	SUMU_MANAGEMENT_ENDPOINT with API Gateway (GetConnection), without only expired ones go
package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/awslambda"
	"github.com/sumu-live/sumu/connstore/dynamostore"
	"github.com/sumu-live/sumu/connstore/sweep"
	"github.com/sumu-live/sumu/examples/serverless/internal/cloud"
	"github.com/sumu-live/sumu/examples/serverless/internal/env"
	"github.com/sumu-live/sumu/examples/serverless/internal/roots"
	"github.com/sumu-live/sumu/notify/snsnotify"
	"github.com/sumu-live/sumu/notify/sqsnotify"
	"github.com/sumu-live/sumu/presence"
	"github.com/sumu-live/sumu/pusher/apigw"
)

func main() {
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	h, err := newHandler(env.New(os.LookupEnv), log)
	if err = errors.Join(err, roots.Once(roots.Bundle)); err != nil {
		log.Error("presence does not start", "error", err.Error())
		os.Exit(1)
	}
	lambda.Start(h)
}

func newHandler(e *env.Env, log *slog.Logger) (*awslambda.Mux, error) {
	c := cloud.New(e)
	checks := e.Required("SUMU_CHECKS_QUEUE_URL")
	topic, events := e.String("SUMU_PRESENCE_TOPIC_ARN", ""), e.String("SUMU_PRESENCE_QUEUE_URL", "")
	if topic == "" && events == "" {
		e.Bad("SUMU_PRESENCE_TOPIC_ARN", "is not set, and no SUMU_PRESENCE_QUEUE_URL")
	}
	grace := e.Duration("SUMU_PRESENCE_GRACE", 10*time.Second)
	if err := e.Err(); err != nil {
		return nil, err
	}
	store, err := c.Store()
	if err != nil {
		return nil, err
	}
	publisher, err := destination(c, topic, events)
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
	sweeper, err := newSweeper(e, c, store, log)
	if err != nil {
		return nil, err
	}
	schedule, err := awslambda.NewSchedule(
		sweeper.Sweep,
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

// destination is the topic, the queue, or both. An event that one of them did
// not take goes to both again: its version tells the second from the first.
func destination(c *cloud.Cloud, topicARN, queueURL string) (sumu.PresencePublisher, error) {
	var all []sumu.PresencePublisher
	if topicARN != "" {
		p, err := snsnotify.Presence(c.SNS(), topicARN)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	if queueURL != "" {
		p, err := sqsnotify.Presence(c.SQS(), queueURL)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return presence.Several(all...), nil
}

// newSweeper removes expired rows, and those whose connection API Gateway says
// is gone; without its address, expired ones alone.
func newSweeper(e *env.Env, c *cloud.Cloud, store *dynamostore.StateStore, log *slog.Logger) (*sweep.Sweeper, error) {
	options := func(o *sweep.Options) { o.Positions, o.Logger = store, log }
	hosts, fallback := e.List("SUMU_MANAGEMENT_HOSTS"), e.String("SUMU_MANAGEMENT_ENDPOINT", "")
	if len(hosts) == 0 && fallback == "" {
		return sweep.New(store, options)
	}
	sender, err := apigw.New(c.Config.Credentials, c.Config.Region, func(o *apigw.Options) {
		o.AllowedHosts, o.Endpoint = hosts, fallback
	})
	if err != nil {
		return nil, err
	}
	return sweep.New(store, options, func(o *sweep.Options) {
		o.Check = sweep.CheckerFunc(func(ctx context.Context, conn sumu.Connection) error {
			_, err := sender.Get(ctx, conn)
			return err
		})
	})
}
