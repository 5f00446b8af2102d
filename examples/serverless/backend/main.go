// Backend is what your own code may look like: it answers what clients send,
// and tells everyone who comes and goes.
//
//	SUMU_REQUESTS_QUEUE_URL  the queue of the pusher; required
//	SUMU_CONNECTIONS_TABLE, SUMU_STATE_TABLE  default connections, state
package main

import (
	"errors"
	"log/slog"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/sumu-live/sumu/awslambda"
	"github.com/sumu-live/sumu/examples/serverless/internal/cloud"
	"github.com/sumu-live/sumu/examples/serverless/internal/env"
	"github.com/sumu-live/sumu/examples/serverless/internal/roots"
	"github.com/sumu-live/sumu/notify/sqsnotify"
	"github.com/sumu-live/sumu/presence"
)

func main() {
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	h, err := newHandler(env.New(os.LookupEnv), log)
	if err = errors.Join(err, roots.Once(roots.Bundle)); err != nil {
		log.Error("backend does not start", "error", err.Error())
		os.Exit(1)
	}
	lambda.Start(h)
}

func newHandler(e *env.Env, log *slog.Logger) (*awslambda.Backend, error) {
	c := cloud.New(e)
	queueURL := e.Required("SUMU_REQUESTS_QUEUE_URL")
	if err := e.Err(); err != nil {
		return nil, err
	}
	store, err := c.Store()
	if err != nil {
		return nil, err
	}
	client, err := sqsnotify.New(c.SQS(), queueURL)
	if err != nil {
		return nil, err
	}
	d := demo{client: client, store: store}
	everyoneElse := presence.ToNotify(client)
	return awslambda.NewBackend(awslambda.BackendOptions{
		Message: d.message, Presence: everyoneElse.PublishPresence, Concurrency: 10, Logger: log,
	})
}
