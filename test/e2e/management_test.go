package e2e

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// manage calls the management API as an AWS SDK does, signed with the
// quickstart's credentials.
func manage(t *testing.T, p *program, method, id, body string) reply {
	t.Helper()
	return manageAs(t, p, "sumu", "quickstart", method, id, body)
}

func manageAs(t *testing.T, p *program, key, secret, method, id, body string) reply {
	t.Helper()
	path := "/@connections/" + url.PathEscape(id)
	header := sign(p.Addr, key, secret, method, path, body, time.Now())
	return request(t, method, p.URL+path, body, header)
}

// sign makes the headers of AWS's Signature Version 4, from its documentation
// and without its SDK.
func sign(host, key, secret, method, path, body string, now time.Time) http.Header {
	const region, service = "us-east-1", "execute-api"
	stamp := now.UTC().Format("20060102T150405Z")
	scope := strings.Join([]string{stamp[:8], region, service, "aws4_request"}, "/")
	hash := func(s string) string {
		sum := sha256.Sum256([]byte(s))
		return hex.EncodeToString(sum[:])
	}
	canonical := strings.Join([]string{
		method,
		twice(path), // every service but S3 has the path escaped once more
		"",
		"host:" + host,
		"x-amz-date:" + stamp,
		"",
		"host;x-amz-date",
		hash(body),
	}, "\n")
	mac := []byte("AWS4" + secret)
	for _, part := range append(strings.Split(scope, "/"), "AWS4-HMAC-SHA256\n"+stamp+"\n"+scope+"\n"+hash(canonical)) {
		h := hmac.New(sha256.New, mac)
		h.Write([]byte(part))
		mac = h.Sum(nil)
	}
	return http.Header{
		"X-Amz-Date": {stamp},
		"Authorization": {fmt.Sprintf("AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=host;x-amz-date, Signature=%s",
			key, scope, hex.EncodeToString(mac))},
	}
}

// twice escapes what RFC 3986 does not call unreserved, slashes aside.
func twice(path string) string {
	var b bytes.Buffer
	for _, c := range []byte(path) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~/", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		fmt.Fprintf(&b, "%%%02X", c)
	}
	return b.String()
}

func TestManagementAPI(t *testing.T) {
	enabled(t)
	p := start(t, anyPort)
	s := connect(t, p, "ann")
	id := s.alive()

	if r := manage(t, p, "POST", id, `{"type":"hello"}`); r.status != 200 {
		t.Fatalf("POST: %d %s", r.status, r.body)
	}
	s.next("hello")
	if r := manage(t, p, "GET", id, ""); r.status != 200 || !strings.Contains(strings.ToLower(r.body), `"connectedat"`) {
		t.Errorf("GET: %d %s; want 200 with connectedAt", r.status, r.body)
	}
	// As an SDK whose endpoint ends in a slash: it signs one.
	path := "/@connections/" + url.PathEscape(id)
	if r := request(t, "GET", p.URL+"/"+path, "", sign(p.Addr, "sumu", "quickstart", "GET", path, "", time.Now())); r.status != 200 {
		t.Errorf("GET with two slashes: %d %s", r.status, r.body)
	}
	if r := manageAs(t, p, "sumu", "guess", "POST", id, `1`); r.status != 403 {
		t.Errorf("POST with a wrong secret: %d %s; want 403", r.status, r.body)
	}
	if r := request(t, "POST", p.URL+"/@connections/"+url.PathEscape(id), `1`, nil); r.status != 403 {
		t.Errorf("POST without a signature: %d %s; want 403", r.status, r.body)
	}
	if r := manage(t, p, "POST", id, strings.Repeat("x", 128*1024+1)); r.status != 413 {
		t.Errorf("POST of 128 KB and a byte: %d %s; want 413", r.status, r.body)
	}
	if r := manage(t, p, "DELETE", id, ""); r.status != 204 {
		t.Errorf("DELETE: %d %s; want 204", r.status, r.body)
	}
	if code := s.closed(); code != 1000 {
		t.Errorf("DELETE closes with %d; want 1000", code)
	}
	if r := manage(t, p, "POST", id, `1`); r.status != 410 {
		t.Errorf("POST after DELETE: %d %s; want 410", r.status, r.body)
	}
}
