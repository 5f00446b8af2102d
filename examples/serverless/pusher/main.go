// Pusher pushes the notifications that come by SQS, SNS or Kinesis.
//
//	SUMU_CONNECTIONS_TABLE, SUMU_STATE_TABLE  default connections, state
//	SUMU_REQUESTS_QUEUE_URL  where what remains is sent: a queue of this function; required
//	SUMU_REJECT_QUEUE_URL    where requests of topics and streams go that are not valid
//	SUMU_STREAM_EVENTS       true: records of streams are events, {"MessageType":…,"Message":…},
//	                         and not requests
//	SUMU_REQUIRE_EVERYONE    true: a request is for everyone only if it says "everyone": true,
//	                         and not because it names nobody; default: false, as the original's
//	SUMU_MANAGEMENT_HOSTS    the hosts of the APIs that hold connections, with commas
//	SUMU_MANAGEMENT_ENDPOINT the management endpoint of rows that name none, as the original
//	                         stack writes them; its host is one of the hosts. One of the two is required
package main

import (
	"context"
	"errors"
	"log/slog"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/awslambda"
	"github.com/sumu-live/sumu/events"
	"github.com/sumu-live/sumu/examples/serverless/internal/cloud"
	"github.com/sumu-live/sumu/examples/serverless/internal/env"
	"github.com/sumu-live/sumu/examples/serverless/internal/roots"
	"github.com/sumu-live/sumu/notify/sqsnotify"
	"github.com/sumu-live/sumu/pusher"
	"github.com/sumu-live/sumu/pusher/apigw"
)

func main() {
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	h, err := newHandler(env.New(os.LookupEnv), log)
	if err = errors.Join(err, roots.Once(roots.Bundle)); err != nil {
		log.Error("pusher does not start", "error", err.Error())
		os.Exit(1)
	}
	lambda.Start(h)
}

func newHandler(e *env.Env, log *slog.Logger) (*awslambda.Pusher, error) {
	c := cloud.New(e)
	queueURL := e.Required("SUMU_REQUESTS_QUEUE_URL")
	hosts, fallback := e.List("SUMU_MANAGEMENT_HOSTS"), e.String("SUMU_MANAGEMENT_ENDPOINT", "")
	if len(hosts) == 0 && fallback == "" {
		e.Bad("SUMU_MANAGEMENT_HOSTS", "is not set, and no SUMU_MANAGEMENT_ENDPOINT")
	}
	streamEvents, require := e.Bool("SUMU_STREAM_EVENTS", false), e.Bool("SUMU_REQUIRE_EVERYONE", false)
	if err := e.Err(); err != nil {
		return nil, err
	}
	store, err := c.Store()
	if err != nil {
		return nil, err
	}
	sender, err := apigw.New(c.Config.Credentials, c.Config.Region, func(o *apigw.Options) {
		o.AllowedHosts, o.Endpoint = hosts, fallback
	})
	if err != nil {
		return nil, err
	}
	push, err := pusher.New(store, sender, func(o *pusher.Options) { o.RequireEveryone = require })
	if err != nil {
		return nil, err
	}
	queue, err := sqsnotify.New(c.SQS(), queueURL)
	if err != nil {
		return nil, err
	}
	worker, err := pusher.NewWorker(push, queue, func(o *pusher.WorkerOptions) { o.Records = store })
	if err != nil {
		return nil, err
	}
	return awslambda.NewPusher(worker, func(o *awslambda.PusherOptions) {
		o.Logger = log
		if streamEvents {
			o.Decode = events.Records
		}
		if url := e.String("SUMU_REJECT_QUEUE_URL", ""); url != "" {
			client := c.SQS()
			o.Reject = func(ctx context.Context, d sumu.Delivery, _ error) error {
				return cloud.SendLater(ctx, client, url, string(d.Body), 0)
			}
		}
	})
}
