package gateway_test

import (
	"cmp"
	"context"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/gateway"
	"github.com/sumu-live/sumu/internal/ws/wstest"
)

// A page of another host opens no socket by the cookie that its visitor has here,
// whichever way the handshake is read.
func TestForeignPageDoesNotConnectByACookie(t *testing.T) {
	l := listen(t, config{setup: func(e *env) {
		e.auth = sumu.AuthorizerFunc(func(_ context.Context, r *sumu.ConnectRequest) (sumu.Identity, error) {
			return sumu.Identity{UserID: r.Query["user"][0]}, nil
		})
	}}, nil, nil)
	for _, path := range []string{"/ws", "/%77s"} { // The second is left to net/http.
		r := wstest.Request(t, "http://"+l.addr+path+"?user=ann")
		r.Header.Set("Cookie", "session=1")
		r.Header.Set("Origin", "https://evil.example")
		if resp, body := wstest.Send(t, r, nil).Response(); resp.StatusCode != http.StatusForbidden || body != "{\"message\":\"Forbidden\"}\n" {
			t.Errorf("%s: %d %s", path, resp.StatusCode, body)
		}
	}
	if n := l.gw.Sockets(); n != 0 {
		t.Errorf("%d sockets are open", n)
	}
}

// A page's own host is told by the request, and by proxies that are trusted.
func TestOriginOfTheSameHost(t *testing.T) {
	loopback := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	for _, tt := range []struct {
		name    string
		trusted []netip.Prefix
		host    string
		header  []string // names and values
		ok      bool
	}{
		{"no browser", nil, "", nil, true},
		{"the page itself", nil, "chat.example.com", []string{"Origin", "http://chat.example.com"}, true},
		{"the page itself, with its port", nil, "chat.example.com:8080", []string{"Origin", "http://chat.example.com:8080"}, true},
		{"another case, and the scheme's own port", nil, "Chat.example.com:80", []string{"Origin", "http://chat.EXAMPLE.com"}, true},
		{"an address of IPv6", nil, "[::1]:8080", []string{"Origin", "http://[::1]:8080"}, true},
		{"another port", nil, "chat.example.com:8080", []string{"Origin", "http://chat.example.com"}, false},
		{"another scheme", nil, "chat.example.com", []string{"Origin", "https://chat.example.com"}, false},
		{"another host", nil, "chat.example.com", []string{"Origin", "http://app.example.com"}, false},
		{"two", nil, "chat.example.com", []string{"Origin", "http://chat.example.com", "Origin", "http://chat.example.com"}, false},
		{"a list", nil, "chat.example.com", []string{"Origin", "http://chat.example.com http://evil.example"}, false},
		{"null", nil, "chat.example.com", []string{"Origin", "null"}, false},

		{"a stranger's word of TLS", nil, "chat.example.com", []string{"Origin", "https://chat.example.com", "X-Forwarded-Proto", "https"}, false},
		{"a stranger's word of the host", nil, "node", []string{"Origin", "http://chat.example.com", "X-Forwarded-Host", "chat.example.com"}, false},
		{"a proxy that ends TLS", loopback, "chat.example.com", []string{"Origin", "https://chat.example.com", "X-Forwarded-Proto", "https"}, true},
		{"a proxy that ends TLS, in other words", loopback, "chat.example.com", []string{"Origin", "https://chat.example.com", "X-Forwarded-Proto", "WSS"}, true},
		{"a proxy that names the host", loopback, "node:8080", []string{"Origin", "https://chat.example.com", "X-Forwarded-Proto", "https", "X-Forwarded-Host", "chat.example.com"}, true},
		{"a proxy that names the host, and its port", loopback, "node", []string{"Origin", "http://chat.example.com:81", "X-Forwarded-Host", "chat.example.com:81", "X-Forwarded-Proto", "http"}, true},
		{"two proxies", loopback, "node", []string{"Origin", "https://chat.example.com", "X-Forwarded-Proto", "https, http", "X-Forwarded-Host", "chat.example.com, inner"}, true},
		{"a proxy that says nothing", loopback, "chat.example.com", []string{"Origin", "http://chat.example.com"}, true},
		{"a proxy, and another page", loopback, "node", []string{"Origin", "https://evil.example", "X-Forwarded-Proto", "https", "X-Forwarded-Host", "chat.example.com"}, false},
		{"a proxy, and a scheme that is none", loopback, "chat.example.com", []string{"Origin", "https://chat.example.com", "X-Forwarded-Proto", "gopher"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := start(t, config{gw: []func(*gateway.Options){func(o *gateway.Options) { o.TrustedProxies = tt.trusted }}})
			for cookie, want := range map[string]int{"session=1": map[bool]int{true: 101, false: 403}[tt.ok], "": 101} {
				got := e.status("ann", func(r *http.Request) {
					r.Host = cmp.Or(tt.host, r.Host)
					for i := 0; i < len(tt.header); i += 2 {
						r.Header.Add(tt.header[i], tt.header[i+1])
					}
					if cookie != "" {
						r.Header.Set("Cookie", cookie)
					}
				})
				if got != want {
					t.Errorf("cookie %q: %d, want %d", cookie, got, want)
				}
			}
		})
	}
}

// A list holds for every page, whatever it presents, and for nobody else.
func TestListedOrigins(t *testing.T) {
	asked := 0
	e := start(t, config{
		app: []func(*sumu.AppOptions){func(o *sumu.AppOptions) {
			o.Origins = []string{"https://app.example.com", "https://*.example.org", "null", "file://"}
		}},
		setup: func(e *env) {
			e.auth = sumu.AuthorizerFunc(func(context.Context, *sumu.ConnectRequest) (sumu.Identity, error) {
				asked++
				return sumu.Identity{UserID: "ann"}, nil
			})
		},
	})
	allowed := 0
	for origin, want := range map[string]int{
		"":                                  101, // Not sent.
		"https://app.example.com":           101,
		"https://APP.example.com:443":       101,
		"https://a.example.org":             101,
		"null":                              101,
		"file://":                           101,
		"https://evil.example":              403,
		"https://app.example.com/":          403,
		"https://user@app.example.com":      403,
		"https://app.example.com, null":     403,
		"https://example.org":               403,
		"http://gw":                         403, // Its own host is not listed.
		"https://app.example.com.evil.test": 403,
	} {
		got := e.status("ann", func(r *http.Request) {
			r.Host = "gw"
			if origin != "" {
				r.Header.Set("Origin", origin)
			}
		})
		if got != want {
			t.Errorf("%q: %d, want %d", origin, got, want)
		}
		if want == 101 {
			allowed++
			receive(t, e.connected)
		}
	}
	if asked != allowed {
		t.Errorf("the authorizer was asked %d times for %d connections", asked, allowed)
	}
}

// Over TLS the scheme is https, without a word of a proxy.
func TestOriginOverTLS(t *testing.T) {
	e := start(t, config{tls: true})
	for origin, want := range map[string]int{e.srv.URL: 101, strings.Replace(e.srv.URL, "https", "http", 1): 403} {
		r := wstest.Request(t, e.srv.URL+"/?user=ann")
		r.Header.Set("Origin", origin)
		r.Header.Set("Cookie", "session=1")
		if resp, _ := wstest.Send(t, r, nil).Response(); resp.StatusCode != want {
			t.Errorf("%s: %d, want %d", origin, resp.StatusCode, want)
		}
	}
}
