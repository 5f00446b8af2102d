package gateway

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// An SDK whose endpoint ends in a slash asks for a path with two, and signs it
// as RFC 3986 normalises it, which is what SigV4 asks for; the Go SDK signs what
// it sends. Whichever was signed is what is acted upon.
func TestManagementPathForms(t *testing.T) {
	for _, tt := range []struct {
		name, wire, signed, want string
	}{
		{"as one slash", "/prod//@connections/c1%3D", "/prod/@connections/c1%3D", "post c1= x"},
		{"as it is", "/prod//@connections/c1%3D", "/prod//@connections/c1%3D", "post c1= x"},
		{"at the root", "//@connections/c1%3D", "/@connections/c1%3D", "post c1= x"},
		{"behind it", "/prod/@connections//c1%3D", "/prod/@connections/c1%3D", "post c1= x"},
		{"dots", "/a/../prod/./@connections/c1%3D", "/prod/@connections/c1%3D", "post c1= x"},
		{"an id of dots, as it is", "/prod/@connections/..", "/prod/@connections/..", "post .. x"},
		{"an id of dots, normalised", "/prod/@connections/..", "/prod/", ""},
		{"an id with slashes", "/prod//@connections/a%2F%2Fb%2F..%2Fc", "/prod/@connections/a%2F%2Fb%2F..%2Fc", "post a//b/../c x"},
		{"another path", "/prod//@connections/c1%3D", "/@connections/c1%3D", ""},
		{"another id", "/prod/@connections/c2/../c1%3D", "/prod/@connections/c2", ""},
		{"an id that dots take away", "/prod/@connections/c2/../c1%3D", "/prod/@connections/c1%3D", "post c1= x"},
		{"above the root", "/../..//@connections/c1%3D", "/@connections/c1%3D", "post c1= x"},
		{"a batch", "/prod//@connections", "/prod/@connections", "post c1= x"},
	} {
		body := "x"
		if tt.name == "a batch" {
			body = `{"posts":[{"connections":["c1="],"data":"x"}]}`
		}
		b := newBench(testCreds)
		r := overWire(t, sdkSign(t, newRequest(t, http.MethodPost, "https://gw.example.com"+tt.signed, body), testCreds, hashOf(body), signedAt))
		r.RequestURI = tt.wire
		w := b.do(r)
		if got := strings.Join(b.hub.taken(), "; "); got != tt.want || (w.Code == 200) != (tt.want != "") {
			t.Errorf("%s: %d %s, hub was asked for %q, want %q", tt.name, w.Code, w.Body, got, tt.want)
		}
	}
}

// The type by which SDKs take a clock for the cause, and correct their own: they
// read the answer's Date.
func TestManagementClockSkew(t *testing.T) {
	for _, d := range []time.Duration{10 * time.Minute, -10 * time.Minute} {
		b := newBench(testCreds)
		b.at = signedAt.Add(d)
		wantError(t, b.do(overWire(t, signedPost(t, "x"))), 403, "InvalidSignatureException", "clocks differ")
	}
}

// Normalising is done once, keeps what is normal, and never makes another
// segment than those that are there.
func FuzzNormalPath(f *testing.F) {
	for _, path := range []string{"/", "//", "/prod//@connections/c%3D", "/a/./b/../c/", "/..", "/../", "/a/..b/.c/...", "/%2e%2e/x", "/a//../b", "x", ""} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		path = "/" + strings.TrimPrefix(path, "/")
		normal := normalPath(path)
		if again := normalPath(normal); again != normal {
			t.Errorf("%q becomes %q, and that %q", path, normal, again)
		}
		if !strings.HasPrefix(normal, "/") || strings.Contains(normal, "//") || len(normal) > len(path) {
			t.Errorf("%q becomes %q", path, normal)
		}
		for s := range strings.SplitSeq(normal, "/") {
			if s == "." || s == ".." || !slices.Contains(strings.Split(path, "/"), s) && s != "" {
				t.Errorf("%q becomes %q, with a segment %q", path, normal, s)
			}
		}
	})
}
