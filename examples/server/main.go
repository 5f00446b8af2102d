// Server is one node of many: WebSockets on machines of your own, connections
// in DynamoDB, notifications through SQS. Any node takes a notification, and any
// node delivers it, to its own sockets in process and to those of the others
// through their management APIs.
//
//	go run ./examples/server
//
// Its settings are in README.md. Start reading at newNode: it is what your own
// program does.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/authorizer"
	"github.com/sumu-live/sumu/connstore/dynamostore"
	"github.com/sumu-live/sumu/connstore/sweep"
	"github.com/sumu-live/sumu/gateway"
	"github.com/sumu-live/sumu/notify/sqsnotify"
	"github.com/sumu-live/sumu/pusher"
	"github.com/sumu-live/sumu/pusher/apigw"
)

func main() {
	createTables := flag.Bool("create-tables", false, "create the tables first, for work on your own machine")
	flag.Parse()
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // A second signal does not wait.
	s, err := readSettings(os.LookupEnv)
	if err == nil {
		err = run(ctx, s, *createTables, log)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "server: %v\n", err)
		os.Exit(1)
	}
}

// node is the parts that are started and closed.
type node struct {
	settings settings
	log      *slog.Logger

	gateway  *gateway.Gateway
	health   *health
	client   *sqsnotify.Client // puts notifications into the queue
	queue    *sqs.Client
	worker   *pusher.Worker // delivers what Poll takes out of it
	remote   *apigw.Sender
	sweeper  *sweep.Sweeper
	follower *follower
	records  sumu.StateStore
}

// newNode ties the parts together. It calls nobody yet.
func newNode(s settings, cloud aws.Config, log *slog.Logger) (*node, error) {
	// Who is let in: whoever has a token of the issuer.
	keys, err := authorizer.JWKS(s.jwksURL, func(o *authorizer.JWKSOptions) { o.Logger = log })
	if err != nil {
		return nil, err
	}
	auth, err := authorizer.New(keys, s.tokens)
	if err != nil {
		return nil, err
	}

	// Who is connected, on whichever node.
	store, err := dynamostore.NewWithState(dynamodb.NewFromConfig(cloud), s.tables)
	if err != nil {
		return nil, err
	}
	app, err := sumu.NewApp(auth, store, func(o *sumu.AppOptions) { o.Origins = s.origins })
	if err != nil {
		return nil, err
	}

	// What clients send, to each other and to the backend.
	queue := sqs.NewFromConfig(cloud)
	client, err := sqsnotify.New(queue, s.queueURL)
	if err != nil {
		return nil, err
	}
	if err := attach(s, app, store, client, queue); err != nil {
		return nil, err
	}

	// The sockets of this node, and the lease that says that it lives.
	gw, err := gateway.New(app, func(o *gateway.Options) {
		o.Endpoint, o.Node = s.endpoint, s.node
		o.Leases, o.LeaseTTL = store, s.leaseTTL
		o.TrustedProxies = s.trustedProxies
		o.Compress = s.compress
		o.Logger = log
	})
	if err != nil {
		return nil, err
	}

	// The sockets of the other nodes.
	remote, err := apigw.New(s.nodeCredentials(), s.region, func(o *apigw.Options) {
		o.NodeHosts, o.InsecureHTTP = s.nodeHosts, s.insecureHTTP
	})
	if err != nil {
		return nil, err
	}

	// From the queue to sockets. What a push could not finish goes back to the
	// queue, and a record for each message makes redeliveries harmless.
	observer := sumu.Observer{DeadLetter: func(_ context.Context, n sumu.Notification, reason error) {
		log.Error("a notification is given up", "key", n.Key(), "err", reason)
	}}
	push, err := pusher.New(store, sender{own: gw, endpoint: gw.Endpoint(), remote: remote},
		func(o *pusher.Options) { o.Observer, o.RequireEveryone = observer, s.requireEveryone })
	if err != nil {
		return nil, err
	}
	worker, err := pusher.NewWorker(push, client, func(o *pusher.WorkerOptions) { o.Records = store })
	if err != nil {
		return nil, err
	}
	// What died without a word, and who comes and goes.
	sweeper, err := newSweeper(s, store, remote, log)
	if err != nil {
		return nil, err
	}
	follower, err := newFollower(s, cloud, store, client, queue, log)
	if err != nil {
		return nil, err
	}
	return &node{
		settings: s, log: log, gateway: gw, client: client, queue: queue, worker: worker, remote: remote,
		sweeper: sweeper, follower: follower, records: store, health: &health{ready: gw.Ready},
	}, nil
}

// routes is everything that the node answers to. Clients need /ws alone; let
// your load balancer pass nothing else.
func (n *node) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /ws", n.gateway)
	mux.HandleFunc("GET /healthz", n.health.live)
	mux.HandleFunc("GET /readyz", n.health.readiness)
	mux.Handle("POST /notify", notifyHandler(n.client, n.settings.notifySecret))
	return n.gateway.WithManagement(mux, gateway.Credentials{
		AccessKeyID: n.settings.nodeKeyID, SecretAccessKey: n.settings.nodeSecret,
	})
}
