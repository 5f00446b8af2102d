package gateway

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sumu-live/sumu"
)

// Gateway terminates WebSockets for a [sumu.App]. It is an [net/http.Handler],
// the WebSocket endpoint, and a [sumu.Sender] that posts to its own sockets.
type Gateway struct {
	app  *sumu.App
	opts Options

	// ctx is that of the handlers of messages; Shutdown ends it by force.
	ctx  context.Context
	kill context.CancelFunc

	hub      hub
	wheel    wheel
	flushers workers
	renewers workers
	removals chan struct{} // how many rows are being removed
	running  group         // requests that upgrade, sockets, workers

	used atomic.Int64 // sockets that are open or opening

	mu       sync.RWMutex // held to admit a socket
	stopping bool
}

const (
	// maxRemovals bounds how many rows are removed at a time: a network that
	// breaks ends all sockets at once.
	maxRemovals = 64
	// maxRenewals bounds how many rows are renewed at a time.
	maxRenewals = 32
)

// New returns a Gateway for app. ErrInvalid is returned with every option that
// cannot be; ErrUnsupported when sockets may outlive their rows and the store
// cannot renew one. It starts nothing: goroutines come with sockets.
func New(app *sumu.App, optFns ...func(*Options)) (*Gateway, error) {
	opts := defaults()
	for _, fn := range optFns {
		fn(&opts)
	}
	if app == nil {
		return nil, errors.Join(invalid("New needs an App"), opts.complete())
	}
	if err := opts.complete(); err != nil {
		return nil, err
	}
	g := &Gateway{app: app, opts: opts, removals: make(chan struct{}, maxRemovals)}
	if g.renews() {
		// A reference that names nothing: a store refuses it before it asks
		// anybody, so this tells a store that renews from one that does not.
		if err := app.Renew(context.Background(), sumu.Connection{}); errors.Is(err, sumu.ErrUnsupported) {
			return nil, &sumu.Error{
				Op:   "gateway: MaxAge reaches beyond RowTTL",
				Kind: sumu.ErrUnsupported,
				Err:  err,
			}
		}
	}
	g.ctx, g.kill = context.WithCancel(context.Background())
	g.hub.init()
	g.wheel.init(g)
	g.flushers = workers{group: &g.running, max: runtime.GOMAXPROCS(0), start: g.newFlusher}
	g.renewers = workers{group: &g.running, max: maxRenewals, start: func() func(*socket) { return g.renew }}
	return g, nil
}

// Sockets returns how many sockets are open.
func (g *Gateway) Sockets() int { return int(g.hub.size.Load()) }

func (g *Gateway) now() int64 { return g.opts.Now().UnixMilli() }

// renews reports whether sockets may outlive their rows.
func (g *Gateway) renews() bool {
	return g.opts.MaxAge < 0 || g.opts.MaxAge+g.opts.CloseGrace+time.Second > g.app.RowTTL()
}
