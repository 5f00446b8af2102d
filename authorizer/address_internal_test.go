package authorizer

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
)

// What is dialled cannot be tested from the outside without the internet.

func TestPublicAddresses(t *testing.T) {
	for addr, want := range map[string]bool{
		"8.8.8.8": true, "1.1.1.1": true, "172.15.0.1": true, "172.32.0.1": true, "100.128.0.1": true, "2606:4700::1111": true, "::ffff:8.8.8.8": true,
		"127.0.0.1": false, "127.9.9.9": false, "10.1.2.3": false, "172.16.0.1": false, "172.31.255.255": false, "192.168.1.1": false,
		"169.254.169.254": false, "100.64.0.1": false, "100.100.100.200": false, "0.0.0.0": false, "0.1.2.3": false, "224.0.0.1": false,
		"255.255.255.255": false, "240.0.0.1": false, "198.18.0.1": false, "192.0.0.1": false,
		"::1": false, "::": false, "fe80::1": false, "fe80::1%eth0": false, "fc00::1": false, "fd00:ec2::254": false, "ff02::1": false,
		"::ffff:10.0.0.1": false, "::ffff:100.64.0.1": false, "64:ff9b::a00:1%eth0": false, "::ffff:127.0.0.1": false, "::7f00:1": false, "64:ff9b::a00:1": false, "2002:a00:1::": false, "2001:0:1::": false,
	} {
		if got := public(netip.MustParseAddr(addr)); got != want {
			t.Errorf("public(%s) = %v", addr, got)
		}
	}
}

// The address is checked after the name was resolved.
func TestPublicDialer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"127.0.0.1", "localhost"} {
		c, err := publicDialer().DialContext(t.Context(), "tcp", net.JoinHostPort(host, port))
		if err == nil {
			c.Close()
		}
		if err == nil || !strings.Contains(err.Error(), "not public") {
			t.Errorf("dial %s: %v", host, err)
		}
	}
}

func TestForeignKeysAreDialledAtPublicAddressesOnly(t *testing.T) {
	guarded := func(home, keys string, opts JWKSOptions) bool {
		t.Helper()
		d := &discovery{fetcher: newFetcher(opts), base: mustParse(t, home), keys: mustParse(t, keys)}
		f := d.keyFetcher()
		if f == d.fetcher {
			return false
		}
		_, err := f.client.Transport.(*http.Transport).DialContext(context.Background(), "tcp", "127.0.0.1:1")
		return err != nil && strings.Contains(err.Error(), "not public")
	}
	for _, tc := range []struct {
		home, keys string
		client     *http.Client
		want       bool
	}{
		{"https://id.example.com", "https://keys.example.net/certs", nil, true},
		{"https://id.example.com", "https://id.example.com.evil.example/certs", nil, true},
		{"https://10.0.0.1", "https://keys.example.net/certs", nil, true},
		{"https://id.example.com", "https://id.example.com/certs", nil, false}, // Named by the caller.
		{"https://id.example.com", "https://ID.example.com:8443/certs", nil, false},
		{"http://127.0.0.1:1", "http://localhost:2/certs", nil, false},
		{"https://id.example.com", "https://keys.example.net/certs", &http.Client{}, false}, // The caller's.
	} {
		if got := guarded(tc.home, tc.keys, JWKSOptions{HTTPClient: tc.client}); got != tc.want {
			t.Errorf("%s, keys at %s: guarded is %v", tc.home, tc.keys, got)
		}
	}
}

func mustParse(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
