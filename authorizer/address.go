package authorizer

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"time"
)

// internal are the networks that netip does not tell from public ones
// (the IANA special-purpose registries, read 2026-11), those included that
// carry an IPv4 address inside, which may be a private one.
var internal = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"), // carriers' NAT, and some clouds' own services
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("::/96"),
	netip.MustParsePrefix("64:ff9b::/96"),
	netip.MustParsePrefix("64:ff9b:1::/48"),
	netip.MustParsePrefix("2001::/32"),
	netip.MustParsePrefix("2002::/16"),
}

// public reports whether an address is reachable by everybody.
func public(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	return addr.IsGlobalUnicast() && !addr.IsPrivate() &&
		!slices.ContainsFunc(internal, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// publicHost reports whether a host may be public: a name may be, unless it is
// localhost. What it resolves to is checked when it is dialled.
func publicHost(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return public(addr)
	}
	name := strings.ToLower(strings.TrimSuffix(host, "."))
	return name != "localhost" && !strings.HasSuffix(name, ".localhost")
}

// publicDialer dials public addresses only. It looks at the address itself, on
// the way to the socket, so that no name can change in between.
func publicDialer() *net.Dialer {
	return &net.Dialer{
		Timeout: 30 * time.Second,
		Control: func(_, address string, _ syscall.RawConn) error {
			if ap, err := netip.ParseAddrPort(address); err != nil || !public(ap.Addr()) {
				return errors.New("address is not public")
			}
			return nil
		},
	}
}
