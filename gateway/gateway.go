package gateway

import (
	"cmp"
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/logging"
)

// Gateway terminates WebSockets for a [sumu.App]. It is an [net/http.Handler],
// the WebSocket endpoint, and a [sumu.Sender] and [sumu.Disconnecter] of its
// own sockets.
type Gateway struct {
	app      *sumu.App
	opts     Options
	endpoint string
	lease    *lease // nil unless opts.Leases

	// ctx is that of the handlers of messages; Shutdown ends it by force.
	ctx  context.Context
	kill context.CancelFunc

	hub      hub
	frames   frames
	deflated frames // for sockets that take them compressed
	wheel    wheel
	poller   poller
	flushers workers
	renewers workers

	removals  chan struct{} // how many rows are being removed
	evictions chan struct{} // how many requests have others' sockets closed
	running   group         // requests that upgrade, sockets, workers

	connects  limiter
	perSource sources
	perSocket rate

	used atomic.Int64 // sockets that are open or opening

	// What a store that is down, or a client, could make a flood of lines.
	connectErrors, renewErrors, removeErrors, replyErrors logging.Summary

	mu       sync.RWMutex // held to admit a socket
	stopping bool
}

var (
	_ sumu.Sender             = (*Gateway)(nil)
	_ sumu.ReasonDisconnecter = (*Gateway)(nil)
)

const (
	// maxRemovals bounds how many rows are removed at a time: a network that
	// breaks ends all sockets at once.
	maxRemovals = 64
	// maxRenewals bounds how many rows are renewed at a time.
	maxRenewals = 32
)

// defaultSourceRate is for public addresses; see [Options.ConnectRatePerSource].
const defaultSourceRate = 50

// New returns a Gateway for app. ErrInvalid is returned with every option that
// cannot be; ErrUnsupported when rows must be renewed, because of a lease or
// because sockets may outlive them, and the store cannot. It starts nothing:
// goroutines come with sockets.
func New(app *sumu.App, optFns ...func(*Options)) (*Gateway, error) {
	var opts Options
	for _, fn := range optFns {
		fn(&opts)
	}
	if app == nil {
		return nil, errors.Join(invalid("New needs an App"), opts.complete())
	}
	if err := opts.complete(); err != nil {
		return nil, err
	}
	g := &Gateway{
		app: app, opts: opts, endpoint: opts.Endpoint,
		removals:  make(chan struct{}, maxRemovals),
		evictions: make(chan struct{}, maxEvictions),
	}
	if err := g.limitAge(); err != nil {
		return nil, err
	}
	g.ctx, g.kill = context.WithCancel(context.Background())
	g.hub.init()
	g.initFrames()
	g.initDeflated()
	g.wheel.init(g)
	g.poller.group = &g.running
	g.connects.rate = perSecond(opts.ConnectRate)
	g.perSource.init(perSecond(cmp.Or(opts.ConnectRatePerSource, defaultSourceRate)))
	g.perSocket = perSecond(opts.MessageRate)
	if opts.Leases != nil {
		g.lease = newLease(g)
		g.endpoint = g.lease.key
	}
	cores := runtime.GOMAXPROCS(0)
	g.flushers = workers{group: &g.running, max: cores, few: max(1, cores/2), serve: g.flush}
	g.renewers = workers{group: &g.running, max: maxRenewals, few: maxRenewals, serve: func(s *socket) (int, bool) { g.renew(s); return 1, true }}
	return g, nil
}

// Endpoint returns what is written to the rows of this gateway's connections:
// [Options.Endpoint], or with a lease this process's own URL below it.
func (g *Gateway) Endpoint() string { return g.endpoint }

// Sockets returns how many sockets are open.
func (g *Gateway) Sockets() int { return int(g.hub.size.Load()) }

func (g *Gateway) now() int64 { return g.opts.Now().UnixMilli() }

// limitAge sees to it that no socket outlives its row where the store cannot
// extend that.
func (g *Gateway) limitAge() error {
	o := &g.opts
	// A reference that names nothing: a store refuses it before it asks anybody,
	// so this tells a store that extends rows from one that does not.
	err := g.app.Renew(context.Background(), sumu.Connection{})
	if !errors.Is(err, sumu.ErrUnsupported) {
		o.MaxAge = cmp.Or(o.MaxAge, -1)
		return nil
	}
	if age := g.rowAge(); o.MaxAge == 0 && o.Leases == nil && age > 0 {
		o.MaxAge = age
		o.Logger.Warn("the store cannot extend rows: sockets are closed before their rows expire", "MaxAge", age)
	}
	if o.MaxAge == 0 || g.renews() || o.Leases != nil {
		return &sumu.Error{
			Op:   "gateway: Leases, or a MaxAge beyond RowTTL, need rows that can be renewed",
			Kind: sumu.ErrUnsupported,
			Err:  err,
		}
	}
	return nil
}

// rowAge is how old a socket may become before its row must be renewed.
func (g *Gateway) rowAge() time.Duration { return g.app.RowTTL() - g.opts.CloseGrace - time.Second }

// renews reports whether sockets may outlive their rows.
func (g *Gateway) renews() bool { return g.opts.MaxAge < 0 || g.opts.MaxAge > g.rowAge() }
