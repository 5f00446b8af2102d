package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/dynamostore"
	"github.com/sumu-live/sumu/internal/components"
	"github.com/sumu-live/sumu/internal/freeport"
	"github.com/sumu-live/sumu/internal/issuer"
	"github.com/sumu-live/sumu/internal/testlog"
	"github.com/sumu-live/sumu/internal/ws/wstest"
)

// patience is how long something on another process may take.
const patience = time.Minute

// binary is the program, built once into binaryDir.
var binary = sync.OnceValues(func() (path string, err error) {
	path = filepath.Join(binaryDir, "server")
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", path, ".").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

var binaryDir string

func TestMain(m *testing.M) {
	if os.Getenv(clientsRole) != "" {
		if err := runClients(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	var err error
	if binaryDir, err = os.MkdirTemp("", "sumu-server-"); err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(binaryDir)
	os.Exit(code)
}

// fleet is what nodes share.
type fleet struct {
	t      *testing.T
	iss    *issuer.Issuer
	issuer string // its URL
	store  *dynamostore.StateStore
	queues *sqs.Client
	vars   []string

	queueURL string // of the queue of notifications
}

func newFleet(t *testing.T) *fleet { return newFleetOn(t, components.Dynoxide(t)) }

// newFleetOn keeps its tables at an endpoint of DynamoDB.
func newFleetOn(t *testing.T, dynamo string) *fleet {
	fauxqs := components.Fauxqs(t)
	iss, err := issuer.New("ES256")
	if err != nil {
		t.Fatal(err)
	}
	provider := httptest.NewServer(iss)
	t.Cleanup(provider.Close)
	creds := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "AKID", SecretAccessKey: "secret"}, nil
	})
	name := "server-" + sumu.NewID() // Components are shared, also by runs of the same test.
	queues := sqs.New(sqs.Options{Region: "us-east-1", Credentials: creds, BaseEndpoint: &fauxqs})
	queue, err := queues.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: &name})
	if err != nil {
		t.Fatal(err)
	}
	store, err := dynamostore.NewWithState(
		dynamodb.New(dynamodb.Options{Region: "us-east-1", Credentials: creds, BaseEndpoint: &dynamo}),
		settings{connectionsTable: name + "-c", stateTable: name + "-s"}.tables)
	if err != nil {
		t.Fatal(err)
	}
	return &fleet{t: t, iss: iss, issuer: provider.URL, store: store, queues: queues, queueURL: *queue.QueueUrl, vars: []string{
		"AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=AKID", "AWS_SECRET_ACCESS_KEY=secret",
		"AWS_ENDPOINT_URL_DYNAMODB=" + dynamo, "AWS_ENDPOINT_URL_DYNAMODB_STREAMS=" + dynamo, "AWS_ENDPOINT_URL_SQS=" + fauxqs,
		"SUMU_CONNECTIONS_TABLE=" + name + "-c", "SUMU_STATE_TABLE=" + name + "-s", "SUMU_REQUESTS_QUEUE_URL=" + *queue.QueueUrl,
		"SUMU_NODE_ACCESS_KEY_ID=nodes", "SUMU_NODE_SECRET_ACCESS_KEY=a secret of the nodes", "SUMU_NOTIFY_SECRET=" + notifySecret,
		"SUMU_NODE_HOSTS=127.0.0.1:*", "SUMU_LEASE_TTL=3s", "SUMU_SWEEP=1s", // So that a test may wait for them.
		"SUMU_PRESENCE=none", "SUMU_PRESENCE_GRACE=1s", // A test that counts frames wants its own alone.
		"JWT_ISSUER_JWKS_URI=" + provider.URL + issuer.Path, "JWT_ISSUER=" + provider.URL, "JWT_AUTHORIZED_AUDIENCES=chat",
	}}
}

// process is a node.
type process struct {
	t     *testing.T
	name  string
	addr  string
	url   string
	cmd   *exec.Cmd
	ended chan error
	// How many requests came to the management API: of single posts, and of
	// batches. The endpoint of the node is a proxy, so that they can be counted.
	posted, batches atomic.Int64
	endpoint        string
}

// start starts a node on a free address and waits until it is ready.
func (f *fleet) start(name string) *process {
	f.t.Helper()
	port, err := freeport.Take()
	if err != nil {
		f.t.Fatal(err)
	}
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	p := &process{t: f.t, name: name, addr: addr, url: "http://" + addr}
	// As a proxy must be: the Host header stays, because it is signed.
	proxy := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			if strings.HasSuffix(r.In.URL.Path, "/@connections") {
				p.batches.Add(1)
			} else {
				p.posted.Add(1)
			}
			r.SetURL(&url.URL{Scheme: "http", Host: addr})
			r.Out.Host = r.In.Host
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	})
	f.t.Cleanup(proxy.Close)
	p.endpoint = proxy.URL
	f.launch(p)
	return p
}

// launch runs the program for a node that does not run, at the node's address,
// and waits until it is ready.
func (f *fleet) launch(p *process) {
	f.t.Helper()
	f.run(p, "-create-tables")
	f.until(p.name+" is ready", func() bool { return p.health() == "ready\n" })
}

// run runs the program for a node that does not run.
func (f *fleet) run(p *process, args ...string) {
	f.t.Helper()
	path, err := binary()
	if err != nil {
		f.t.Fatal(err)
	}
	p.cmd = exec.Command(path, args...)
	p.cmd.Env = append([]string{"SUMU_LISTEN=" + p.addr, "SUMU_ENDPOINT=" + p.endpoint, "SUMU_NODE=" + p.name}, f.vars...)
	p.cmd.Stderr = processLog{f.t, p.name}
	if err := p.cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	cmd, ended := p.cmd, make(chan error, 2) // For the test, and for its end.
	p.ended = ended
	go func() {
		err := cmd.Wait()
		ended <- err
		ended <- err
	}()
	f.t.Cleanup(func() {
		_ = cmd.Process.Kill() // Unless it has ended.
		<-ended
	})
}

// processLog shows the log of a node where a test fails. make test looks at it too.
type processLog struct {
	t    *testing.T
	name string
}

func (l processLog) Write(b []byte) (int, error) {
	l.t.Logf("%s: %s", l.name, b)
	testlog.Logger().Debug("node", "name", l.name, "log", string(b))
	return len(b), nil
}

// until looks until something holds. Nobody tells: it is in another process.
func (f *fleet) until(what string, holds func() bool) {
	f.t.Helper()
	f.within(patience, what, holds, func() string { return "not within " + patience.String() })
}

// within is until, for so long, and then tells how it is instead.
func (f *fleet) within(patience time.Duration, what string, holds func() bool, is func() string) {
	f.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for limit := time.After(patience); !holds(); {
		select {
		case <-tick.C:
		case <-limit:
			f.t.Fatalf("it is not so that %s: %s", what, is())
		}
	}
}

// health returns what /readyz says; "" when nobody answers.
func (p *process) health() string {
	resp, err := http.Get(p.url + "/readyz")
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return string(body)
}

// token lets a user in.
func (f *fleet) token(user string) string {
	f.t.Helper()
	token, err := f.iss.Sign(map[string]any{"iss": f.issuer, "aud": "chat", "sub": user, "exp": time.Now().Add(time.Hour).Unix()})
	if err != nil {
		f.t.Fatal(err)
	}
	return token
}

// join connects a user.
func (f *fleet) join(p *process, user string) *wstest.Conn {
	f.t.Helper()
	r := wstest.Request(f.t, p.url+"/ws")
	r.Header.Set("Authorization", "Bearer "+f.token(user))
	conn := wstest.Send(f.t, r, nil)
	if resp, body := conn.Response(); resp.StatusCode != http.StatusSwitchingProtocols {
		f.t.Fatalf("%s is refused: %s %s", user, resp.Status, body)
	}
	return conn
}

// notify posts a notification to a node and returns the status.
func (p *process) notify(secret, body string) int {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.url+"/notify", strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+secret)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

// rows are the connections of a user.
func (f *fleet) rows(user string) []sumu.Connection {
	f.t.Helper()
	var rows []sumu.Connection
	for c, err := range f.store.ByUser(f.t.Context(), user) {
		if err != nil {
			f.t.Fatal(err)
		}
		rows = append(rows, c)
	}
	return rows
}

// lease is the record of the node that holds a row.
func (f *fleet) lease(row sumu.Connection) sumu.Record {
	f.t.Helper()
	r, err := f.store.LoadRecord(f.t.Context(), "lease", row.Endpoint)
	if err != nil {
		f.t.Fatal(err)
	}
	return r
}
