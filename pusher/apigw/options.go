package apigw

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/sumu-live/sumu"
)

// Options tune a [Sender]. The zero value of a field is its default.
type Options struct {
	// Endpoint is where connections are whose row names none, in any form that
	// [Normalize] takes. Default: such a connection is ErrInvalid.
	Endpoint string

	// AllowedHosts are the hosts that a row may name. Each is one of
	//
	//	abc123.execute-api.us-east-1.amazonaws.com  this host
	//	*.nodes.example.com                         any host below it
	//	10.0.0.7                                    this address
	//	10.0.0.0/16                                 any address of this network
	//
	// on the scheme's own port, or with ":8443" on that port, or with ":*" on
	// any. A network of IPv6 with a port is "[fd00::/8]:8443". The host and port
	// of Endpoint are always allowed. Default: these alone.
	//
	// Whoever can write a row can have posts sent to any of these hosts, and
	// API Gateway gives everybody a host: "*.execute-api.us-east-1.amazonaws.com"
	// trusts every account of that region with payloads and session tokens.
	AllowedHosts []string

	// NodeHosts are hosts whose management API is that of package gateway, in
	// the form of AllowedHosts: they are allowed too, and take many posts in one
	// request (see [Sender.PostBatch]). Default: none. Any other host is taken
	// for API Gateway, and so is a host of its own whatever is said here. A host
	// that turns out to take no batches gets single posts, and loses none.
	NodeHosts []string

	// InsecureHTTP allows http:// to hosts other than this machine's loopback
	// addresses. Payloads and session tokens then cross the network in clear.
	InsecureHTTP bool

	// MaxConns is how many connections to one host are open at once, in use or
	// idle: the concurrency of all pushers that share this sender, over HTTP/1.1.
	// A post beyond it waits. Default 128; 1 to 10,000. It has no effect with
	// a Transport of your own.
	MaxConns int

	// TLS is how connections are secured, for gateways of your own whose
	// certificates the machine does not know. Default: the machine's roots, TLS
	// 1.2 and later. It has no effect with a Transport of your own.
	TLS *tls.Config

	// Timeout bounds one request, from its connection to the end of its
	// answer. Default 10 s; 1 ms to 1 min. A negative value means that callers
	// bound each request by its context, as a pusher does with its PostTimeout:
	// a second clock costs a tenth of the post. A context without an end then
	// waits for a server that hangs for as long as that does.
	Timeout time.Duration

	// Transport carries the requests. Default: one made for this use, with
	// HTTP/2 where the server offers it, and without a proxy. One of your own
	// should keep as many idle connections per host as posts are in flight, or
	// most posts will open a new one, and must not follow redirects.
	Transport http.RoundTripper

	// RateLimit is the most requests per second that this sender makes: the
	// share of the account's rate (10,000 a second by default, for all its
	// APIs together; read 2026-11) that is meant for it. Default none
	// until the account is throttled; negative: the same. When it is, the rate falls to 70 % of
	// what it was, at most once a second, and then rises by 100 a second each
	// second, up to RateLimit or, without one, until it is lifted at twice the
	// rate that was too much.
	RateLimit float64
	// RateChanged, if set, is told of every new limit in requests per second;
	// 0: none any more. It is called on the path of a post and must be quick.
	RateChanged func(perSecond float64)

	// Now is the clock that requests are signed by. Default [time.Now].
	Now func() time.Time
}

// Sender posts to connections, looks them up and closes them. It is a
// [sumu.BatchSender] and a [sumu.Disconnecter], and safe for concurrent use.
type Sender struct {
	creds     aws.CredentialsProvider
	region    string
	fallback  string // Options.Endpoint, normalised
	allowed   []hostPattern
	nodes     []hostPattern
	insecure  bool
	timeout   time.Duration
	transport http.RoundTripper
	owned     *http.Transport // the transport, unless it is the caller's
	limit     *limiter
	now       func() time.Time

	endpoints endpointCache
	mu        sync.Mutex
	signers   map[string]*signer // by region
	stale     aws.Credentials    // what the provider was last told to replace
}

var (
	_ sumu.BatchSender        = (*Sender)(nil)
	_ sumu.ReasonDisconnecter = (*Sender)(nil)
)

// isRegion tells whether s may be a region: lower-case letters and digits with
// single hyphens between them. No regular expression, which would be made at the
// start of every program.
func isRegion(s string) bool {
	for part := range strings.SplitSeq(s, "-") {
		if part == "" || strings.Trim(part, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
			return false
		}
	}
	return true
}

// New returns a Sender that signs with what creds returns, for region, such as
// "us-east-1"; a host of API Gateway is signed for the region in its name. creds
// is asked before every request and must cache: those of the SDK's
// LoadDefaultConfig do, others can be wrapped by [aws.NewCredentialsCache].
// ErrInvalid is returned with every argument and option that cannot be.
func New(creds aws.CredentialsProvider, region string, optFns ...func(*Options)) (*Sender, error) {
	var o Options
	for _, fn := range optFns {
		fn(&o)
	}
	o.MaxConns = cmp.Or(o.MaxConns, 128)
	o.Timeout = cmp.Or(o.Timeout, 10*time.Second)
	if o.Now == nil {
		o.Now = time.Now
	}
	var errs []error
	if creds == nil {
		errs = append(errs, invalid("a Sender needs credentials"))
	}
	if !isRegion(region) {
		errs = append(errs, invalid("%q is no region", region))
	}
	if o.MaxConns < 1 || o.MaxConns > 10_000 {
		errs = append(errs, invalid("MaxConns is %d; it must be 1 to 10000", o.MaxConns))
	}
	if o.Timeout >= 0 && o.Timeout < time.Millisecond || o.Timeout > time.Minute {
		errs = append(errs, invalid("Timeout is %v; it must be 1ms to 1m, or negative", o.Timeout))
	}
	if o.RateLimit < 0 {
		o.RateLimit = 0
	}
	if o.RateLimit != 0 && !(o.RateLimit >= minRate && o.RateLimit <= math.MaxInt32) { // NaN too.
		errs = append(errs, invalid("RateLimit is %v; it must be %d or more, or none", o.RateLimit, minRate))
	}
	s := &Sender{
		creds:     creds,
		region:    region,
		insecure:  o.InsecureHTTP,
		timeout:   o.Timeout,
		transport: o.Transport,
		limit:     newLimiter(o.RateLimit, o.RateChanged),
		now:       o.Now,
		signers:   make(map[string]*signer),
	}
	patterns := func(option string, hosts []string) (list []hostPattern) {
		for _, host := range hosts {
			p, err := parseHostPattern(option, host)
			if err != nil {
				errs = append(errs, err)
			}
			list = append(list, p)
		}
		return list
	}
	s.allowed = patterns("AllowedHosts", o.AllowedHosts)
	s.nodes = patterns("NodeHosts", o.NodeHosts)
	if o.Endpoint != "" {
		errs = append(errs, s.setFallback(o.Endpoint))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if s.transport == nil {
		s.owned = newTransport(o.MaxConns, o.TLS)
		s.transport = s.owned
	}
	return s, nil
}

// setFallback takes the operator's own endpoint, which allows its host.
func (s *Sender) setFallback(endpoint string) error {
	a, err := parseAddress(endpoint)
	if err == nil {
		err = s.checkScheme(a)
	}
	if err != nil {
		return &sumu.Error{Op: "Endpoint", Err: err}
	}
	s.fallback = a.String()
	s.allowed = append(s.allowed, a.pattern())
	return nil
}

// Close closes the idle connections. Call it when the last post has returned.
// A Transport of the caller's is left as it is.
func (s *Sender) Close() {
	if s.owned != nil {
		s.owned.CloseIdleConnections()
	}
}

func invalid(format string, args ...any) error {
	return &sumu.Error{Op: fmt.Sprintf(format, args...), Kind: sumu.ErrInvalid}
}
