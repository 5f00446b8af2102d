package gateway

import (
	"net/http"
	"net/netip"
	"strings"
)

// sourceOf is the address that a request comes from, without a port: that of
// the connection, or what the trusted proxies before it say.
func (g *Gateway) sourceOf(r *http.Request) string {
	host := hostOf(r.RemoteAddr)
	if len(g.opts.TrustedProxies) == 0 {
		return host
	}
	from, err := netip.ParseAddr(host)
	if err != nil || !g.trusted(from) {
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
