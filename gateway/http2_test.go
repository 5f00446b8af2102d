package gateway_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// Fields about a connection make a response malformed over HTTP/2 (RFC 9113,
// section 8.2.2), and there is no upgrade to ask for.
func TestNoHandshakeOverHTTP2(t *testing.T) {
	e := start(t, config{})
	srv := httptest.NewUnstartedServer(e.gw)
	srv.EnableHTTP2 = true
	srv.StartTLS()
	defer srv.Close()
	for method, want := range map[string]int{"GET": 400, "POST": 405} {
		r, err := http.NewRequestWithContext(t.Context(), method, srv.URL+"/?user=ann", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := srv.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.ProtoMajor != 2 || resp.StatusCode != want || want == 405 && resp.Header.Get("Allow") != "GET" {
			t.Errorf("%s over %s: %d, want %d", method, resp.Proto, resp.StatusCode, want)
		}
		for _, name := range []string{"Connection", "Upgrade", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding"} {
			if v := resp.Header.Values(name); len(v) > 0 {
				t.Errorf("%s: the response has %s: %q", method, name, v)
			}
		}
	}
}
