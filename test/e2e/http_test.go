package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

// reply is what came back for a request.
type reply struct {
	status int
	header http.Header
	body   string
	json   map[string]string // the members of body that are strings
}

func request(t *testing.T, method, url, body string, header http.Header) reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		req.Header[name] = values
	}
	if host := req.Header.Get("Host"); host != "" {
		req.Host = host
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	r := reply{status: resp.StatusCode, header: resp.Header, body: string(raw), json: map[string]string{}}
	var members map[string]any
	if json.Unmarshal(raw, &members) == nil {
		for k, v := range members {
			if s, ok := v.(string); ok {
				r.json[k] = s
			}
		}
	}
	return r
}

func post(t *testing.T, p *program, path, body string) reply {
	t.Helper()
	return request(t, http.MethodPost, p.URL+path, body, http.Header{"Content-Type": {"application/json"}})
}

func TestRoutes(t *testing.T) {
	enabled(t)
	p := start(t, anyPort)
	for _, c := range []struct {
		method, path string
		status       int
		kind, holds  string
	}{
		{"GET", "/", 200, "text/html", "<title>sumu quickstart</title>"},
		{"HEAD", "/", 200, "text/html", ""},
		{"GET", "/app.js", 200, "text/javascript", "signIn"},
		{"GET", "/connection.js", 200, "text/javascript", "WebSocket"},
		{"GET", "/view.js", 200, "text/javascript", "textContent"},
		{"GET", "/style.css", 200, "text/css", "prefers-color-scheme"},
		{"GET", "/conversation.css", 200, "text/css", ".bubble"},
		{"GET", "/icon.svg", 200, "image/svg+xml", "<svg"},
		{"GET", "/.well-known/jwks.json", 200, "application/", `"kty"`},
		{"GET", "/nothing", 404, "", ""},
		{"GET", "/token", 404, "", ""},
		{"GET", "/notify", 404, "", ""},
		{"DELETE", "/", 405, "", ""},
		{"PUT", "/token", 405, "", ""},
		{"GET", "/ws", 426, "", ""},
	} {
		r := request(t, c.method, p.URL+c.path, "", nil)
		if r.status != c.status || !strings.HasPrefix(r.header.Get("Content-Type"), c.kind) || !strings.Contains(r.body, c.holds) {
			t.Errorf("%s %s: %d %s %.80q; want %d %s with %q",
				c.method, c.path, r.status, r.header.Get("Content-Type"), r.body, c.status, c.kind, c.holds)
		}
	}
	csp := request(t, "GET", p.URL+"/", "", nil).header.Get("Content-Security-Policy")
	if !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
		t.Errorf("Content-Security-Policy is %q", csp)
	}
}

func TestForeignPages(t *testing.T) {
	enabled(t)
	p := start(t, anyPort)
	for name, c := range map[string]struct {
		header http.Header
		status int
	}{
		"the page itself":    {http.Header{"Origin": {p.URL}, "Sec-Fetch-Site": {"same-origin"}}, 202},
		"no browser":         {nil, 202},
		"another site":       {http.Header{"Origin": {"https://evil.example"}, "Sec-Fetch-Site": {"cross-site"}}, 403},
		"an old browser":     {http.Header{"Origin": {"https://evil.example"}}, 403},
		"a form":             {http.Header{"Content-Type": {"text/plain"}}, 415},
		"no type":            {http.Header{"Content-Type": {}}, 415},
		"a name for 127.0.0": {http.Header{"Host": {"evil.example"}}, 403},
		"localhost":          {http.Header{"Host": {"localhost:" + p.Addr[strings.LastIndex(p.Addr, ":")+1:]}}, 202},
	} {
		header := http.Header{"Content-Type": {"application/json"}}
		for k, v := range c.header {
			header[k] = v
		}
		if r := request(t, "POST", p.URL+"/notify", `{"everyone":true,"data":1}`, header); r.status != c.status {
			t.Errorf("%s: %d %s; want %d", name, r.status, r.body, c.status)
		}
	}
}

func TestNames(t *testing.T) {
	enabled(t)
	p := start(t, anyPort)
	quoted := func(s string) string {
		b, _ := json.Marshal(map[string]string{"user": s})
		return string(b)
	}
	for _, c := range []struct {
		body   string
		status int
		says   string
	}{
		{quoted("ann"), 200, ""},
		{quoted("  ann  "), 200, ""},
		{quoted(strings.Repeat("ö", 64)), 200, ""},
		{quoted(strings.Repeat("ö", 65)), 400, "65 characters; at most 64"},
		{quoted(""), 400, "give a name"},
		{quoted(" \t "), 400, "give a name"},
		{quoted("a\nb"), 400, "invisible"},
		{quoted("a\u202eb"), 400, "invisible"},
		{quoted("a\ufffdb"), 400, "invisible"},
		{`{"user":7}`, 400, `{"user":"ann"}`},
		{`{}`, 400, "give a name"},
		{`ann`, 400, `{"user":"ann"}`},
		{``, 400, `{"user":"ann"}`},
		{quoted(strings.Repeat("a", 5000)), 413, "too large"},
	} {
		r := post(t, p, "/token", c.body)
		if r.status != c.status || !strings.Contains(r.json["error"], c.says) {
			t.Errorf("POST /token %.60q: %d %s; want %d and %q", c.body, r.status, r.body, c.status, c.says)
		}
		if r.status != 200 && r.json["token"] != "" {
			t.Errorf("POST /token %.60q: refused, and yet with a token", c.body)
		}
	}
}
