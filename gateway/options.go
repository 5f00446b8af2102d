package gateway

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"slices"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/logging"
)

// Options tune a [Gateway]. A zero field is its default, which is meant for
// servers of your own; [LikeAPIGateway] sets the quotas of API Gateway. Where a
// negative value is allowed it means none. Times are checked once a second, so
// each may be late by that much.
type Options struct {
	// Endpoint is the base URL (http or https) at which other processes reach
	// this gateway's management API; it is written to every row, see
	// [Gateway.Endpoint]. Default "": there are no other processes.
	Endpoint string
	// Nodes closes sockets of other gateways: those of connections that were
	// evicted here ([sumu.Session]). If it is a [sumu.Sender] too, their clients
	// are told why first. Default nil: such a socket lives on without a row,
	// where no push reaches it, until its row's next renewal or its MaxAge.
	Nodes sumu.Disconnecter
	// Leases is where this node says that it lives, for as long as it does:
	// see "Node leases" in the package's documentation. It needs an Endpoint,
	// and a store that is a [sumu.Toucher]; rows then have an endpoint that is
	// this process's own, below Endpoint. Default nil: no lease.
	Leases sumu.StateStore
	// LeaseTTL is how long a lease lives unless it is renewed, which it is
	// three times in that time. Default 30 s; at least 3 s.
	LeaseTTL time.Duration
	// Node names this node in its lease and in logs: 1 to 64 letters, digits,
	// ".", "-" and "_". A random suffix makes it this process's own. Default "node".
	Node string

	// ConnectTimeout bounds a connection's authorizer and the write of its
	// row. Default 29 s, as API Gateway's integrations have.
	ConnectTimeout time.Duration
	// PingInterval pings a client from which nothing has come for so long, or
	// up to a quarter less, so that not all are pinged at once. It keeps proxies
	// from closing what they take for idle (after 60 s: AWS's load balancers and
	// nginx, their defaults as of 2026-11). Default 25 s; at least 1 s; negative:
	// no pings.
	PingInterval time.Duration
	// PongTimeout resets a socket (1006) when nothing comes from the client for
	// so long after a ping was written. Any byte is an answer. So a dead link is
	// found within PingInterval and PongTimeout, whatever is posted to it.
	// Default 10 s; at least 1 s; negative: the answer does not matter.
	PongTimeout time.Duration
	// IdleTimeout closes a socket (1001) from which nothing came for so long. Any
	// byte of the client counts, pongs included, so with pings it is for clients
	// that PongTimeout leaves alone. Default none with pings, 10 min without;
	// negative: none.
	IdleTimeout time.Duration
	// MaxAge closes a socket (1001) that is this old. Default none where the
	// store is a [sumu.Toucher]: the row of a socket that may outlive
	// [sumu.AppOptions.RowTTL] is renewed at about half of that, which is a write
	// each time. With any other store the default is a little less than RowTTL,
	// and New logs that. Negative: none.
	MaxAge time.Duration

	// ReadTimeout closes a socket (1008) whose message has begun and not
	// ended for so long. Default 10 s.
	ReadTimeout time.Duration
	// WriteTimeout resets a socket (1006) that takes not one byte of what is
	// pending for so long. Default 10 s.
	WriteTimeout time.Duration
	// WriteBuffer is how many bytes may be pending for one socket, a few
	// bytes per frame included; a post over it gets ErrThrottled. Frames are
	// shared, so one payload pending for many sockets is held once. Default
	// 256 KiB; at least 129 KiB, so that the longest message fits.
	WriteBuffer int
	// MaxFrame is the longest data frame that a client may send, in bytes;
	// a longer one closes its socket (1009). Default none: a frame may be as
	// long as a message, [sumu.MaxPayload]; negative: the same. API Gateway takes
	// 32 KiB, and browsers do not ask: Chromium 156 sends up to 64 KiB as one
	// frame, and more in frames of up to 120 KB.
	MaxFrame int
	// FrameSize is the longest frame that is sent, in bytes: longer messages
	// are sent in several, cut between characters (compressed ones anywhere).
	// Default none: every message is one frame; negative: the same. At least
	// 1 KiB. API Gateway sends 32 KiB.
	FrameSize int
	// MaxURL is the longest URL, in bytes, scheme and host included; a longer
	// one is refused with 414. Default none but the server's own limit; negative:
	// the same. API Gateway takes 4,096.
	MaxURL int
	// MaxHeader is how many bytes the request line and the values of all
	// headers may have together; more are refused with 431. Default none but the
	// server's own limit ([Server]); negative: the same. API Gateway takes 10,240.
	MaxHeader int

	// Compress is from how many bytes on a message goes out compressed, to
	// clients that offer permessage-deflate (RFC 7692), as browsers do. Such a
	// client may compress what it sends, of any length; MaxFrame holds for what it
	// sends, [sumu.MaxPayload] for what that becomes. Default none: it is not
	// negotiated, as with API Gateway; negative: the same. 1,024 is a good value where bandwidth is
	// dear: see "Compression" in the package's documentation for what it saves
	// and costs.
	Compress int

	// MaxSockets is how many sockets may be open or opening; more are refused
	// with 429. Default none but that of open files; negative: the same.
	MaxSockets int
	// ConnectRate is how many requests to connect are taken per second, with
	// bursts of twice as many; more are refused with 429. Default none; negative:
	// the same. API Gateway takes 500.
	ConnectRate int
	// ConnectRatePerSource is ConnectRate for each source: an IPv4 address, or
	// the first 64 bits of an IPv6 one. Default 50 for public addresses, and
	// no limit for loopback, private and link-local ones, which are machines of
	// yours. A positive number holds for all; negative: no limit. Behind a
	// proxy set TrustedProxies, else all clients are one source.
	ConnectRatePerSource int
	// MessageRate is how many messages, pings and pongs a socket may send per
	// second, with bursts of twice as many. What is over it is not handled: the
	// client is told once a second, by an error frame with the code
	// rate_limited, and a socket that has had twice MessageRate refused, with
	// never a second without, is closed (1008). The pong to a ping of ours is not
	// counted. Default 100; negative: no limit.
	MessageRate int
	// TrustedProxies are whose X-Forwarded-For is believed: then a client's
	// address is the right-most one there that is not a trusted proxy's. So are
	// the X-Forwarded-Proto and X-Forwarded-Host of the nearest one, for
	// [sumu.AppOptions.Origins]. Default none: it is the address that the
	// connection comes from.
	TrustedProxies []netip.Prefix

	// CloseGrace is how long a socket that was told to close may take to
	// answer before it is reset. Default 5 s.
	CloseGrace time.Duration
	// DrainRate is how many sockets [Gateway.Shutdown] closes per second, so
	// that their clients do not all come back at once. Default 500, the rate
	// at which API Gateway takes new connections.
	DrainRate int

	// Observer is told of connections that this gateway itself refused: only
	// its Refused is called. Everything else reaches the App's observer.
	Observer sumu.Observer
	// Logger is told what went wrong on our side. Default: [slog.Default], warnings
	// and errors; slog.New(slog.DiscardHandler) for silence.
	Logger *slog.Logger
	// Now is the clock. Default [time.Now].
	Now func() time.Time

	// apiGateway has what is written keep a socket from being idle, too, and
	// unknown actions answered as there.
	apiGateway bool
	// manual leaves the wheel to tests, which turn it by hand.
	manual bool
	// unpolled has each socket wait in a goroutine, as where there is no poller.
	unpolled bool
	// sleep waits between the waves of a shutdown.
	sleep func(d time.Duration) <-chan time.Time
}

// minWriteBuffer holds the longest message, its frames' headers, and a close
// frame.
const minWriteBuffer = sumu.MaxPayload + 1<<10

// minFrameSize bounds what the headers of a long message's frames add to it.
const minFrameSize = 1 << 10

// complete gives zero fields their default and reports all that cannot be.
func (o *Options) complete() error {
	var errs []error
	orDefault(&errs, "ConnectTimeout", &o.ConnectTimeout, 29*time.Second)
	orDefault(&errs, "ReadTimeout", &o.ReadTimeout, 10*time.Second)
	orDefault(&errs, "WriteTimeout", &o.WriteTimeout, 10*time.Second)
	orDefault(&errs, "CloseGrace", &o.CloseGrace, 5*time.Second)
	orDefault(&errs, "DrainRate", &o.DrainRate, 500)
	orDefault(&errs, "WriteBuffer", &o.WriteBuffer, 256<<10)
	orDefault(&errs, "LeaseTTL", &o.LeaseTTL, 30*time.Second)
	atLeast(&errs, "WriteBuffer", o.WriteBuffer, minWriteBuffer)
	atLeast(&errs, "LeaseTTL", o.LeaseTTL, 3*time.Second)

	// Negative: none. MaxAge is left: its default depends on the store.
	o.PingInterval = cmp.Or(o.PingInterval, 25*time.Second)
	o.PongTimeout = cmp.Or(o.PongTimeout, 10*time.Second)
	if o.IdleTimeout == 0 && o.PingInterval < 0 {
		o.IdleTimeout = 10 * time.Minute
	}
	o.MessageRate = cmp.Or(o.MessageRate, 100)
	for _, limit := range []*int{&o.MaxFrame, &o.FrameSize, &o.MaxURL, &o.MaxHeader, &o.Compress, &o.MaxSockets, &o.ConnectRate} {
		*limit = max(*limit, 0) // Their default is none.
	}
	if o.PingInterval > 0 {
		atLeast(&errs, "PingInterval", o.PingInterval, time.Second)
		atLeast(&errs, "PongTimeout", o.PongTimeout, time.Second)
	}
	if o.FrameSize > 0 {
		atLeast(&errs, "FrameSize", o.FrameSize, minFrameSize)
	}

	o.TrustedProxies = slices.Clone(o.TrustedProxies)
	for i, p := range o.TrustedProxies {
		if !p.IsValid() || p.Addr().Is4In6() {
			errs = append(errs, invalid("TrustedProxies[%d] is %v; it must be a prefix of IPv4 or IPv6 addresses", i, p))
		}
	}
	errs = append(errs, o.completeNode())
	o.Logger = logging.Or(o.Logger)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.sleep == nil {
		o.sleep = time.After
	}
	return errors.Join(errs...)
}

// completeNode checks what this node tells of itself.
func (o *Options) completeNode() error {
	var errs []error
	if o.Endpoint != "" {
		u, err := url.Parse(o.Endpoint)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
			errs = append(errs, invalid("Endpoint must be a URL such as https://node-1.example.com/prod"))
		}
	}
	o.Node = cmp.Or(o.Node, "node")
	if len(o.Node) > 64 || !isNodeName(o.Node) {
		errs = append(errs, invalid("Node is %.80q; it must be 1 to 64 letters, digits, \".\", \"-\" and \"_\"", o.Node))
	}
	if o.Leases == nil {
		return errors.Join(errs...)
	}
	if o.Endpoint == "" || len(o.Endpoint) > maxLeaseEndpoint {
		errs = append(errs, invalid("Leases needs an Endpoint, of at most %d bytes", maxLeaseEndpoint))
	}
	return errors.Join(errs...)
}

// maxLeaseEndpoint leaves room for the node's name in a lease's key.
const maxLeaseEndpoint = 1024

func isNodeName(name string) bool {
	for _, c := range []byte(name) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '-', c == '_':
		default:
			return false
		}
	}
	return true
}

func orDefault[T int | time.Duration](errs *[]error, name string, v *T, d T) {
	switch {
	case *v == 0:
		*v = d
	case *v < 0:
		*errs = append(*errs, invalid("%s is %v; it must not be negative", name, *v))
	}
}

// atLeast is for what was not negative: that has been reported, or means none.
func atLeast[T int | time.Duration](errs *[]error, name string, v, least T) {
	if v >= 0 && v < least {
		*errs = append(*errs, invalid("%s is %v; it must be at least %v", name, v, least))
	}
}

func invalid(format string, args ...any) error {
	return &sumu.Error{Op: "gateway: " + fmt.Sprintf(format, args...), Kind: sumu.ErrInvalid}
}
