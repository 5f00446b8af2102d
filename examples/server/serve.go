package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/sumu-live/sumu/connstore/dynamostore"
	"github.com/sumu-live/sumu/gateway"
	"github.com/sumu-live/sumu/notify/sqsnotify"
)

// run serves until ctx ends, or the listener or the queue fails, then shuts
// down in order.
func run(ctx context.Context, s settings, createTables bool, log *slog.Logger) error {
	// Credentials, profiles and AWS_ENDPOINT_URL_* as in every program of the SDK.
	cloud, err := config.LoadDefaultConfig(ctx, config.WithRegion(s.region),
		config.WithHTTPClient(awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
			t.MaxIdleConnsPerHost = 100 // As many as the pusher's look-ups and records at a time.
		})))
	if err != nil {
		return err
	}
	if createTables {
		if err := dynamostore.CreateTables(ctx, dynamodb.NewFromConfig(cloud), s.tables); err != nil {
			return err
		}
	}
	n, err := newNode(s, cloud, log)
	if err != nil {
		return err
	}
	defer n.remote.Close()
	listener, err := net.Listen("tcp", s.listen)
	if err != nil {
		return err
	}
	return n.serve(ctx, listener)
}

func (n *node) serve(ctx context.Context, listener net.Listener) error {
	web := gateway.Server(n.routes())
	webEnded := make(chan error, 1)
	// Handshakes for /ws are answered below net/http: no middleware is around it.
	go func() { webEnded <- web.Serve(n.gateway.Listener(listener, "/ws")) }()

	pollCtx, stopPoll := context.WithCancel(context.WithoutCancel(ctx))
	defer stopPoll()
	pollEnded := make(chan error, 1)
	go func() { pollEnded <- n.poll(pollCtx) }()

	sweepCtx, stopSweep := context.WithCancel(ctx)
	defer stopSweep()
	var sweeping sync.WaitGroup
	sweeping.Go(func() { n.sweep(sweepCtx) })

	followCtx, stopFollow := context.WithCancel(context.WithoutCancel(ctx))
	defer stopFollow()
	var following sync.WaitGroup
	following.Go(func() { n.follower.run(followCtx) })

	n.log.Info("serving", "addr", listener.Addr().String(), "endpoint", n.gateway.Endpoint())
	var errs []error
	select {
	case <-ctx.Done():
	case err := <-webEnded:
		errs = append(errs, fmt.Errorf("listen: %w", err))
	case err := <-pollEnded:
		errs = append(errs, fmt.Errorf("the queue: %w", err))
		pollEnded <- nil
	}

	// Not ready first, so that nothing new is sent here. Then the sockets: their
	// clients are told, and come back on another node. Notifications are
	// delivered meanwhile, by the others too: the server stays until the end.
	n.log.Info("draining", "sockets", n.gateway.Sockets())
	n.health.draining.Store(true)
	stopSweep()
	deadline, cancel := context.WithTimeout(context.WithoutCancel(ctx), n.settings.drain)
	defer cancel()
	errs = append(errs, n.gateway.Shutdown(deadline))
	// Not before: who leaves with this node is told by it, if it leads.
	stopFollow()
	following.Wait()
	stopPoll()
	errs = append(errs, <-pollEnded, stopWeb(web))
	sweeping.Wait()
	return errors.Join(errs...)
}

// poll delivers what the queue holds until ctx ends.
func (n *node) poll(ctx context.Context) error {
	return sqsnotify.Poll(ctx, n.queue, n.settings.queueURL, n.worker.Handle, func(o *sqsnotify.PollOptions) {
		o.Pollers = 2
		// How soon another node has what one that died, or went while an answer
		// of SQS was on its way, had taken.
		o.Visibility = 10 * time.Second
		o.Probe = n.worker.Probe  // An outage of the tables is waited out, see docs/operating.md.
		o.Grace = 5 * time.Second // What is not done by then comes again, elsewhere.
		o.Logger = n.log
	})
}

// stopWeb lets requests under way finish, for a second.
func stopWeb(web *http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if web.Shutdown(ctx) == nil {
		return nil
	}
	return web.Close()
}
