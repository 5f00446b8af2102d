package sumu_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/sumu-live/sumu"
)

func policy(t testing.TB, auth sumu.Authorizer, origins ...string) *sumu.OriginPolicy {
	t.Helper()
	p, err := sumu.NewOriginPolicy(auth, origins)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func wantOrigin(t testing.TB, name string, ok bool, err error) {
	t.Helper()
	switch {
	case ok && err != nil:
		t.Errorf("%s: %v, want let in", name, err)
	case !ok && (!errors.Is(err, sumu.ErrOrigin) || !errors.Is(err, sumu.ErrForbidden) || errors.Is(err, sumu.ErrUnauthorized) || sumu.Retryable(err)):
		t.Errorf("%s: %v, want forbidden", name, err)
	case err != nil && strings.Contains(err.Error(), "example"):
		t.Errorf("%s: the error shows it: %v", name, err)
	}
}

func TestListedOrigins(t *testing.T) {
	p := policy(t, sumu.AuthorizerFunc(sessions),
		"https://app.example.com", "https://dev.example.com:8443", "http://localhost:3000", "https://old.example.com:443", "http://old.example.com:80",
		"https://*.example.org", "https://*.example.net:8443", "http://[::1]:8080", "capacitor://localhost", "app://obsidian.md", "https://Upper.example.com",
		"https://xn--bcher-kva.example", "null", "file://", "chrome-extension://gighmmpiobklfepjocnamgkkbiglidom",
	)
	for origin, ok := range map[string]bool{
		"https://app.example.com":                             true,
		"HTTPS://APP.example.com":                             true,
		"https://app.example.com:443":                         true,
		"https://dev.example.com:8443":                        true,
		"https://old.example.com":                             true,
		"http://old.example.com":                              true,
		"http://localhost:3000":                               true,
		"http://[::1]:8080":                                   true,
		"http://[0:0:0:0:0:0:0:1]:8080":                       true,
		"http://[0000::0001]:8080":                            true,
		"capacitor://localhost":                               true,
		"app://obsidian.md":                                   true,
		"https://upper.example.com":                           true,
		"https://a.example.org":                               true,
		"https://a.example.org:443":                           true,
		"https://A.Example.ORG":                               true,
		"https://a.b-c.d_1.example.org":                       true,
		"https://xn--mnchen-3ya.example.org":                  true,
		"https://a.example.net:8443":                          true,
		"https://xn--bcher-kva.example":                       true,
		"https://XN--BCHER-KVA.example":                       true,
		"null":                                                true,
		"file://":                                             true,
		"chrome-extension://gighmmpiobklfepjocnamgkkbiglidom": true,

		"":                                        false,
		"*":                                       false,
		"file:///":                                false,
		"file:///home/ann/page.html":              false,
		"null ":                                   false,
		"https://null":                            false,
		"https://example.com":                     false,
		"http://app.example.com":                  false,
		"https://app.example.com:444":             false,
		"https://app.example.com:80":              false,
		"https://app.example.com:":                false,
		"https://app.example.com/":                false,
		"https://app.example.com/chat":            false,
		"https://app.example.com.":                false,
		"https://app.example.com.evil.example":    false,
		"https://xapp.example.com":                false,
		"https://x.app.example.com":               false,
		"https://dev.example.com":                 false,
		"https://localhost:3000":                  false,
		"http://[::1]":                            false,
		"http://[::2]:8080":                       false,
		"http://::1:8080":                         false,
		"http://[::1%25eth0]:8080":                false,
		"http://[::1]x:8080":                      false,
		"capacitor://other":                       false,
		"https://bücher.example":                  false,
		"https://example.org":                     false,
		"https://.example.org":                    false,
		"https://a..example.org":                  false,
		"https://a.example.org:8443":              false,
		"http://a.example.org":                    false,
		"https://aexample.org":                    false,
		"https://evil.example/.example.org":       false,
		"https://evil.example?.example.org":       false,
		"https://evil.example#.example.org":       false,
		"https://evil.example:1/@.example.org":    false,
		"https://user@a.example.org":              false,
		"https://user:pass@app.example.com":       false,
		"https://evil.example\\.example.org":      false,
		"https://evil.example%2f.example.org":     false,
		"https://evil.example .example.org":       false,
		"https://evil.example\x00.example.org":    false,
		"https://*.example.org":                   false,
		"https://a.example.net":                   false,
		"https://a.example.net:84430":             false,
		"https://a.example.org https://x.invalid": false,
		"https://app.example.com, https://x":      false,
		"https://app.example.com,null":            false,
		"https://app.example.com null":            false,
	} {
		// Whatever the request has, and whatever its host.
		for _, header := range []map[string][]string{{"origin": {origin}}, {"Origin": {origin}, "Cookie": {"session=ann"}}} {
			wantOrigin(t, "origin "+origin, ok, p.Check(&sumu.ConnectRequest{Scheme: "https", Host: "example.org", Header: header}))
		}
	}
	header := func(origins ...string) map[string][]string {
		return map[string][]string{"Origin": origins, "Cookie": {"session=ann"}}
	}
	const app = "https://app.example.com"
	wantOrigin(t, "none", true, p.Check(&sumu.ConnectRequest{Header: header()}))
	wantOrigin(t, "two of one", false, p.Check(&sumu.ConnectRequest{Header: header(app, app)}))
	wantOrigin(t, "two spellings", false, p.Check(&sumu.ConnectRequest{Header: map[string][]string{"Origin": {app}, "origin": {app}}}))
	all := policy(t, sumu.AuthorizerFunc(sessions), app, "*")
	for _, origins := range [][]string{nil, {"https://evil.example"}, {"null"}, {""}} {
		wantOrigin(t, "everybody", true, all.Check(&sumu.ConnectRequest{Header: header(origins...)}))
	}
}

func TestOriginsThatNoBrowserSends(t *testing.T) {
	for _, origin := range []string{
		"", "**", "*.example.com", "app.example.com", "//app.example.com", "https://", "https:app.example.com", "file:", "file:///", "NULL/",
		"https://app.example.com/", "https://app.example.com/chat", "https://app.example.com?x", "https://app.example.com#x",
		"https://u:p@app.example.com", "https://u@app.example.com", "https://app.example.com:", "https://app.example.com:0", "https://app.example.com:65536", "https://app.example.com:x",
		"https://*", "https://*.", "https://*.com", "https://*.localhost", "https://*.*.example.com", "https://a.*.example.com", "https://*.[::1]",
		"https://a*.example.com", "https://*example.com", "https://*.example.com/", "https://*..example.com", "1https://app.example.com", "h ttps://app.example.com",
		"https://bücher.example", "https://a b.example.com", "https://a.example.com,https://b.example.com", "https://a%2e.example.com", "://*.example.com",
		"https://[::1", "https://::1", "https://[fe80::1%25eth0]", "https://[127.0.0.1]", " https://app.example.com", "https://app.example.com ",
	} {
		_, err := sumu.NewApp(letIn(sumu.Identity{UserID: "ann"}), new(fakeStore), func(o *sumu.AppOptions) {
			o.Origins = []string{"https://ok.example.com", origin}
		})
		if !errors.Is(err, sumu.ErrInvalid) || !strings.Contains(err.Error(), "Origins[1]") {
			t.Errorf("%q: %v", origin, err)
		}
	}
}

// Pages of the endpoint's own host, as the client saw it, are no others'.
func TestPagesOfTheSameHost(t *testing.T) {
	p := policy(t, sumu.AuthorizerFunc(sessions))
	for _, tt := range []struct {
		scheme, host, origin string
		ok                   bool
	}{
		{"https", "chat.example.com", "https://chat.example.com", true},
		{"https", "chat.example.com", "https://chat.example.com:443", true},
		{"https", "chat.example.com:443", "https://chat.example.com", true},
		{"https", "Chat.Example.COM", "https://chat.example.com", true},
		{"https", "chat.example.com", "HTTPS://Chat.example.com", true},
		{"http", "chat.example.com", "http://chat.example.com:80", true},
		{"http", "127.0.0.1:8080", "http://127.0.0.1:8080", true},
		{"http", "[::1]:8080", "http://[::1]:8080", true},
		{"http", "[0:0::1]:80", "http://[::1]", true},
		{"https", "xn--bcher-kva.example", "https://XN--bcher-kva.example", true},
		{"https", "chat.example.com.", "https://chat.example.com.", true},

		{"http", "chat.example.com", "https://chat.example.com", false},
		{"https", "chat.example.com", "http://chat.example.com", false},
		{"https", "chat.example.com:8443", "https://chat.example.com", false},
		{"https", "chat.example.com", "https://chat.example.com:8443", false},
		{"http", "127.0.0.1:8080", "http://127.0.0.1:3000", false},
		{"http", "127.0.0.1:8080", "http://localhost:8080", false},
		{"https", "chat.example.com", "https://example.com", false},
		{"https", "chat.example.com", "https://a.chat.example.com", false},
		{"https", "chat.example.com", "https://chat.example.com/", false},
		{"https", "chat.example.com", "https://u@chat.example.com", false},
		{"https", "chat.example.com", "https://chat.example.com, https://chat.example.com", false},
		{"https", "chat.example.com.", "https://chat.example.com", false},
		{"https", "", "https://", false},
		{"", "", "", false},
		{"", "chat.example.com", "https://chat.example.com", false},
		{"file", "", "file://", false},
		{"null", "", "null", false},
		{"wss", "chat.example.com", "wss://chat.example.com", false},
		{"https", "a b", "https://a b", false},
	} {
		r := &sumu.ConnectRequest{Scheme: tt.scheme, Host: tt.host, Header: map[string][]string{"Origin": {tt.origin}, "Cookie": {"session=ann"}}}
		wantOrigin(t, tt.scheme+" "+tt.host+" by "+tt.origin, tt.ok, p.Check(r))
		r.Header["Origin"] = []string{tt.origin, tt.origin}
		wantOrigin(t, "twice, "+tt.origin, false, p.Check(r))
		delete(r.Header, "Cookie") // Nothing that a browser has sent by itself.
		wantOrigin(t, "without a cookie, "+tt.origin, true, p.Check(r))
	}
}

// What a browser sends by itself, and what somebody has put there.
func TestAmbientCredentials(t *testing.T) {
	for _, tt := range []struct {
		header, value string
		ambient       bool
	}{
		{"Cookie", "session=1", true},
		{"cookie", "session=1", true},
		{"Authorization", "Basic YW5uOng=", true},
		{"AUTHORIZATION", "basic YW5uOng=", true},
		{"Authorization", "Digest username=\"ann\"", true},
		{"Authorization", "Negotiate YII=", true},
		{"Authorization", "NEGOTIATE", true},
		{"Authorization", "NTLM TlRM", true},
		{"Authorization", " Basic YW5uOng=", true},
		{"Authorization", "Bearer eyJ", false},
		{"Authorization", "eyJ", false},
		{"Authorization", "Basics x", false},
		{"Authorization", "", false},
		{"Cookie", "", false},
		{"Cookie", " ", false},
		{"Sec-Websocket-Protocol", "bearer.eyJ", false},
		{"X-Cookie", "session=1", false},
	} {
		r := &sumu.ConnectRequest{
			Scheme: "https", Host: "chat.example.com",
			Header: map[string][]string{tt.header: {tt.value}}, Query: map[string][]string{"authorization": {"eyJ"}},
		}
		if got := r.Ambient(); got != tt.ambient {
			t.Errorf("%s: %s: Ambient() is %v", tt.header, tt.value, got)
		}
		r.Header["Origin"] = []string{"https://evil.example"}
		wantOrigin(t, tt.header+": "+tt.value, !tt.ambient, policy(t, sumu.AuthorizerFunc(sessions)).Check(r))
		delete(r.Header, "Origin")
		wantOrigin(t, "no browser, "+tt.header, true, policy(t, sumu.AuthorizerFunc(sessions)).Check(r))
	}
}
