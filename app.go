package sumu

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/sumu-live/sumu/internal/logging"
)

// App is what an entrypoint composes and a transport calls: authorize a
// connection, write its row, route its messages, remove the row. It holds no
// state of connections: one App can serve many of them, and many Apps one store.
type App struct {
	auth     Authorizer
	verifier TokenVerifier // nil unless opts.Refresh
	store    Store
	capper   Capper // nil unless opts.MaxConnections
	origins  *OriginPolicy
	opts     AppOptions
	failures logging.Summary

	mu     sync.RWMutex
	routes map[string]Handler
	hooks  []func(context.Context, *Session) error
	attach bool // connections have attachments

	// Wrapped once: a middleware may keep state for each handler it wraps.
	builtin  map[string]Handler
	fallback Handler
}

// NewApp returns an App that lets in whom auth accepts and keeps connections
// in store. ErrInvalid is returned with every option that cannot be,
// ErrUnsupported for one that auth or store has not the power for.
func NewApp(auth Authorizer, store Store, optFns ...func(*AppOptions)) (*App, error) {
	var opts AppOptions
	for _, fn := range optFns {
		fn(&opts)
	}
	opts.RowTTL = cmp.Or(opts.RowTTL, MaxConnectionAge+10*time.Minute)
	if opts.Subprotocols == nil {
		opts.Subprotocols = []string{"sumu"}
	}
	opts.Logger = logging.Or(opts.Logger)
	if opts.Now == nil {
		opts.Now = time.Now
	}
	var errs []error
	if auth == nil {
		errs = append(errs, invalid("an App needs an Authorizer"))
	}
	if store == nil {
		errs = append(errs, invalid("an App needs a Store"))
	}
	if opts.RowTTL < time.Second {
		errs = append(errs, invalid("RowTTL is %v; it must be at least 1s", opts.RowTTL))
	}
	if opts.EvictOldest && opts.MaxConnections <= 0 {
		errs = append(errs, invalid("EvictOldest needs a MaxConnections"))
	}
	capper, ok := store.(Capper)
	if opts.MaxConnections > 0 && !ok && store != nil {
		errs = append(errs, &Error{Op: "MaxConnections needs a store that is a Capper", Kind: ErrUnsupported})
	}
	verifier, ok := auth.(TokenVerifier)
	if opts.Refresh && !ok && auth != nil {
		errs = append(errs, &Error{Op: "Refresh needs an authorizer that is a TokenVerifier", Kind: ErrUnsupported})
	}
	origins, err := NewOriginPolicy(auth, opts.Origins)
	errs = append(errs, err)
	for i, mw := range opts.Middleware {
		if mw == nil {
			errs = append(errs, invalid("Middleware[%d] is nil", i))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	opts.Subprotocols = slices.Clone(opts.Subprotocols)
	opts.Middleware = slices.Clone(opts.Middleware)
	if opts.Default == nil {
		opts.Default = forbidden
	}
	a := &App{
		auth: auth, verifier: verifier, store: store, capper: capper, origins: origins, opts: opts,
		routes: make(map[string]Handler),
	}
	a.builtin = map[string]Handler{"ping": a.wrap(pong), "keepalive": a.wrap(keepalive)}
	if opts.Refresh {
		a.builtin["refresh"] = a.wrap(a.refresh)
	}
	a.fallback = a.wrap(opts.Default)
	return a, nil
}

// Handle registers the handler of an action. Like [net/http.ServeMux] it
// panics for an action that is empty or over 128 bytes, a nil handler, or one
// registered twice. "ping",
// "keepalive" and, with [AppOptions.Refresh], "refresh" are handled unless they
// are registered.
func (a *App) Handle(action string, h Handler) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case action == "":
		panic("sumu: empty action")
	case len(action) > maxAction:
		panic("sumu: action is over " + itoa(maxAction) + " bytes: " + action)
	case h == nil:
		panic("sumu: nil handler for action " + action)
	case a.routes[action] != nil:
		panic("sumu: action " + action + " has a handler already")
	}
	a.routes[action] = a.wrap(h)
}

// Actions returns the registered actions, sorted.
func (a *App) Actions() []string {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return slices.Sorted(maps.Keys(a.routes))
}

func (a *App) wrap(h Handler) Handler {
	for _, mw := range slices.Backward(a.opts.Middleware) {
		h = mw(h)
	}
	return h
}

// Session is an accepted connection.
type Session struct {
	Connection  Connection
	Identity    Identity
	Subprotocol string // to be echoed; "": none
	// Evicted are the user's older connections whose place this one took: the
	// transport closes their sockets, wherever they are. Their rows are gone.
	Evicted []Connection
}

// Connect authorizes a connection and writes its row: when it returns, the
// transport may complete the upgrade. ErrUnauthorized (401) or ErrForbidden
// (403) is returned for a client that may not connect; any other error is a
// fault on our side.
func (a *App) Connect(ctx context.Context, r *ConnectRequest) (Session, error) {
	s, err := a.connect(ctx, r)
	if err != nil {
		if f := a.opts.Observer.Refused; f != nil {
			f(ctx, r.ConnectionID, r.SourceIP, err)
		}
		return Session{}, err
	}
	if f := a.opts.Observer.Connected; f != nil {
		f(ctx, s.Connection)
	}
	return s, nil
}

func (a *App) connect(ctx context.Context, r *ConnectRequest) (Session, error) {
	op := "connect " + r.ConnectionID
	if err := a.origins.Check(r); err != nil {
		return Session{}, &Error{Op: op, Err: err}
	}
	id, err := a.auth.Authorize(ctx, r)
	if err != nil {
		return Session{}, &Error{Op: op, Err: err}
	}
	now := a.opts.Now()
	c := Connection{
		UserID:        id.UserID,
		ID:            r.ConnectionID,
		Endpoint:      r.Endpoint,
		ConnectedAt:   now.Truncate(time.Millisecond),
		DeleteAt:      a.rowExpiry(now),
		AuthExpiresAt: id.ExpiresAt.Truncate(time.Second),
	}
	if err := cmp.Or(validIdentity(id), c.Validate(), checkID("connection id", c.ID)); err != nil {
		return Session{}, &Error{Op: op, Kind: ErrUnauthorized, Err: err}
	}
	if !c.AuthExpiresAt.IsZero() && !now.Before(c.AuthExpiresAt) {
		return Session{}, &Error{Op: op + ": token has expired", Kind: ErrUnauthorized}
	}
	if err := a.checkRevoked(ctx, id); err != nil {
		return Session{}, &Error{Op: op, Err: err}
	}
	evicted, err := a.put(ctx, c)
	if err != nil {
		return Session{}, &Error{Op: op, Err: err}
	}
	s := Session{Connection: c, Identity: id, Subprotocol: a.subprotocol(r), Evicted: evicted}
	if err := a.begin(ctx, &s); err != nil {
		return Session{}, &Error{Op: op, Err: err}
	}
	return s, nil
}

func (a *App) put(ctx context.Context, c Connection) (evicted []Connection, err error) {
	if a.opts.MaxConnections > 0 {
		evicted, err = a.capper.PutCapped(ctx, c, a.opts.MaxConnections, a.opts.EvictOldest)
	} else {
		err = a.store.Put(ctx, c)
	}
	switch {
	case err == nil:
		return evicted, nil
	case errors.Is(err, ErrForbidden), errors.Is(err, ErrUnauthorized):
		// The store refuses us, which is no fault of the client's: that must not
		// reach the transport as a 403. The text is for the logs.
		_, kind := outermost(err)
		if kind != ErrThrottled {
			kind = ErrUnavailable
		}
		return nil, &Error{Kind: kind, Err: errors.New(err.Error())}
	case Retryable(err):
		a.undo(ctx, c)
	}
	return nil, err
}

// undo removes a row whose write has an unknown outcome: it may be there all
// the same, and would show the user as online until it expires.
func (a *App) undo(ctx context.Context, c Connection) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_ = a.remove(ctx, c.Ref()) // Nobody is left to tell; the row expires.
}

func (a *App) subprotocol(r *ConnectRequest) string {
	offered := r.Subprotocols()
	for _, p := range a.opts.Subprotocols {
		if slices.Contains(offered, p) {
			return p
		}
	}
	return ""
}

// Disconnect removes the row of a connection that has ended. It may be called
// twice, and for a connection whose row is gone.
func (a *App) Disconnect(ctx context.Context, c Connection, reason DisconnectReason) error {
	err := a.remove(ctx, c.Ref())
	if err != nil {
		err = &Error{Op: fmt.Sprintf("disconnect %s", c.ID), Err: err}
	}
	if f := a.opts.Observer.Disconnected; f != nil {
		f(ctx, c, reason, err)
	}
	return err
}
