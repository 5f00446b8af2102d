package sumutest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/authorizer"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/gateway"
	"github.com/sumu-live/sumu/notify"
	"github.com/sumu-live/sumu/presence"
	"github.com/sumu-live/sumu/pusher"
)

// Env is a whole program in the test's process, on a loopback address, from its
// token issuer to its sockets. It ends with the test.
type Env struct {
	// URL is the WebSocket endpoint, "ws://127.0.0.1:…/ws".
	URL string
	// Issuer is nil with [Options.Authorizer].
	Issuer  *Issuer
	Clock   *Clock
	Store   sumu.Store
	App     *sumu.App
	Gateway *gateway.Gateway
	// Sender stands between Pusher and Gateway: it records the posts, and
	// makes them fail on request.
	Sender *Recorder
	Pusher *pusher.Pusher
	// Client delivers through Pusher, in the order in which it was sent to.
	Client sumu.NotifyClient
	// Watcher is nil without [Options.Presence].
	Watcher *presence.Watcher

	opts  Options
	track *tracker
	tally *tally

	mu    sync.Mutex
	conns []*Conn
}

// New starts an Env. The test fails when it cannot be started with these
// options, and when it cannot be stopped at the end: a handler that does not
// return is reported.
func New(tb testing.TB, optFns ...func(*Options)) *Env {
	tb.Helper()
	opts := Options{Clock: new(Clock), Wait: wait}
	opts.Store = &memstore.Store{Now: func() time.Time { return opts.Clock.Now() }} // It may be replaced yet.
	for _, fn := range optFns {
		fn(&opts)
	}
	opts.check(tb)
	e := &Env{Clock: opts.Clock, Store: opts.Store, opts: opts, track: newTracker(), tally: new(tally)}
	auth := opts.Authorizer
	if auth == nil {
		auth = e.issue(tb)
	} else if opts.Token == nil {
		e.opts.Token = UserToken
	}
	e.serve(tb, auth)
	e.deliver(tb)
	if opts.Presence != nil {
		e.watch(tb)
	}
	// The last cleanup is the first to run: before anything else ends, there
	// are no sockets and no post that hangs.
	tb.Cleanup(func() {
		e.Sender.releaseAll()
		e.mu.Lock()
		defer e.mu.Unlock()
		for _, c := range e.conns {
			_ = c.ws.Close()
		}
	})
	return e
}

// issue starts the issuer, and returns the authorizer that trusts it.
func (e *Env) issue(tb testing.TB) sumu.Authorizer {
	tb.Helper()
	e.Issuer = NewIssuer(tb, func(o *IssuerOptions) {
		o.Now = e.Clock.Now
		apply(e.opts.Issuer, o)
	})
	if e.opts.Token == nil {
		e.opts.Token = e.Issuer.Token
	}
	keys, err := authorizer.JWKS(e.Issuer.URL+PathJWKS, func(o *authorizer.JWKSOptions) { o.Now = e.Clock.Now })
	orFatal(tb, err)
	auth, err := authorizer.New(keys, func(o *authorizer.Options) {
		o.Issuer = e.Issuer.URL
		o.Audiences = []string{e.Issuer.Audience()}
		o.Now = e.Clock.Now
		apply(e.opts.Verify, o)
	})
	orFatal(tb, err)
	return auth
}

// serve starts the App and the gateway.
func (e *Env) serve(tb testing.TB, auth sumu.Authorizer) {
	tb.Helper()
	var err error
	e.App, err = sumu.NewApp(e.track.authorizer(auth), e.Store, func(o *sumu.AppOptions) {
		o.Now = e.Clock.Now
		apply(e.opts.App, o)
		e.track.observe(&o.Observer)
	})
	orFatal(tb, err)
	e.Gateway, err = gateway.New(e.App, gateway.LikeAPIGateway, func(o *gateway.Options) {
		o.Now = e.Clock.Now
		o.MessageRate = -1 // On a clock that stands still it would be a number in all.
		apply(e.opts.Gateway, o)
	})
	orFatal(tb, err)
	mux := http.NewServeMux()
	mux.Handle("/ws", e.Gateway)
	srv := httptest.NewServer(mux)
	e.URL = "ws" + strings.TrimPrefix(srv.URL, "http") + "/ws"
	tb.Cleanup(func() {
		stop(tb, "gateway", e.Gateway.Shutdown)
		srv.Close()
	})
}

// deliver starts what carries notifications to the gateway.
func (e *Env) deliver(tb testing.TB) {
	tb.Helper()
	e.Sender = &Recorder{Sender: e.Gateway}
	var err error
	e.Pusher, err = pusher.New(e.Store, e.Sender, func(o *pusher.Options) {
		o.Tries = 1
		o.Now = e.Clock.Now
		apply(e.opts.Pusher, o)
	})
	orFatal(tb, err)
	local, err := notify.NewLocal(countingPusher{e.Pusher, e.tally}, func(o *notify.LocalOptions) {
		o.Backoff = time.Millisecond
		o.Timeout = e.opts.Wait / 5 // Settle waits for what is given up.
		apply(e.opts.Local, o)
	})
	orFatal(tb, err)
	e.Client = countingClient{local, e.tally}
	tb.Cleanup(func() { stop(tb, "client", local.Close) })
}

// watch starts presence.
func (e *Env) watch(tb testing.TB) {
	tb.Helper()
	var err error
	// As check has found.
	store, feed := e.Store.(presence.Store), e.opts.feed()
	e.Watcher, err = presence.New(store, presence.ToNotify(e.Client), e.opts.Presence)
	orFatal(tb, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- e.Watcher.Run(ctx, feed) }()
	tb.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			tb.Errorf("sumutest: presence: %v", err)
		}
	})
}

// Notify sends data, encoded as JSON, to all connections of the users, as
// notify.ToUsers and notify.Send do with [Env.Client]. The test fails when it is
// not accepted; to name no user is refused.
func (e *Env) Notify(tb testing.TB, data any, users ...string) {
	tb.Helper()
	n, err := notify.ToUsers(data, users...)
	e.send(tb, n, err)
}

// NotifyEveryone sends data, encoded as JSON, to all connections but those of
// the excluded users.
func (e *Env) NotifyEveryone(tb testing.TB, data any, excludeUsers ...string) {
	tb.Helper()
	n, err := notify.ToEveryone(data, excludeUsers...)
	e.send(tb, n, err)
}

func (e *Env) send(tb testing.TB, n sumu.Notification, err error) {
	tb.Helper()
	if err == nil {
		_, err = notify.Send(context.Background(), e.Client, n)
	}
	orFatal(tb, err)
}

// orFatal ends the test that cannot go on.
func orFatal(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatalf("sumutest: %v", err)
	}
}

// stop ends a part of an Env, in bounded time.
func stop(tb testing.TB, what string, end func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	if err := end(ctx); err != nil {
		tb.Errorf("sumutest: %s: %v", what, err)
	}
}
