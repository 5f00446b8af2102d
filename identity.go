package sumu

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"
)

// Identity is who a verified token speaks for.
type Identity struct {
	// UserID is 1 to [MaxUserID] bytes; see [Identity.Validate].
	UserID string
	// ExpiresAt is the token's expiry: the connection is closed then. Zero:
	// it does not expire.
	ExpiresAt time.Time
	// IssuedAt is when the token was issued; a revocation refuses what was
	// issued before it. Zero: not known, which a revocation refuses too.
	IssuedAt time.Time
	// Grants is what the identity may do beside connecting.
	Grants Grants
	// Claims are the claims that the authorizer was told to pass on, and no
	// others: API Gateway repeats them on every event, 8 KB in all.
	Claims map[string]string
}

// ConnectRequest is what a client presents when it connects. Its fields hold
// a token: never log one.
type ConnectRequest struct {
	ConnectionID string // given by the transport, unique
	Endpoint     string // see [Connection.Endpoint]
	// Scheme ("http" or "https") and Host (with the port, unless it is the
	// scheme's own) are those of the URL as the client has it, in front of all
	// proxies: [AppOptions.Origins] compares them. "": not known.
	Scheme, Host string
	// Header and Query are as net/http has them; Header may be in any case.
	Header map[string][]string
	Query  map[string][]string
	// SourceIP is the client's address, without a port.
	SourceIP string
}

// HeaderValues returns the values of a header, whatever the case of its name.
func (r *ConnectRequest) HeaderValues(name string) []string {
	var values []string
	for k, v := range r.Header {
		if strings.EqualFold(k, name) {
			values = append(values, v...)
		}
	}
	return values // Of several spellings in no particular order.
}

// Subprotocols returns the sub-protocols that the client offers, in its order.
func (r *ConnectRequest) Subprotocols() []string {
	var offered []string
	for _, line := range r.HeaderValues("Sec-Websocket-Protocol") {
		for p := range strings.SplitSeq(line, ",") {
			if p = strings.TrimSpace(p); p != "" {
				offered = append(offered, p)
			}
		}
	}
	return offered
}

// String returns the connection's id and address only: the rest may hold a token.
func (r ConnectRequest) String() string {
	return "connect " + r.ConnectionID + " from " + r.SourceIP
}

// Format writes String whatever the verb: none may show a token.
func (r ConnectRequest) Format(s fmt.State, _ rune) { io.WriteString(s, r.String()) }

// MarshalText is String: neither encoding/json nor a handler of log/slog may
// show a token.
func (r ConnectRequest) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// Authorizer decides who a connecting client is.
type Authorizer interface {
	// Authorize returns who the request speaks for. ErrUnauthorized is
	// returned for a token that is missing or does not verify, ErrForbidden
	// for one that verifies but is not meant for here; any other error is a
	// fault on our side and refuses the connection as well.
	Authorize(ctx context.Context, r *ConnectRequest) (Identity, error)
}

// AuthorizerFunc is a function as an [Authorizer].
type AuthorizerFunc func(ctx context.Context, r *ConnectRequest) (Identity, error)

// Authorize calls f.
func (f AuthorizerFunc) Authorize(ctx context.Context, r *ConnectRequest) (Identity, error) {
	return f(ctx, r)
}
