// Package logging holds that errors are seen without any set-up: each part of a
// program is provoked to one, and a line must appear in slog.Default.
package logging

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/authorizer"
	"github.com/sumu-live/sumu/connstore/dynamofeed"
	"github.com/sumu-live/sumu/connstore/lead"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/connstore/sweep"
	"github.com/sumu-live/sumu/gateway"
	"github.com/sumu-live/sumu/internal/ws/wstest"
	"github.com/sumu-live/sumu/iot"
	"github.com/sumu-live/sumu/notify"
	"github.com/sumu-live/sumu/notify/sqsnotify"
	"github.com/sumu-live/sumu/presence"
	"github.com/sumu-live/sumu/pusher"
)

// errDown is the error that every part is given.
var errDown = &sumu.Error{Op: "the dependency of this test", Kind: sumu.ErrUnavailable}

// secret is in every payload and token, and may be in no line.
const secret = "s3cr3t-0f-the-test"

func TestErrorsAreLoggedByDefault(t *testing.T) {
	before := slog.Default()
	defer slog.SetDefault(before)
	for name, provoke := range map[string]func(ctx context.Context, t *testing.T){
		"sumu.App":                 provokeApp,
		"authorizer.JWKS":          provokeJWKS,
		"awslambda.Authorizer":     provokeLambdaAuthorizer,
		"awslambda.Backend":        provokeLambdaBackend,
		"awslambda.HTTP":           provokeLambdaHTTP,
		"awslambda.Pusher":         provokeLambdaPusher,
		"dynamofeed.Feed":          provokeFeed,
		"gateway.Gateway":          provokeGateway,
		"iot.Vendor":               provokeVendor,
		"lead.Run":                 provokeLead,
		"notify.Local":             provokeLocal,
		"presence.Watcher":         provokePresence,
		"pusher.Pusher":            provokePusher,
		"pusher.Pusher at a store": provokePusherStore,
		"sqsnotify.Poll":           provokePoll,
		"sweep.Sweeper":            provokeSweep,
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			// Parts that run until their context ends have said all when they have said it.
			out := &lines{wrote: cancel}
			slog.SetDefault(slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug})))
			provoke(ctx, t)
			got := out.String()
			if !strings.Contains(got, "level=WARN") && !strings.Contains(got, "level=ERROR") {
				t.Errorf("logged %q; want a warning or an error", got)
			}
			if n := strings.Count(got, "\n"); n > 3 {
				t.Errorf("logged %d lines; want them counted: %s", n, got)
			}
			if strings.Contains(got, secret) {
				t.Errorf("logged a token or payload: %q", got)
			}
		})
	}
}

// lines is a log that calls wrote at each line.
type lines struct {
	wrote func()

	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wrote()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// downStore is a memstore of which some reads and writes fail.
type downStore struct{ memstore.Store }

func (s *downStore) Put(context.Context, sumu.Connection) error { return errDown }

func (s *downStore) ByUser(context.Context, string) iter.Seq2[sumu.Connection, error] { return none }

func (s *downStore) All(context.Context, sumu.Segment) iter.Seq2[sumu.Connection, error] { return none }

func (s *downStore) HasLive(context.Context, string) (bool, error) { return false, errDown }

func (s *downStore) LoadRecord(context.Context, string, string) (sumu.Record, error) {
	return sumu.Record{}, errDown
}

func none(yield func(sumu.Connection, error) bool) { yield(sumu.Connection{}, errDown) }

var anyone = sumu.AuthorizerFunc(func(context.Context, *sumu.ConnectRequest) (sumu.Identity, error) {
	return sumu.Identity{UserID: "ann"}, nil
})

var nobody = sumu.AuthorizerFunc(func(context.Context, *sumu.ConnectRequest) (sumu.Identity, error) {
	return sumu.Identity{}, errDown
})

func note(id string) sumu.Notification {
	return sumu.Notification{ID: id, Users: []string{"ann"}, Data: json.RawMessage(`"` + secret + `"`)}
}

func provokeApp(ctx context.Context, t *testing.T) {
	app := must[*sumu.App](t)(sumu.NewApp(anyone, new(memstore.Store)))
	app.Handle("buy", func(context.Context, sumu.Message) ([]byte, error) { return nil, errDown })
	app.Message(ctx, sumu.Message{Body: []byte(`{"action":"buy","what":"` + secret + `"}`)})
}

func provokeJWKS(ctx context.Context, t *testing.T) {
	down := httptest.NewServer(http.NotFoundHandler())
	defer down.Close()
	keys := must[authorizer.KeySource](t)(authorizer.JWKS(down.URL))
	auth := must[*authorizer.Authorizer](t)(authorizer.New(keys, func(o *authorizer.Options) {
		o.Issuer, o.Audiences = "https://issuer.example", []string{"app"}
	}))
	// {"alg":"ES256","kid":"k"} . {"iss":"https://issuer.example"}
	token := "eyJhbGciOiJFUzI1NiIsImtpZCI6ImsifQ.eyJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlIn0.AAAA"
	_, err := auth.Authorize(ctx, &sumu.ConnectRequest{Query: map[string][]string{"authorization": {token}}})
	if !errors.Is(err, sumu.ErrUnavailable) {
		t.Fatalf("authorize: %v; want ErrUnavailable", err)
	}
}

type downStreams struct{ dynamofeed.StreamsClient }

func (downStreams) DescribeStream(context.Context, *dynamodbstreams.DescribeStreamInput, ...func(*dynamodbstreams.Options)) (*dynamodbstreams.DescribeStreamOutput, error) {
	return nil, errDown
}

type downTables struct{}

func (downTables) DescribeTable(context.Context, *dynamodb.DescribeTableInput, ...func(*dynamodb.Options)) (*dynamodb.DescribeTableOutput, error) {
	return nil, errDown
}

func provokeFeed(ctx context.Context, t *testing.T) {
	feed := must[*dynamofeed.Feed](t)(dynamofeed.New(downStreams{}, downTables{}))
	for range feed.Changes(ctx) {
		t.Error("a change of a table that is down")
	}
}

func provokeGateway(ctx context.Context, t *testing.T) {
	app := must[*sumu.App](t)(sumu.NewApp(anyone, new(downStore)))
	gw := must[*gateway.Gateway](t)(gateway.New(app))
	web := httptest.NewServer(gw)
	defer web.Close()
	conn := wstest.Send(t, wstest.Request(t, web.URL+"/?authorization="+secret), nil)
	if resp, _ := conn.Response(); resp.StatusCode != http.StatusInternalServerError {
		t.Errorf("connect: %s; want 500", resp.Status)
	}
	conn.Close()
	if err := gw.Shutdown(context.WithoutCancel(ctx)); err != nil {
		t.Error(err)
	}
}

type noSTS struct{}

func (noSTS) AssumeRole(context.Context, *sts.AssumeRoleInput, ...func(*sts.Options)) (*sts.AssumeRoleOutput, error) {
	return nil, errDown
}

func provokeVendor(ctx context.Context, t *testing.T) {
	v := must[*iot.Vendor](t)(iot.NewVendor(nobody, noSTS{}, "arn:aws:iam::123456789012:role/clients", "a-ats.iot.us-east-1.amazonaws.com",
		func(o *iot.VendorOptions) { o.Region = "us-east-1" }))
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "https://vendor.example/?authorization="+secret, nil)
	v.ServeHTTP(httptest.NewRecorder(), r)
}

func provokeLead(ctx context.Context, t *testing.T) {
	if err := lead.Run(ctx, new(downStore), "task", func(context.Context) error { return nil }); err != nil {
		t.Error(err)
	}
}

func provokeLocal(ctx context.Context, t *testing.T) {
	push := must[*pusher.Pusher](t)(pusher.New(new(downStore), fails{}, func(o *pusher.Options) { o.Logger = slog.New(slog.DiscardHandler) }))
	l := must[*notify.Local](t)(notify.NewLocal(push, func(o *notify.LocalOptions) { o.Timeout = time.Millisecond }))
	if err := l.Send(ctx, note("n1")); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(ctx); err != nil {
		t.Error(err)
	}
}

// oneChange is a feed of one change, that then waits.
type oneChange struct{}

func (oneChange) Changes(ctx context.Context) iter.Seq[sumu.Change] {
	return func(yield func(sumu.Change) bool) {
		if yield(sumu.Change{UserID: "ann"}) {
			<-ctx.Done()
		}
	}
}

func provokePresence(ctx context.Context, t *testing.T) {
	w := must[*presence.Watcher](t)(presence.New(new(downStore), sumu.PresencePublisherFunc(func(context.Context, sumu.PresenceEvent) error { return nil })))
	if err := w.Run(ctx, oneChange{}); err != nil {
		t.Error(err)
	}
}

// fails is a sender that cannot be reached.
type fails struct{}

func (fails) Post(context.Context, sumu.Connection, *sumu.Payload) error { return errDown }

// An API that cannot be reached is seen, though the posts are to be tried again.
func provokePusher(ctx context.Context, t *testing.T) {
	store := new(memstore.Store)
	for i := range 100 {
		c := sumu.Connection{UserID: "ann", ID: fmt.Sprint("c", i), DeleteAt: time.Now().Add(time.Hour)}
		if err := store.Put(ctx, c); err != nil {
			t.Fatal(err)
		}
	}
	push := must[*pusher.Pusher](t)(pusher.New(store, fails{}, func(o *pusher.Options) { o.Tries = 1 }))
	for range 3 {
		if _, err := push.Push(context.WithoutCancel(ctx), note("n1")); err != nil {
			t.Fatal(err)
		}
	}
}

func provokePusherStore(ctx context.Context, t *testing.T) {
	push := must[*pusher.Pusher](t)(pusher.New(new(downStore), fails{}))
	if _, err := push.Push(ctx, note("n1")); err == nil {
		t.Fatal("pushed from a store that is down")
	}
}

type downQueue struct{ sqsnotify.PollAPI }

func (downQueue) ReceiveMessage(context.Context, *sqs.ReceiveMessageInput, ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error) {
	return nil, errDown
}

func provokePoll(ctx context.Context, t *testing.T) {
	err := sqsnotify.Poll(ctx, downQueue{}, "https://sqs.us-east-1.amazonaws.com/1/q", downWorker{}.Handle)
	if err != nil && !errors.Is(err, errDown) {
		t.Error(err)
	}
}

func provokeSweep(ctx context.Context, t *testing.T) {
	s := must[*sweep.Sweeper](t)(sweep.New(new(downStore)))
	if err := s.Sweep(ctx); err == nil {
		t.Fatal("swept a store that is down")
	}
}
