// Package presence tests presence on DynamoDB Streams from end to end: sockets of
// gateways in processes of their own, rows in a DynamoDB, a reader of its stream,
// and events. It runs with SUMU_E2E=1, which "make test" sets.
package presence

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/dynamostore"
	"github.com/sumu-live/sumu/gateway"
)

// The variables of this binary as a process of its own.
const (
	nodeVar   = "SUMU_TEST_NODE"   // names it
	eventsVar = "SUMU_TEST_EVENTS" // it is a watcher, whose events go to this file; else a gateway
	tablesVar = "SUMU_TEST_TABLES" // the number of its tables
	dynamoVar = "SUMU_TEST_DYNAMODB"
)

func TestMain(m *testing.M) {
	if name := os.Getenv(nodeVar); name != "" {
		run := serve
		if os.Getenv(eventsVar) != "" {
			run = watch
		}
		if err := run(name); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// serve is a gateway until it is killed, or its standard input ends.
func serve(name string) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	store, err := dynamostore.NewWithState(dynamodb.NewFromConfig(config(os.Getenv(dynamoVar), nil)), tables(os.Getenv(tablesVar)))
	if err != nil {
		return err
	}
	// Who one says that one is: this is about what comes after.
	auth := sumu.AuthorizerFunc(func(_ context.Context, r *sumu.ConnectRequest) (sumu.Identity, error) {
		return sumu.Identity{UserID: url.Values(r.Query).Get("user")}, nil
	})
	app, err := sumu.NewApp(auth, store)
	if err != nil {
		return err
	}
	base := "http://" + listener.Addr().String()
	gw, err := gateway.New(app, func(o *gateway.Options) {
		o.Endpoint, o.Node = base, name
		o.Leases, o.LeaseTTL = store, leaseTTL
	})
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /ws", gw)
	began(base)
	return gateway.Server(mux).Serve(listener)
}

// began tells the parent that we have begun; we end when it does.
func began(line string) {
	fmt.Println(line)
	go func() {
		_, _ = os.Stdin.Read(make([]byte, 1))
		os.Exit(0)
	}()
}

func config(endpoint string, client *http.Client) aws.Config {
	cfg := aws.Config{
		Region: "us-east-1", BaseEndpoint: &endpoint,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
		}),
	}
	if client != nil {
		cfg.HTTPClient = client
	}
	return cfg
}

func tables(number string) func(*dynamostore.Options) {
	return func(o *dynamostore.Options) {
		o.Connections, o.State = "presence-connections-"+number, "presence-state-"+number
	}
}
