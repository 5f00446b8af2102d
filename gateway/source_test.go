package gateway_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/gateway"
	"github.com/sumu-live/sumu/internal/ws/wstest"
)

// X-Forwarded-For is believed as far as it was written by trusted proxies.
func TestSourceAddress(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8"), netip.MustParsePrefix("192.0.2.7/32")}
	for _, tt := range []struct {
		name    string
		trusted []netip.Prefix
		remote  string
		forward []string
		want    string
	}{
		{"nobody is trusted", nil, "10.0.0.1:1", []string{"203.0.113.9"}, "10.0.0.1"},
		{"a stranger", trusted, "203.0.113.1:1", []string{"203.0.113.9"}, "203.0.113.1"},
		{"a proxy", trusted, "10.0.0.1:1", []string{"203.0.113.9"}, "203.0.113.9"},
		{"a proxy that says nothing", trusted, "10.0.0.1:1", nil, "10.0.0.1"},
		{"made up before a proxy", trusted, "10.0.0.1:1", []string{"198.51.100.1, 203.0.113.9"}, "203.0.113.9"},
		{"several proxies", trusted, "10.0.0.1:1", []string{"198.51.100.1, 203.0.113.9, 10.0.0.3,192.0.2.7"}, "203.0.113.9"},
		{"several lines", trusted, "10.0.0.1:1", []string{"198.51.100.1", "203.0.113.9, 10.0.0.3", "10.0.0.2"}, "203.0.113.9"},
		{"proxies alone", trusted, "10.0.0.1:1", []string{"10.0.0.4, 10.0.0.3"}, "10.0.0.4"},
		{"nonsense", trusted, "10.0.0.1:1", []string{"203.0.113.9, unknown, 10.0.0.3"}, "10.0.0.3"},
		{"nonsense at once", trusted, "10.0.0.1:1", []string{"203.0.113.9, "}, "10.0.0.1"},
		{"with a port", trusted, "10.0.0.1:1", []string{"203.0.113.9:4711"}, "203.0.113.9"},
		{"IPv6", trusted, "[fd00::1]:1", []string{"2001:db8::9"}, "2001:db8::9"},
		{"IPv6 in brackets", trusted, "10.0.0.1:1", []string{"[2001:db8::9]"}, "2001:db8::9"},
		{"IPv6 with a port", trusted, "10.0.0.1:1", []string{"[2001:db8::9]:4711"}, "2001:db8::9"},
		{"IPv4 in IPv6", trusted, "[::ffff:10.0.0.1]:1", []string{"::ffff:203.0.113.9"}, "203.0.113.9"},
		{"no address", trusted, "@", []string{"203.0.113.9"}, "@"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			gate := newGate()
			app, err := sumu.NewApp(sumu.AuthorizerFunc(func(ctx context.Context, r *sumu.ConnectRequest) (sumu.Identity, error) {
				gate.asked <- r
				return sumu.Identity{}, sumu.ErrForbidden
			}), onlyStore{})
			if err != nil {
				t.Fatal(err)
			}
			g, err := gateway.New(app, func(o *gateway.Options) { o.TrustedProxies = tt.trusted })
			if err != nil {
				t.Fatal(err)
			}
			r := wstest.Request(t, "http://gw/")
			r.RemoteAddr, r.RequestURI = tt.remote, "/"
			r.Header["X-Forwarded-For"] = tt.forward
			w := httptest.NewRecorder()
			g.ServeHTTP(w, r)
			if got := receive(t, gate.asked).SourceIP; got != tt.want || w.Code != 403 {
				t.Errorf("source is %q (%d), want %q", got, w.Code, tt.want)
			}
		})
	}
}

// from is a client behind a proxy on this machine.
func from(source string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("X-Forwarded-For", source) }
}

func behindProxy(o *gateway.Options) {
	o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
}

// Requests to connect over the rate, counted from each source, are refused
// before anybody is asked; nobody else is.
func TestConnectRatePerSource(t *testing.T) {
	var refused []string
	e := start(t, config{gw: []func(*gateway.Options){behindProxy, func(o *gateway.Options) {
		o.ConnectRatePerSource = 3
		o.Observer.Refused = func(_ context.Context, _, ip string, err error) { refused = append(refused, ip+": "+err.Error()) }
	}}})
	for i := range 6 { // Bursts of two seconds' worth.
		if got := e.status("ann", from("203.0.113.9")); got != 101 {
			t.Fatalf("request %d gets %d", i, got)
		}
	}
	if got := e.status("ann", from("203.0.113.9")); got != 429 {
		t.Errorf("one more gets %d, want 429", got)
	}
	if len(refused) != 1 || refused[0] != "203.0.113.9: more connections than ConnectRatePerSource: throttled" {
		t.Errorf("the observer was told of %q", refused)
	}
	for range 6 { // A whole /64 is one source.
		e.status("ann", from("2001:db8::1"))
	}
	for source, want := range map[string]int{
		"203.0.113.10": 101, "2001:db8::ffff:2": 429, "2001:db8:0:1::2": 101, "203.0.113.9": 429,
	} {
		if got := e.status("ann", from(source)); got != want {
			t.Errorf("%s gets %d, want %d", source, got, want)
		}
	}
	e.clock.Advance(333 * time.Millisecond)
	if got := e.status("ann", from("203.0.113.9")); got != 429 {
		t.Errorf("too early again: %d", got)
	}
	e.clock.Advance(time.Millisecond)
	for i, want := range []int{101, 429} {
		if got := e.status("ann", from("203.0.113.9")); got != want {
			t.Errorf("a third of a second later request %d gets %d, want %d", i, got, want)
		}
	}
	e.clock.Advance(-time.Hour) // A clock that was set back locks nobody out.
	if got := e.status("ann", from("203.0.113.9")); got != 101 {
		t.Errorf("with the clock set back: %d", got)
	}
}

// By default public addresses have a rate, and machines of one's own have none.
func TestConnectRateByDefault(t *testing.T) {
	for source, limited := range map[string]bool{
		"203.0.113.9": true, "2001:db8::1": true,
		"10.1.2.3": false, "192.168.0.1": false, "127.0.0.1": false, "fd00::1": false, "fe80::1": false,
	} {
		t.Run(source, func(t *testing.T) {
			e := start(t, config{gw: []func(*gateway.Options){behindProxy}})
			// Not even a handshake: each counts.
			get := func() int {
				r := httptest.NewRequest("GET", "/", nil)
				r.RemoteAddr = "127.0.0.1:1"
				from(source)(r)
				w := httptest.NewRecorder()
				e.gw.ServeHTTP(w, r)
				return w.Code
			}
			for range 100 {
				if got := get(); got != 426 {
					t.Fatalf("within the burst: %d", got)
				}
			}
			if got := get(); (got == 429) != limited {
				t.Errorf("beyond the burst: %d", got)
			}
		})
	}
}

func TestConnectRate(t *testing.T) {
	e := start(t, config{gw: []func(*gateway.Options){behindProxy, func(o *gateway.Options) {
		o.ConnectRate, o.ConnectRatePerSource = 2, 1
	}}})
	for i := range 4 { // What a source has too many of takes nothing from the others.
		if got := e.status("greedy", from("203.0.113.1")); (got == 101) != (i < 2) {
			t.Errorf("request %d of the greedy one gets %d", i, got)
		}
	}
	for i, want := range []int{101, 101, 429} {
		if got := e.status("ann", from(fmt.Sprintf("203.0.113.%d", 10+i))); got != want {
			t.Errorf("another's request %d gets %d, want %d", i, got, want)
		}
	}
	e.clock.Advance(500 * time.Millisecond)
	if got := e.status("ann", from("203.0.113.20")); got != 101 {
		t.Errorf("half a second later: %d", got)
	}
}
