package sumu

import (
	"log/slog"
	"time"
)

// AppOptions tune an [App]. The zero value is the default.
type AppOptions struct {
	// RowTTL is how long a row lives unless it is renewed: the longest life of
	// a connection plus slack for clocks. Default 2 h 10 min; at least 1 s.
	RowTTL time.Duration
	// Subprotocols are those that the server speaks, the preferred one first.
	// Default nil: "sumu"; empty: none. A client that offers some gets the first of these that
	// is among them; browsers fail when none is.
	Subprotocols []string
	// Origins are those whose pages may connect, whatever the Authorizer, as
	// browsers send them in Origin: "https://app.example.com", with the port
	// where it is not the scheme's own; "https://*.example.com" for all names
	// below example.com, but not itself; "app://name" of what has a scheme of its
	// own; "null" (sandboxed pages) and "file://" (files, some of Electron) as
	// they are; "*" for every page there is. Case does not count. Hosts are in
	// ASCII: "https://xn--bcher-kva.example". With a list, a request of any other
	// page is refused with ErrForbidden before its Authorizer is asked.
	//
	// Default, no list: pages of the same host (scheme, host and port, as the
	// client saw them) connect, and others with what browsers do not send by
	// themselves, such as a token in the query or a sub-protocol. Those of
	// another host with ambient credentials are refused: cookies and the like,
	// see [AmbientReader] and [ConnectRequest.Ambient].
	//
	// Programs that are no browsers send no Origin, and are let pass.
	Origins []string
	// MaxConnections is how many connections a user may have at once. One more
	// is refused with ErrLimit, or takes the place of the oldest with
	// EvictOldest. The store must be a [Capper]. Default none; negative: the
	// same.
	MaxConnections int
	EvictOldest    bool
	// Revocations is where [Revoke] writes; every connection reads it once.
	// Default nil: no token is ever revoked.
	Revocations StateStore
	// Refresh answers the action "refresh": its "token" replaces the one that
	// the connection was opened with. The Authorizer must be a [TokenVerifier].
	Refresh bool
	// Default handles messages whose action has no handler, or that have none.
	// Default: the reply of API Gateway, {"message":"Forbidden",…}; see [App.Message].
	Default Handler
	// Middleware wraps every handler once, the built-in ones and Default too,
	// the first one outermost.
	Middleware []Middleware
	// Observer is told what happens.
	Observer Observer
	// Logger is told of handlers that failed other than by a fault of the
	// client, at level Error: one line a second at most, with the count.
	// Default: [slog.Default], warnings and errors; slog.New(slog.DiscardHandler)
	// for silence.
	Logger *slog.Logger
	// Now is the clock. Default [time.Now].
	Now func() time.Time
}
