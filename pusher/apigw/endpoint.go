package apigw

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// maxEndpoint is the longest endpoint, in bytes.
const maxEndpoint = 2048

// Normalize returns the one form of a management endpoint:
// "https://host/path", lower case up to the path, without a default port or a
// slash at its end. It takes what is found in practice: wss:// and ws:// for
// https:// and http://, no scheme for https://, a slash or "/@connections" at
// the end, upper case, a dot behind the host.
//
// ErrInvalid is returned for anything that could mean another place to
// somebody else (user information, a query, a fragment, dot segments,
// addresses in unusual notation), for addresses that no gateway has
// (link-local, multicast, unspecified), and for a host of API Gateway without
// its stage: it answers nothing but 403.
func Normalize(endpoint string) (string, error) {
	a, err := parseAddress(endpoint)
	if err != nil {
		return "", err
	}
	return a.String(), nil
}

// EndpointFromDomain returns the endpoint of the connections whose events
// carry this domain name and stage:
//
//	abc123.execute-api.us-east-1.amazonaws.com, prod -> https://abc123.execute-api.us-east-1.amazonaws.com/prod
//	ws.example.com, prod                             -> https://ws.example.com
//
// A custom domain is mapped to a stage already; with the stage it answers 403.
// Use [EndpointFromMapping] where its mapping has a path.
func EndpointFromDomain(domainName, stage string) (string, error) {
	return EndpointFromMapping(domainName, stage, "")
}

// EndpointFromMapping is [EndpointFromDomain] for an API whose mapping to a
// custom domain has a path, such as "chat" of wss://ws.example.com/chat: events
// do not tell it. It plays no part for a host of API Gateway.
func EndpointFromMapping(domainName, stage, mapping string) (string, error) {
	if strings.ContainsAny(domainName, "/?#@\\") {
		return "", invalid("domain name of the event is no host")
	}
	host := strings.TrimSuffix(strings.ToLower(domainName), ".")
	if _, ok := executeAPIRegion(host); ok {
		return Normalize("https://" + host + "/" + stage)
	}
	return Normalize("https://" + host + "/" + strings.TrimPrefix(mapping, "/"))
}

// executeAPIRegion returns the region in a host that API Gateway gives to an API.
func executeAPIRegion(host string) (region string, ok bool) {
	api, rest, _ := strings.Cut(host, ".")
	rest, ok = strings.CutPrefix(rest, "execute-api.")
	if !ok || api == "" {
		return "", false
	}
	region, suffix, _ := strings.Cut(rest, ".")
	switch suffix {
	case "amazonaws.com", "amazonaws.com.cn", "amazonaws.eu", "api.aws", "api.amazonwebservices.com.cn":
		return region, isRegion(region)
	}
	return "", false
}

// address is an endpoint in its parts, each in its one form.
type address struct {
	http bool
	host string     // a lower-case name, or an IP address without brackets
	ip   netip.Addr // of host, if it is one
	port uint16
	path string // escaped; "" or "/a/b"
}

func (a *address) defaultPort() uint16 {
	if a.http {
		return 80
	}
	return 443
}

func (a *address) scheme() string {
	if a.http {
		return "http"
	}
	return "https"
}

// authority is what the Host header holds: no default port.
func (a *address) authority() string {
	host := a.host
	if a.ip.Is6() {
		host = "[" + host + "]"
	}
	if a.port != a.defaultPort() {
		host += ":" + strconv.Itoa(int(a.port))
	}
	return host
}

// String is the form that [Normalize] returns.
func (a *address) String() string { return a.scheme() + "://" + a.authority() + a.path }

func (a *address) loopback() bool { return a.host == "localhost" || a.ip.IsLoopback() }

// pattern allows exactly this host and port.
func (a *address) pattern() hostPattern {
	p := hostPattern{name: a.host, port: a.port}
	if a.ip.IsValid() {
		p = hostPattern{network: netip.PrefixFrom(a.ip, a.ip.BitLen()), port: a.port}
	}
	return p
}

// parseAddress never repeats what it was given: a URL may hold a password.
func parseAddress(endpoint string) (*address, error) {
	if endpoint == "" || len(endpoint) > maxEndpoint {
		return nil, invalid("endpoint has %d bytes; 1 to %d are allowed", len(endpoint), maxEndpoint)
	}
	for i := range len(endpoint) {
		if c := endpoint[i]; c <= ' ' || c >= 0x7f || c == '\\' {
			return nil, invalid("endpoint holds a character that no URL has")
		}
	}
	scheme, rest, ok := strings.Cut(endpoint, "://")
	if !ok {
		scheme, rest = "https", endpoint
	}
	var a address
	switch strings.ToLower(scheme) {
	case "https", "wss":
	case "http", "ws":
		a.http = true
	default:
		return nil, invalid("endpoint is neither https nor wss")
	}
	if strings.ContainsAny(rest, "?#") {
		return nil, invalid("endpoint has a query or a fragment")
	}
	authority, path := rest, ""
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		authority, path = rest[:i], rest[i:]
	}
	if strings.Contains(authority, "@") {
		return nil, invalid("endpoint has user information")
	}
	if err := a.setAuthority(authority); err != nil {
		return nil, err
	}
	if err := a.setPath(path); err != nil {
		return nil, err
	}
	if _, ok := executeAPIRegion(a.host); ok && a.path == "" {
		return nil, invalid("endpoint at API Gateway lacks its stage")
	}
	return &a, nil
}

func (a *address) setAuthority(authority string) error {
	host, port, ok := cutPort(authority)
	if !ok {
		return invalid("endpoint has no valid port")
	}
	a.port = a.defaultPort()
	if port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 || port[0] == '+' {
			return invalid("endpoint has no valid port")
		}
		a.port = uint16(n)
	}
	a.host, a.ip, ok = parseHost(host)
	if !ok {
		return invalid("endpoint has no valid host")
	}
	if neverDialled(a.ip) {
		return invalid("endpoint is a link-local, multicast or unspecified address")
	}
	return nil
}

// cutPort cuts "host:port" and "[::1]:port". A colon without a port, and an
// address of IPv6 without brackets, are not ok.
func cutPort(authority string) (host, port string, ok bool) {
	end := strings.LastIndexByte(authority, ']') + 1
	i := strings.IndexByte(authority[end:], ':')
	if i < 0 {
		return authority, "", true
	}
	host, port = authority[:end+i], authority[end+i+1:]
	return host, port, port != ""
}

// parseHost returns the one form of a host: an IP address, or a name of ASCII
// labels. A name that other programs read as an address ("127.1", "0x7f000001")
// is not ok.
func parseHost(s string) (host string, ip netip.Addr, ok bool) {
	if inner, bracket := strings.CutPrefix(s, "["); bracket {
		inner, closed := strings.CutSuffix(inner, "]")
		ip, err := netip.ParseAddr(inner)
		if !closed || err != nil || !ip.Is6() || ip.Zone() != "" {
			return "", ip, false
		}
		ip = ip.Unmap()
		return ip.String(), ip, true
	}
	if ip, err := netip.ParseAddr(s); err == nil {
		return ip.String(), ip, ip.Is4()
	}
	host = strings.TrimSuffix(strings.ToLower(s), ".")
	if !validName(host) {
		return "", netip.Addr{}, false
	}
	return host, netip.Addr{}, true
}

func validName(host string) bool {
	if len(host) > 253 {
		return false
	}
	last := ""
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			if c := label[i]; !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
				return false
			}
		}
		last = label
	}
	_, err := strconv.ParseUint(last, 0, 64)
	return (err != nil || last[0] == '_') && !allDigits(last) && !strings.HasPrefix(last, "0x")
}

func allDigits(s string) bool { return strings.Trim(s, "0123456789") == "" }

// metadataIPv6 is where EC2 has its metadata service, in a range of unique
// local addresses.
var metadataIPv6 = netip.MustParseAddr("fd00:ec2::254")

// neverDialled reports whether ip is an address that no gateway has, but that
// tells secrets to who asks from inside.
func neverDialled(ip netip.Addr) bool {
	return ip.IsLinkLocalUnicast() || ip.IsMulticast() || ip.IsUnspecified() || ip == metadataIPv6
}

// setPath takes a path that means the same to everybody: escaped, without empty
// or dot segments.
func (a *address) setPath(path string) error {
	path = strings.TrimRight(path, "/")
	if cut, ok := strings.CutSuffix(path, "/@connections"); ok { // As the console shows it.
		path = strings.TrimRight(cut, "/")
	}
	if path == "" {
		return nil
	}
	for segment := range strings.SplitSeq(path[1:], "/") {
		plain, err := url.PathUnescape(segment)
		if err != nil || plain == "" || plain == "." || plain == ".." || strings.ContainsAny(plain, "/\\") {
			return invalid("endpoint has a path that is not plain")
		}
	}
	u, err := url.Parse("https://host" + path)
	if err != nil {
		return invalid("endpoint has a path that is not plain")
	}
	a.path = u.EscapedPath()
	return nil
}
