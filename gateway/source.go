package gateway

import (
	"cmp"
	"net/http"
	"net/netip"
	"strings"
)

// sourceOf is the address that a request comes from, without a port: that of
// the connection, or what the trusted proxies before it say.
func (g *Gateway) sourceOf(r *http.Request) string {
	host := hostOf(r.RemoteAddr)
	from, ok := g.proxyOf(host)
	if !ok {
		return host
	}
	// From the right: each proxy appends whom it got the request from, and
	// whatever is left of the first that is not ours may be made up.
	lines := r.Header["X-Forwarded-For"]
	for i := len(lines) - 1; i >= 0; i-- {
		for rest := lines[i]; rest != ""; {
			var hop string
			if comma := strings.LastIndexByte(rest, ','); comma >= 0 {
				rest, hop = rest[:comma], rest[comma+1:]
			} else {
				rest, hop = "", rest
			}
			addr, ok := parseHop(hop)
			if !ok {
				return from.Unmap().String() // The last one that is known.
			}
			if from = addr; !g.trusted(from) {
				return from.String()
			}
		}
	}
	return from.Unmap().String()
}

// proxyOf returns the address of a trusted proxy; false when host is none.
func (g *Gateway) proxyOf(host string) (netip.Addr, bool) {
	if len(g.opts.TrustedProxies) == 0 {
		return netip.Addr{}, false
	}
	addr, err := netip.ParseAddr(host)
	return addr, err == nil && g.trusted(addr)
}

// siteOf is the scheme and the host of a request's URL as the client has it:
// that of the connection, or what a trusted proxy says. Of several values the
// first is that of the outermost proxy. Whoever makes them up lets in nobody but
// itself: a page cannot have a browser send them.
func (g *Gateway) siteOf(r *http.Request) (scheme, host string) {
	scheme, host = "http", r.Host
	if r.TLS != nil {
		scheme = "https"
	}
	if _, ok := g.proxyOf(hostOf(r.RemoteAddr)); ok {
		scheme = cmp.Or(strings.ToLower(outermost(r.Header["X-Forwarded-Proto"])), scheme)
		host = cmp.Or(outermost(r.Header["X-Forwarded-Host"]), host)
	}
	switch scheme {
	case "wss":
		scheme = "https"
	case "ws":
		scheme = "http"
	}
	return scheme, host
}

// outermost returns the first of the values that proxies have set; "": none.
func outermost(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	first, _, _ := strings.Cut(lines[0], ",")
	return strings.TrimSpace(first)
}

// parseHop reads an address that may have a port.
func parseHop(hop string) (netip.Addr, bool) {
	hop = strings.TrimSpace(hop)
	addr, err := netip.ParseAddr(strings.Trim(hop, "[]"))
	if err != nil {
		both, err := netip.ParseAddrPort(hop)
		if err != nil {
			return netip.Addr{}, false
		}
		addr = both.Addr()
	}
	return addr.Unmap().WithZone(""), true
}

func (g *Gateway) trusted(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	for _, p := range g.opts.TrustedProxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// takes returns why a request to connect comes too soon; nil: it does not.
func (g *Gateway) takes(source string) error {
	now := g.now()
	if g.perSource.limits() {
		addr, err := netip.ParseAddr(source)
		ours := err == nil && (addr.IsPrivate() || addr.IsLoopback() || addr.IsLinkLocalUnicast())
		// What is no address (of a unix socket) is one source.
		if (!ours || g.opts.ConnectRatePerSource > 0) && !g.perSource.allow(addr.Unmap(), now) {
			return errSourceRate
		}
	}
	// Behind it: what one source has too many of takes nothing from the others.
	if !g.connects.allow(now) {
		return errRate
	}
	return nil
}
