// Package pipeline proves the whole way of a notification over AWS's services:
// from notify.Send through a queue and a worker to WebSockets. The queue, the
// topic and the tables are programs of others; so is what stands for API Gateway
// where the functions of examples/serverless run, and the network that fails.
//
// What none of them has is not proved here: quotas and throttling, permissions
// and signatures (only the gateway's nodes check those), SNS's calls of
// functions, event source mappings, and rows that are seen late. The emulators
// of API Gateway say in internal/components what else they lack.
package pipeline

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/dynamostore"
	"github.com/sumu-live/sumu/gateway"
	"github.com/sumu-live/sumu/internal/components"
	"github.com/sumu-live/sumu/internal/leak"
	"github.com/sumu-live/sumu/internal/ws/wstest"
)

const region = "us-east-1"

// limit bounds every wait: no test takes nearly as long.
const limit = time.Minute

var creds = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: "AKIDPIPELINE", SecretAccessKey: "wJalrXUtnFEMI"}, nil
})

// world is what all processes of a test share: tables, a queue with its
// dead-letter queue, and gateways with their sockets.
type world struct {
	name      string // unique to the test, of tables and queues
	dynamo    string // endpoints
	fauxqs    string
	roads     roads // that workers take to them
	tables    func(*dynamostore.Options)
	store     *dynamostore.StateStore
	sqs       *sqs.Client
	sns       *sns.Client
	queueURL  string
	queueARN  string
	deadURL   string
	deadARN   string
	nodes     []*node
	hosts     []string // of management endpoints
	sockets   []*socket
	connected chan sumu.Connection
	ended     chan sumu.Connection
}

var worlds atomic.Int64

// roads are where workers find the services.
type roads struct {
	dynamo, fauxqs string
	node           func(address string) string // of a management API
}

func newWorld(t *testing.T, nodes int, optFns ...func(*world)) *world {
	t.Helper()
	w := &world{
		dynamo: components.Dynoxide(t), fauxqs: components.Fauxqs(t),
		name:      fmt.Sprint("pipeline-", worlds.Add(1)),
		connected: make(chan sumu.Connection, 1), ended: make(chan sumu.Connection, 1024),
	}
	leak.Check(t)
	web := newTransport(t)
	w.tables = func(o *dynamostore.Options) {
		o.Connections, o.State = w.name+"-connections", w.name+"-state"
		o.ConsistentAll = true // A test does not wait for rows to be seen.
	}
	client := w.dynamoClient(web, w.dynamo)
	if err := dynamostore.CreateTables(t.Context(), client, w.tables); err != nil {
		t.Fatal(err)
	}
	w.roads = roads{dynamo: w.dynamo, fauxqs: w.fauxqs, node: func(address string) string { return address }}
	for _, fn := range optFns {
		fn(w)
	}
	w.store = w.newStore(t, client)
	w.sqs = w.sqsClient(web, w.fauxqs)
	w.sns = sns.New(sns.Options{Region: region, BaseEndpoint: &w.fauxqs, Credentials: creds, HTTPClient: &http.Client{Transport: web}})
	w.newQueues(t)
	for range nodes {
		w.nodes = append(w.nodes, w.newNode(t))
	}
	return w
}

func newTransport(t *testing.T) *http.Transport {
	transport := &http.Transport{MaxIdleConns: 256, MaxIdleConnsPerHost: 128}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

func (w *world) dynamoClient(web http.RoundTripper, endpoint string) *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{
		Region: region, BaseEndpoint: &endpoint, Credentials: creds, HTTPClient: &http.Client{Transport: web},
	})
}

func (w *world) sqsClient(web http.RoundTripper, endpoint string) *sqs.Client {
	return sqs.New(sqs.Options{Region: region, BaseEndpoint: &endpoint, Credentials: creds, HTTPClient: &http.Client{Transport: web}})
}

func (w *world) newStore(t *testing.T, client *dynamodb.Client) *dynamostore.StateStore {
	t.Helper()
	store, err := dynamostore.NewWithState(client, w.tables)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// forgetful is a store that loses the removals of some rows, as a gateway does
// that dies.
type forgetful struct {
	*dynamostore.StateStore
	loses atomic.Bool
}

func (f *forgetful) Delete(ctx context.Context, ref sumu.ConnectionRef) error {
	if f.loses.Load() {
		return nil
	}
	return f.StateStore.Delete(ctx, ref)
}

// node is a gateway: one listener for clients, one for its management API.
type node struct {
	gw      *gateway.Gateway
	rows    *forgetful
	clients *httptest.Server
	api     *httptest.Server
}

func (w *world) newNode(t *testing.T) *node {
	t.Helper()
	n := &node{rows: &forgetful{StateStore: w.store}}
	auth := sumu.AuthorizerFunc(func(_ context.Context, r *sumu.ConnectRequest) (sumu.Identity, error) {
		return sumu.Identity{UserID: r.Query["user"][0]}, nil
	})
	app, err := sumu.NewApp(auth, n.rows, func(o *sumu.AppOptions) {
		o.Observer.Connected = func(_ context.Context, c sumu.Connection) { w.connected <- c }
		o.Observer.Disconnected = func(_ context.Context, c sumu.Connection, _ sumu.DisconnectReason, err error) {
			if err == nil {
				w.ended <- c
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	n.api = httptest.NewUnstartedServer(nil)
	address := w.roads.node(n.api.Listener.Addr().String())
	n.gw, err = gateway.New(app, func(o *gateway.Options) {
		o.Endpoint = "http://" + address + "/prod"
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		if err := n.gw.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
	mux := http.NewServeMux()
	key, _ := creds(t.Context())
	mux.Handle("/prod/", n.gw.Management(gateway.Credentials{
		AccessKeyID: key.AccessKeyID, SecretAccessKey: key.SecretAccessKey, Region: region,
	}))
	n.api.Config = gateway.Server(mux)
	n.api.Start()
	t.Cleanup(n.api.Close)
	w.hosts = append(w.hosts, address)
	n.clients = httptest.NewUnstartedServer(nil)
	n.clients.Config = gateway.Server(n.gw)
	n.clients.Start()
	t.Cleanup(n.clients.Close)
	return n
}

// connect opens a socket and begins to read it.
func (w *world) connect(t *testing.T, n *node, user string) *socket {
	t.Helper()
	s := &socket{
		node: n, post: n.gw.Post, got: make(map[string]int), over: make(chan struct{}),
		conn: wstest.Dial(t, n.clients.URL+"/?user="+user),
	}
	s.row = <-w.connected
	if s.row.UserID != user || s.row.Endpoint != n.gw.Endpoint() {
		t.Fatalf("connected: %+v", s.row)
	}
	if err := s.conn.SetDeadline(time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	go s.read()
	t.Cleanup(s.close)
	w.sockets = append(w.sockets, s)
	return s
}

// rows returns the ids of the connections in the table, sorted.
func (w *world) rows(t *testing.T) (ids []string) {
	t.Helper()
	for c, err := range w.store.All(t.Context(), sumu.Segment{}) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, c.ID)
	}
	slices.Sort(ids)
	return ids
}

// labelled is the data of a notification: what clients count by.
type labelled struct {
	N string `json:"n"`
}

func label(data []byte) string {
	var l labelled
	if err := json.Unmarshal(data, &l); err != nil || l.N == "" {
		return "malformed: " + strings.ToValidUTF8(string(data), "?")
	}
	return l.N
}

// eventually waits until the condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	within(t, limit, what, holds)
}

func within(t *testing.T, d time.Duration, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(d)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", d, what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
