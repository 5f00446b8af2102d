package apigw

import (
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/sumu-live/sumu"
)

// hostPattern is one entry of [Options.AllowedHosts].
type hostPattern struct {
	name    string // "ws.example.com", or ".example.com" for any host below it
	network netip.Prefix
	port    uint16 // 0: the default port of the scheme
	anyPort bool
}

func (p *hostPattern) matches(a *address) bool {
	switch {
	case p.anyPort:
	case p.port == 0 && a.port != a.defaultPort(), p.port != 0 && a.port != p.port:
		return false
	}
	switch {
	case a.ip.IsValid(): // Never by name.
		return p.network.IsValid() && p.network.Contains(a.ip)
	case strings.HasPrefix(p.name, "."):
		return strings.HasSuffix(a.host, p.name)
	}
	return a.host == p.name
}

func parseHostPattern(option, s string) (hostPattern, error) {
	bad := invalid(option+": %q is neither a host, nor *.domain, nor an address, nor a network", s)
	var p hostPattern
	host, port, ok := cutPort(s)
	if ip, err := netip.ParsePrefix(s); err == nil && ip.Addr().Is6() { // "fd00::/8" has colons, no port.
		host, port, ok = "["+s+"]", "", true
	} else if ip, err := netip.ParseAddr(s); err == nil && ip.Is6() {
		host, port, ok = "["+s+"]", "", true
	}
	if !ok {
		return p, bad
	}
	switch n, err := strconv.ParseUint(port, 10, 16); {
	case port == "":
	case port == "*":
		p.anyPort = true
	case err != nil || n == 0:
		return p, bad
	default:
		p.port = uint16(n)
	}
	if strings.Contains(host, "/") {
		network, err := netip.ParsePrefix(strings.Trim(host, "[]"))
		if err != nil {
			return p, bad
		}
		p.network = network.Masked()
		return p, nil
	}
	domain, wildcard := strings.CutPrefix(host, "*.")
	name, ip, ok := parseHost(domain)
	switch {
	case !ok, wildcard && (ip.IsValid() || !strings.Contains(name, ".")): // "*.com" is everybody.
		return p, bad
	case ip.IsValid():
		p.network = netip.PrefixFrom(ip, ip.BitLen())
	case wildcard:
		p.name = "." + name
	default:
		p.name = name
	}
	return p, nil
}

// endpoint is a parsed and allowed endpoint, ready to make requests of.
type endpoint struct {
	address
	url    url.URL // up to the path, without it
	plain  string  // the path, decoded, and "/@connections/"
	wire   string  // the same, escaped
	signed string  // the same, escaped once more
	signer *signer

	node    bool         // it takes batches
	noBatch atomic.Int64 // but not before this moment, in ms
}

// maxEndpoints bounds the cache. A fleet has tens of nodes; more distinct
// endpoints than this come from rows that somebody makes up.
const maxEndpoints = 1024

// endpointCache holds what rows named before. It is read for every post, without
// a lock, and copied for every new one.
type endpointCache struct {
	mu    sync.Mutex
	known atomic.Pointer[map[string]*endpoint]
}

func (c *endpointCache) get(s string) *endpoint {
	if known := c.known.Load(); known != nil {
		return (*known)[s]
	}
	return nil
}

func (c *endpointCache) put(s string, e *endpoint) {
	c.mu.Lock()
	defer c.mu.Unlock()
	next := make(map[string]*endpoint)
	if known := c.known.Load(); known != nil && len(*known) < maxEndpoints {
		maps.Copy(next, *known)
	}
	next[strings.Clone(s)] = e // Cloned: it may be a part of a whole page of rows.
	c.known.Store(&next)
}

// endpoint returns that of a row, if it is allowed. What is refused is not
// kept: it is parsed again each time, which is cheap beside a post.
func (s *Sender) endpoint(row string) (*endpoint, error) {
	if row == "" {
		if row = s.fallback; row == "" {
			return nil, invalid("the row has no endpoint, and there is no default")
		}
	}
	if e := s.endpoints.get(row); e != nil {
		return e, nil
	}
	a, err := parseAddress(row)
	if err != nil {
		return nil, err
	}
	if err := s.allow(a); err != nil {
		return nil, err
	}
	e, err := s.newEndpoint(a)
	if err != nil {
		return nil, err
	}
	s.endpoints.put(row, e)
	return e, nil
}

// allow returns ErrInvalid for an endpoint that must not be dialled. It is not
// ErrForbidden, for that would stop the batch: one bad row would silence all.
func (s *Sender) allow(a *address) error {
	for i := range s.allowed {
		if s.allowed[i].matches(a) {
			return s.checkScheme(a)
		}
	}
	if s.isNode(a) {
		return s.checkScheme(a)
	}
	return &sumu.Error{Op: "endpoint " + a.authority() + " is not among the allowed hosts", Kind: sumu.ErrInvalid}
}

func (s *Sender) isNode(a *address) bool {
	return slices.ContainsFunc(s.nodes, func(p hostPattern) bool { return p.matches(a) })
}

func (s *Sender) checkScheme(a *address) error {
	if a.http && !s.insecure && !a.loopback() {
		return invalid("endpoint %s is not encrypted", a.authority())
	}
	return nil
}

func (s *Sender) newEndpoint(a *address) (*endpoint, error) {
	plain, err := url.PathUnescape(a.path)
	if err != nil {
		return nil, invalid("endpoint has a path that is not plain")
	}
	region, managed := executeAPIRegion(a.host)
	if !managed {
		region = s.region
	}
	const connections = "/@connections/"
	e := &endpoint{address: *a, plain: plain + connections, wire: a.path + connections}
	e.node = !managed && s.isNode(a) // API Gateway has no batches.
	e.url = url.URL{Scheme: a.scheme(), Host: a.authority()}
	e.signed = string(appendEscaped(nil, e.wire, true))
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.signer = s.signers[region]; e.signer == nil {
		e.signer = newSigner(region)
		s.signers[region] = e.signer
	}
	return e, nil
}
