package apigw

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

// newTransport returns a transport that keeps as many idle connections as
// there are posts in flight. net/http's default of 2 per host, or the SDK's of
// 10, would have most posts of a burst open a new one.
func newTransport(maxConns int, config *tls.Config) *http.Transport {
	if config = config.Clone(); config == nil {
		config = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if config.ClientSessionCache == nil {
		config.ClientSessionCache = tls.NewLRUClientSessionCache(maxConns)
	}
	dialer := &net.Dialer{
		Timeout:   5 * time.Second,
		KeepAlive: 30 * time.Second,
		Control:   refuseLinkLocal,
	}
	return &http.Transport{
		DialContext:            dialer.DialContext,
		ForceAttemptHTTP2:      true, // Not by itself with a dialer of our own.
		MaxConnsPerHost:        maxConns,
		MaxIdleConnsPerHost:    maxConns,
		MaxIdleConns:           0, // No limit but the one per host: it would be shared by all nodes.
		IdleConnTimeout:        90 * time.Second,
		TLSHandshakeTimeout:    5 * time.Second,
		ExpectContinueTimeout:  time.Second,
		DisableCompression:     true, // Answers are empty or a line of JSON.
		TLSClientConfig:        config,
		MaxResponseHeaderBytes: 64 << 10,
	}
}

var errLinkLocal = errors.New("the host is a link-local address")

// refuseLinkLocal sees the address that a name was resolved to: no name, however
// it came to be allowed, leads to the metadata service of a machine.
func refuseLinkLocal(_, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	if neverDialled(ap.Addr().Unmap()) {
		return errLinkLocal
	}
	return nil
}
