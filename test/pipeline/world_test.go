// Package pipeline proves the whole way of a notification over AWS's services:
// from notify.Send through a queue and a worker to WebSockets. The queue, the
// topic and the tables are programs of others.
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
const limit = 15 * time.Second

var creds = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: "AKIDPIPELINE", SecretAccessKey: "wJalrXUtnFEMI"}, nil
})

// world is what all processes of a test share: tables, a queue with its
// dead-letter queue, and gateways with their sockets.
type world struct {
	name      string // unique to the test, of tables and queues
	dynamo    string // endpoints
	fauxqs    string
	tables    func(*dynamostore.Options)
	store     *dynamostore.StateStore
	sqs       *sqs.Client
	sns       *sns.Client
	queueURL  string
	queueARN  string
	deadURL   string
	nodes     []*node
	sockets   []*socket
	connected chan sumu.Connection
	ended     chan sumu.Connection
}

var worlds atomic.Int64

func newWorld(t *testing.T, nodes int) *world {
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
		o.ConsistentReads = true // A test does not wait for rows to be seen.
	}
	client := w.dynamoClient(web)
	if err := dynamostore.CreateTables(t.Context(), client, w.tables); err != nil {
		t.Fatal(err)
	}
	w.store = w.newStore(t, web)
	w.sqs = w.sqsClient(web)
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

func (w *world) dynamoClient(web http.RoundTripper) *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{
		Region: region, BaseEndpoint: &w.dynamo, Credentials: creds, HTTPClient: &http.Client{Transport: web},
	})
}

func (w *world) sqsClient(web http.RoundTripper) *sqs.Client {
	return sqs.New(sqs.Options{Region: region, BaseEndpoint: &w.fauxqs, Credentials: creds, HTTPClient: &http.Client{Transport: web}})
}

func (w *world) newStore(t *testing.T, web http.RoundTripper) *dynamostore.StateStore {
	t.Helper()
	store, err := dynamostore.NewWithState(w.dynamoClient(web), w.tables)
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
	n.gw, err = gateway.New(app, func(o *gateway.Options) {
		o.Endpoint = "http://" + n.api.Listener.Addr().String() + "/prod"
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
		node: n, got: make(map[string]int), over: make(chan struct{}),
		conn: wstest.Dial(t, n.clients.URL+"/?user="+user),
	}
	s.row = <-w.connected
	if s.row.UserID != user || s.row.Endpoint != n.gw.Endpoint() {
		t.Fatalf("connected: %+v", s.row)
	}
	if err := s.conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
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
	deadline := time.Now().Add(limit)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", limit, what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
