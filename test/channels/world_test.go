// Package channels proves channels and events from end to end: the same
// scenario over sockets of our own and over the events of API Gateway, with
// every store that keeps them. The tables are programs of others.
package channels

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/awslambda"
	"github.com/sumu-live/sumu/channels"
	"github.com/sumu-live/sumu/connstore/dynamostore"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/events"
	"github.com/sumu-live/sumu/internal/components"
	"github.com/sumu-live/sumu/internal/leak"
	"github.com/sumu-live/sumu/notify"
	"github.com/sumu-live/sumu/pusher"
)

// limit bounds every wait: no test takes nearly as long.
const limit = time.Minute

// grants are what everybody's token allows here.
var grants = sumu.Grants{
	{Pattern: "room.*", Verbs: []sumu.Verb{sumu.VerbJoin, sumu.VerbPost}},
	{Pattern: "default", Verbs: []sumu.Verb{sumu.VerbJoin, sumu.VerbPost}},
	{Pattern: "news", Verbs: []sumu.Verb{sumu.VerbJoin}},
	{Pattern: "NES*", Verbs: []sumu.Verb{sumu.VerbSubscribe, sumu.VerbPost}},
}

// auth takes the token for the user's name.
var auth = sumu.AuthorizerFunc(func(_ context.Context, r *sumu.ConnectRequest) (sumu.Identity, error) {
	user := strings.Join(r.Query["authorization"], "")
	if user == "" {
		return sumu.Identity{}, sumu.ErrUnauthorized
	}
	return sumu.Identity{UserID: user, Grants: grants}, nil
})

// store is one that keeps channels and subscriptions.
type store interface {
	sumu.Store
	sumu.ChannelStore
	sumu.SubscriptionStore
}

// stores are all that there are.
var stores = map[string]func(t testing.TB) sumu.Store{
	"memstore": func(t testing.TB) sumu.Store {
		leak.Check(t)
		return new(memstore.Store)
	},
	"dynoxide":       func(t testing.TB) sumu.Store { return newTables(t, components.Dynoxide(t)) },
	"DynamoDB Local": func(t testing.TB) sumu.Store { return newTables(t, components.DynamoDBLocal(t)) },
}

var tables atomic.Int64

func newTables(t testing.TB, endpoint string) sumu.Store {
	t.Helper()
	leak.Check(t) // Not before: what serves the tables goes on.
	web := &http.Transport{}
	t.Cleanup(web.CloseIdleConnections)
	client := dynamodb.New(dynamodb.Options{
		Region: "us-east-1", BaseEndpoint: &endpoint, HTTPClient: &http.Client{Transport: web},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIDCHANNELS", SecretAccessKey: "wJalrXUtnFEMI"}, nil
		}),
	})
	name := fmt.Sprintf("channels-%d-%d", time.Now().UnixNano(), tables.Add(1))
	opts := func(o *dynamostore.Options) {
		o.Connections, o.State = name+"-connections", name+"-state"
		o.ConsistentAll = true // A test does not wait for rows to be seen.
	}
	if err := dynamostore.CreateTables(t.Context(), client, opts); err != nil {
		t.Fatal(err)
	}
	s, err := dynamostore.NewWithState(client, opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// transport is a way for clients to come.
type transport interface {
	sumu.Sender
	// dial connects, or returns the HTTP status that refused it.
	dial(t *testing.T, user string) (c *client, status int)
}

// transports are all that there are.
var transports = map[string]struct {
	auth  sumu.Authorizer // of the App
	start func(t *testing.T, app *sumu.App) transport
}{
	"gateway":   {auth, newGateway},
	"awslambda": {awslambda.ContextAuthorizer(), newLambda},
}

// world is a program, without its clients.
type world struct {
	store store
	app   *sumu.App
	via   transport
	rooms *channels.Channels
	feed  *events.Events
	push  *pusher.Pusher
}

// newWorld starts a program with a store, behind a transport.
func newWorld(t *testing.T, kept sumu.Store, by string, optFns ...any) *world {
	t.Helper()
	w := new(world)
	var ok bool
	if w.store, ok = kept.(store); !ok {
		t.Fatalf("%T keeps no channels and subscriptions", kept)
	}
	var rooms []func(*channels.Options)
	var feed []func(*events.Options)
	post := []func(*pusher.Options){func(o *pusher.Options) { o.Tries = 1 }}
	for _, fn := range optFns {
		switch fn := fn.(type) {
		case func(*channels.Options):
			rooms = append(rooms, fn)
		case func(*events.Options):
			feed = append(feed, fn)
		case func(*pusher.Options):
			post = append(post, fn)
		default:
			t.Fatalf("no options are %T", fn)
		}
	}
	w.app = must(sumu.NewApp(transports[by].auth, kept))
	w.via = transports[by].start(t, w.app)
	w.push = must(pusher.New(kept, w.via, post...))
	w.rooms = must(channels.New(kept, w, rooms...))
	w.feed = must(events.New(kept, feed...))
	if err := errors.Join(w.rooms.Attach(w.app), w.feed.Attach(w.app)); err != nil {
		t.Fatal(err)
	}
	w.app.Handle("submitIotEvent", w.feed.Submit(w))
	return w
}

// Send delivers before it returns: what is not there when a message has been
// acknowledged does not come.
func (w *world) Send(ctx context.Context, n sumu.Notification) error {
	results, err := w.push.Push(ctx, n)
	if err != nil {
		return err
	}
	if r := results[0]; r.Failed+r.Requeued > 0 || len(r.Remainder) > 0 {
		return fmt.Errorf("not everybody was reached: %+v", r)
	}
	return nil
}

// send is what a backend does.
func (w *world) send(t *testing.T, n sumu.Notification, err error) {
	t.Helper()
	if err == nil {
		_, err = notify.Send(t.Context(), w, n)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// bare has members receive the data alone, as clients of such servers expect.
func bare(o *pusher.Options) { o.BareChannels = true }

func raw(text string) json.RawMessage { return json.RawMessage(text) }

// quoted is a string of JSON.
func quoted(text string) string { return string(must(json.Marshal(text))) }
