// Gameevents is a game in miniature: players click on colours, a game console
// does so by itself, and each player sees the clicks that he asked for. Clicks
// of players come over their sockets; those of the console come through a
// stream, which is in this process unless you name one of Kinesis:
//
//	go run ./examples/gameevents
//	go run ./examples/gameevents -stream clicks -region eu-west-1
//
// With -stream the credentials are those of AWS_ACCESS_KEY_ID,
// AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN. On AWS itself a function reads
// the stream: see examples/serverless/pusher and SUMU_STREAM_EVENTS.
package main

import (
	"context"
	"embed"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/events"
	"github.com/sumu-live/sumu/gateway"
	"github.com/sumu-live/sumu/notify"
	"github.com/sumu-live/sumu/pusher"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8081", "the address to listen on")
	pace := flag.Duration("pace", 2*time.Second, "how often the console clicks")
	name := flag.String("stream", "", "a Kinesis stream; default: one in this process")
	region := flag.String("region", "us-east-1", "the stream's region")
	endpoint := flag.String("endpoint", "", "the stream's endpoint, if it is not AWS's")
	flag.Parse()
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	records := newLocalStream()
	if *name != "" {
		records = newKinesisStream(*name, *region, *endpoint, log)
	}
	listener, err := net.Listen("tcp", *addr)
	if err == nil {
		fmt.Printf("sumu game events: http://%s\n\nOpen it in two windows. Ctrl+C ends it.\n", listener.Addr())
		err = run(ctx, listener, records, *pace, log)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gameevents:", err)
		os.Exit(1)
	}
}

// grants are what every player may do. In yours they come with the token.
var grants = sumu.Grants{{Pattern: "NES*", Verbs: []sumu.Verb{sumu.VerbSubscribe, sumu.VerbPost}}}

// byName lets in whoever gives a name, as who he says he is. It stands for
// package authorizer, which verifies a token; examples/quickstart has it.
type byName struct{}

// Authorize takes the name from the query.
func (byName) Authorize(_ context.Context, r *sumu.ConnectRequest) (sumu.Identity, error) {
	name := strings.Join(r.Query["name"], "")
	if name == "" || len(name) > 64 {
		return sumu.Identity{}, &sumu.Error{Op: "give a name of 1 to 64 bytes", Kind: sumu.ErrUnauthorized}
	}
	return sumu.Identity{UserID: name, Grants: grants}, nil
}

// AmbientCredentials is true: who reaches this address needs nothing more, and a
// browser on this machine does, whatever page it shows. So this server's own page
// connects, and no other.
func (byName) AmbientCredentials(*sumu.ConnectRequest) bool { return true }

// run serves until ctx ends, and ends what it has begun.
func run(ctx context.Context, listener net.Listener, records stream, pace time.Duration, log *slog.Logger) error {
	store := new(memstore.Store)
	app, err := sumu.NewApp(byName{}, store)
	if err != nil {
		return err
	}
	gw, err := gateway.New(app, func(o *gateway.Options) { o.Logger = log })
	if err != nil {
		return err
	}
	push, err := pusher.New(store, gw, func(o *pusher.Options) { o.Tries = 1 })
	if err != nil {
		return err
	}
	client, err := notify.NewLocal(push)
	if err != nil {
		return err
	}
	feed, err := events.New(store)
	if err != nil {
		return err
	}
	if err := feed.Attach(app); err != nil {
		return err
	}
	app.Handle("submitIotEvent", feed.Submit(client))

	background, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 2)
	go func() { ended <- records.Read(background, deliver(client, log)) }()
	go func() { ended <- console(background, records, pace) }()

	web := gateway.Server(routes(gw))
	served := make(chan error, 1)
	go func() { served <- web.Serve(listener) }()
	select {
	case <-ctx.Done():
	case err = <-served:
	case err = <-ended:
		ended <- nil // It is waited for below.
	}

	stop()
	deadline, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	errs := []error{err, gw.Shutdown(deadline), web.Close(), <-ended, <-ended, client.Close(deadline)}
	return errors.Join(errs...)
}

//go:embed page
var pageFiles embed.FS

// routes are the page, and the sockets.
func routes(gw http.Handler) http.Handler {
	files, err := fs.Sub(pageFiles, "page")
	if err != nil {
		panic(err) // Not with a constant path.
	}
	page := http.FileServerFS(files)
	mux := http.NewServeMux()
	mux.Handle("GET /ws", gw)
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-cache")
		page.ServeHTTP(w, r)
	})
	return mux
}
