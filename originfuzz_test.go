package sumu_test

import (
	"cmp"
	"errors"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/sumu-live/sumu"
)

// FuzzOrigin feeds origins, and a host that the client has connected to: what is
// allowed is what a second reader, net/url, takes for the host itself, or for one
// that is listed.
func FuzzOrigin(f *testing.F) {
	auth := sumu.AuthorizerFunc(sessions)
	listed, err := sumu.NewOriginPolicy(auth, []string{"https://app.example.com", "https://*.example.org"})
	if err != nil {
		f.Fatal(err)
	}
	own, err := sumu.NewOriginPolicy(auth, nil)
	if err != nil {
		f.Fatal(err)
	}
	for _, origin := range []string{"https://app.example.com", "https://a.b.example.org", "https://evil.example/.example.org", "null", "", "https://app.example.com:443", "http://[::1]:8080"} {
		f.Add(origin, "app.example.com")
	}
	f.Add("https://[::1]", "[0:0::1]:443")
	f.Fuzz(func(t *testing.T, origin, host string) {
		r := &sumu.ConnectRequest{Scheme: "https", Host: host, Header: map[string][]string{"Origin": {origin}, "Cookie": {"session=ann"}}}
		u, parseErr := url.Parse(strings.ToLower(origin))
		bare := parseErr == nil && u.Scheme == "https" && u.Host != "" && strings.EqualFold(origin, "https://"+u.Host)
		site := bare && (u.Port() == "" || u.Port() == "443") &&
			(u.Hostname() == "app.example.com" || strings.HasSuffix(u.Hostname(), ".example.org"))
		for name, tc := range map[string]struct {
			policy *sumu.OriginPolicy
			ok     bool
		}{"list": {listed, site}, "host": {own, bare && sameHost(u, host)}} {
			err := tc.policy.Check(r)
			if err == nil && !tc.ok {
				t.Errorf("%s: %q is allowed at %q", name, origin, host)
			}
			if err != nil && (!errors.Is(err, sumu.ErrForbidden) || !errors.Is(err, sumu.ErrOrigin)) {
				t.Errorf("%s: %q: %v", name, origin, err)
			}
		}
	})
}

func sameHost(page *url.URL, host string) bool {
	own, err := url.Parse("https://" + strings.ToLower(host))
	if err != nil {
		return false
	}
	port := func(u *url.URL) string { return strings.TrimLeft(cmp.Or(u.Port(), "443"), "0") }
	if port(page) != port(own) {
		return false
	}
	a, errA := netip.ParseAddr(page.Hostname())
	b, errB := netip.ParseAddr(own.Hostname())
	return page.Hostname() == own.Hostname() || errA == nil && errB == nil && a == b
}
