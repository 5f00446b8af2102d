// Quickstart is sumu in one process: a page to sign in to, who is online, live,
// messages to everyone, to one person or to a room, events that a page picks
// out by their content, and notifications from a backend. It needs no account,
// no set-up, and nothing from elsewhere.
//
//	go run ./examples/quickstart
//
// Start reading at newServer: it is what your own program does.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/authorizer"
	"github.com/sumu-live/sumu/channels"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/events"
	"github.com/sumu-live/sumu/gateway"
	"github.com/sumu-live/sumu/internal/issuer"
	"github.com/sumu-live/sumu/notify"
	"github.com/sumu-live/sumu/presence"
	"github.com/sumu-live/sumu/pusher"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "the address to listen on")
	flag.Parse()
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // A second Ctrl+C does not wait.
	if err := run(ctx, *addr, os.Stdout, log); err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

// server is the parts that are started and closed.
type server struct {
	gateway *gateway.Gateway
	client  *notify.Local
	watcher *presence.Watcher
	store   *memstore.Store
	issuer  *issuer.Issuer
}

// everybody is what every token allows here, beside connecting: any channel and
// any event. Yours name claims, such as "room.{claims.org}.*": who is in which
// organisation then decides who gets into which room.
var everybody = sumu.Grants{
	{Pattern: "*", Verbs: []sumu.Verb{sumu.VerbJoin, sumu.VerbPost, sumu.VerbSubscribe}},
}

// newServer ties the parts together.
func newServer(log *slog.Logger) (*server, error) {
	// Who is let in: whoever has a token of the issuer. Yours is Cognito,
	// Auth0, Firebase, …: authorizer.JWKS with the URL of its key set.
	iss, err := issuer.New("ES256")
	if err != nil {
		return nil, err
	}
	keys, err := authorizer.StaticKeys(iss.JWKS())
	if err != nil {
		return nil, err
	}
	auth, err := authorizer.New(keys, func(o *authorizer.Options) {
		o.Issuer = issuerName
		o.Audiences = []string{audience}
		o.Grants = everybody
	})
	if err != nil {
		return nil, err
	}

	// Who is connected, and the sockets themselves.
	store := new(memstore.Store)
	app, err := sumu.NewApp(auth, store)
	if err != nil {
		return nil, err
	}
	gw, err := gateway.New(app, func(o *gateway.Options) { o.Logger = log })
	if err != nil {
		return nil, err
	}

	// From the backend to clients: a queue, and what delivers from it. The queue
	// tries again by itself, so that a slow client does not hold up the rest.
	push, err := pusher.New(store, gw, func(o *pusher.Options) { o.Tries, o.RequireEveryone = 1, true })
	if err != nil {
		return nil, err
	}
	client, err := notify.NewLocal(push)
	if err != nil {
		return nil, err
	}

	// From clients to the backend.
	backend := &chat{client: client, presence: store}
	app.Handle("publish", sumu.ToBackend("apigw.route.publish", backend.receive))
	app.Handle("send", sumu.ToBackend("apigw.route.send", backend.receive))

	// From clients to each other: rooms to join, one that all are in, and events
	// to subscribe to.
	rooms, err := channels.New(store, client, func(o *channels.Options) { o.Default = channels.DefaultChannel })
	if err != nil {
		return nil, err
	}
	feed, err := events.New(store)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(rooms.Attach(app), feed.Attach(app)); err != nil {
		return nil, err
	}
	app.Handle("submitIotEvent", feed.Submit(client))

	// Who comes and goes: told to everyone else. A page that reloads is back
	// within the grace, and nobody sees it leave.
	watcher, err := presence.New(store, presence.ToNotify(client), func(o *presence.Options) {
		o.Grace = 2 * time.Second
		o.Logger = log
	})
	if err != nil {
		return nil, err
	}
	return &server{gateway: gw, client: client, watcher: watcher, store: store, issuer: iss}, nil
}

// routes is everything that the server answers to.
func (s *server) routes(loopback bool) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", pageHandler())
	mux.Handle("GET /{file}", pageHandler())
	mux.Handle("GET /ws", s.gateway)
	mux.Handle("POST /notify", notifyHandler(s.client))
	mux.Handle("POST /token", tokenHandler(s.issuer.Sign))
	mux.Handle("GET "+issuer.Path, s.issuer)
	return guard(s.gateway.WithManagement(mux, demoCredentials), loopback)
}
