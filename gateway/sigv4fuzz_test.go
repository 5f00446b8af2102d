package gateway

import (
	"net/http/httptest"
	"strings"
	"testing"
)

// No Authorization header makes anything happen without the secret, and none
// makes the verification panic.
func FuzzAuthorizationHeader(f *testing.F) {
	const scope = "AKIDEXAMPLE/20261120/eu-west-1/execute-api/aws4_request"
	zeros := strings.Repeat("0", 64)
	for _, header := range []string{
		"",
		"AWS4-HMAC-SHA256",
		"AWS4-HMAC-SHA256 Credential=" + scope + ", SignedHeaders=host;x-amz-date, Signature=" + zeros,
		"AWS4-HMAC-SHA256 Credential=" + scope + ",SignedHeaders=content-length;host;x-amz-date,Signature=" + zeros,
		"AWS4-HMAC-SHA256 Signature=" + zeros + ", SignedHeaders=host;x-amz-date, Credential=" + scope,
		"AWS4-HMAC-SHA256 Credential=////aws4_request, SignedHeaders=;, Signature=" + zeros,
		"AWS4-HMAC-SHA256 Credential=" + scope + ", Credential=" + scope + ", SignedHeaders=host, Signature=",
		"Bearer x",
	} {
		f.Add(header, "20261120T235830Z", "host=gw&a=b+c", "body")
	}
	f.Fuzz(func(t *testing.T, header, date, query, body string) {
		b := newBench(Credentials{AccessKeyID: "AKIDEXAMPLE"}, testCreds, Credentials{SecretAccessKey: "x"})
		r := httptest.NewRequest("POST", "/@connections/c", strings.NewReader(body))
		r.RequestURI = "/@connections/c?" + query
		r.Header["Authorization"] = []string{header}
		r.Header["X-Amz-Date"] = []string{date}
		w := b.do(r)
		if calls := b.hub.taken(); len(calls) != 0 {
			t.Fatalf("posted %q for %q", calls, header)
		}
		if w.Code != 403 && w.Code != 413 { // 413: a body over the limit is refused before it is hashed.
			t.Fatalf("%d for %q", w.Code, header)
		}
		if told := w.Body.String() + b.log.String(); strings.Contains(told, testCreds.SecretAccessKey) {
			t.Fatalf("the secret is told: %s", told)
		}
	})
}
