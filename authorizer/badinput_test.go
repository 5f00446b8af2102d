package authorizer_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/authorizer"
)

// allocated is how many bytes f allocates, those of other goroutines included.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// requireCheap fails when f allocates more than limit bytes.
func requireCheap(t *testing.T, name string, limit uint64, f func()) {
	t.Helper()
	if n := allocated(f); n > limit {
		t.Errorf("%s: %d bytes are allocated; want at most %d", name, n, limit)
	}
}

func TestTokenOfOneMegabyte(t *testing.T) {
	iss := issuers["EdDSA"]()
	token := sign(t, iss, claims(change{"padding": strings.Repeat("x", 768*1024)}))
	if len(token) < 1<<20 {
		t.Fatalf("token of %d bytes", len(token))
	}
	r := &sumu.ConnectRequest{Header: map[string][]string{"Authorization": {"Bearer " + token}}}
	a := newAuthorizer(t, static(t, iss.JWKS()))
	requireCheap(t, "over the limit", 16*1024, func() {
		if _, err := a.Authorize(t.Context(), r); !errors.Is(err, authorizer.ErrTokenTooLong) || !errors.Is(err, sumu.ErrUnauthorized) {
			t.Errorf("Authorize = %v", err)
		}
	})
	// Where it is allowed, each step costs a few times its length at most.
	token = token[:1<<20]
	large := newAuthorizer(t, static(t, iss.JWKS()), func(o *authorizer.Options) { o.MaxToken = 1 << 20 })
	for name, token := range map[string]string{
		"cut":            token,
		"one header":     strings.Repeat("A", 1<<20-4) + ".A.A",
		"deep header":    nested(t, iss) + ".A.A",
		"only dots":      strings.Repeat(".", 1<<20),
		"only signature": sign(t, iss, claims()) + strings.Repeat("A", 900*1024),
	} {
		requireCheap(t, name, 8<<20, func() {
			if _, err := large.Verify(t.Context(), token); !errors.Is(err, sumu.ErrUnauthorized) {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
}

// nested is a header with as much nesting as fits.
func nested(t *testing.T, iss interface {
	SignRaw(header map[string]any, payload []byte) (string, error)
},
) string {
	t.Helper()
	token, err := iss.SignRaw(nil, []byte(strings.Repeat(`{"a":`, 9000)+"1"+strings.Repeat("}", 9000)))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(token, ".")[1]
}

func TestTenThousandKeys(t *testing.T) {
	iss := issuers["EdDSA"]()
	x := firstKey(t, iss)["x"]
	var doc strings.Builder
	doc.WriteString(`{"keys":[`)
	for i := range 10_000 {
		if i > 0 {
			doc.WriteByte(',')
		}
		fmt.Fprintf(&doc, `{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","use":"sig","kid":"k%d","x":%q}`, i, x)
	}
	doc.WriteString(`]}`)
	token := func(i int) string { return signWith(t, iss, change{"kid": "k" + strconv.Itoa(i)}, claims()) }

	// By default this is too large.
	requireUnavailable(t, jwksOf(t, []byte(doc.String())), "k0")

	// Where it may be larger, the first 1,000 count.
	keys := jwksOf(t, []byte(doc.String()), func(o *authorizer.JWKSOptions) { o.MaxSize = 4 << 20 })
	a := newAuthorizer(t, keys)
	requireCheap(t, "10,000 keys", 32<<20, func() {
		if _, err := a.Verify(t.Context(), token(0)); err != nil {
			t.Errorf("the first key: %v", err)
		}
	})
	if _, err := a.Verify(t.Context(), token(999)); err != nil {
		t.Errorf("the 1000th key: %v", err)
	}
	if _, err := a.Verify(t.Context(), token(1000)); !errors.Is(err, authorizer.ErrUnknownKey) {
		t.Errorf("the 1001st key: %v", err)
	}
}

// A million of elements that are no key, and one behind them that is.
func TestSetOfRubbish(t *testing.T) {
	iss := issuers["EdDSA"]()
	doc := []byte(`{"keys":[` + strings.Repeat("7,", 500_000) + string(jwkWith(t, iss, nil)) + `]}`)
	requireCheap(t, "rubbish", 64<<20, func() {
		src := jwksOf(t, doc, func(o *authorizer.JWKSOptions) { o.MaxSize = 2 << 20 })
		requireKeys(t, src, iss.KeyID(), iss.KeyID())
	})
}

func TestTooManyCertificates(t *testing.T) {
	members := func(n int) []byte {
		var parts []string
		for i := range n {
			parts = append(parts, fmt.Sprintf(`"k%d":"x"`, i))
		}
		iss := issuers["ES256"]()
		cert := certOf(t, certificates(t, iss, testNow, testNow.Add(time.Hour)))
		return append([]byte("{"+strings.Join(parts, ",")+","), certMap(t, iss.KeyID(), cert)[1:]...)
	}
	kid := issuers["ES256"]().KeyID()
	requireKeys(t, jwksOf(t, members(999)), kid, kid)
	requireUnavailable(t, jwksOf(t, members(1000)), kid)
}

// What one fetched set says of a key, told by its outcome.
func TestFetchedKeysOfAnyKind(t *testing.T) {
	es, other := issuers["ES256"](), newIssuer(t, "ES256")
	set := func(keys ...[]byte) []byte { return []byte(`{"keys":[` + string(bytes.Join(keys, []byte(","))) + `]}`) }
	good := jwkWith(t, es, nil)
	for name, tc := range map[string]struct {
		doc  []byte
		want error
	}{
		"unknown kty before":       {set([]byte(`{"kty":"AKP","alg":"ML-DSA-65","kid":"pq","pub":"AQ"}`), good), nil},
		"unknown kty alone":        {set([]byte(`{"kty":"AKP","kid":"` + es.KeyID() + `","pub":"AQ"}`)), sumu.ErrUnavailable},
		"symmetric key alone":      {set([]byte(`{"kty":"oct","kid":"` + es.KeyID() + `","k":"AQ"}`)), sumu.ErrUnavailable},
		"private key alone":        {set(jwkWith(t, es, change{"d": "AQ"})), sumu.ErrUnavailable},
		"private key beside":       {set(jwkWith(t, other, change{"d": "AQ"}), good), nil},
		"private key, the same id": {set(jwkWith(t, es, change{"d": "AQ"}), jwkWith(t, other, nil)), authorizer.ErrUnknownKey},
		"the same id twice":        {set(jwkWith(t, other, change{"kid": es.KeyID()}), good), nil},
		"the same id, wrong key":   {set(jwkWith(t, other, change{"kid": es.KeyID()})), authorizer.ErrSignature},
		"kid twice in one key":     {set([]byte(strings.Replace(string(good), `{`, `{"kid":"x",`, 1)), jwkWith(t, other, nil)), authorizer.ErrUnknownKey},
	} {
		_, err := newAuthorizer(t, jwksOf(t, tc.doc)).Verify(t.Context(), sign(t, es, claims()))
		if !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
	}
}

var spaces = bytes.Repeat([]byte(" "), 1<<20)

// endless is a body that never ends, and counts what is read of it.
type endless struct{ read atomic.Int64 }

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, spaces)
	e.read.Add(int64(n))
	return n, nil
}

func (*endless) Close() error { return nil }

func TestEndlessAnswer(t *testing.T) {
	body := new(endless)
	client := &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: body, Request: r}, nil
	})}
	withClient := func(o *authorizer.JWKSOptions) { o.HTTPClient = client }
	byURL, err := authorizer.JWKS("https://id.example.com/keys", withClient)
	if err != nil {
		t.Fatal(err)
	}
	byIssuer, err := authorizer.Discover("https://id.example.com", withClient)
	if err != nil {
		t.Fatal(err)
	}
	for name, src := range map[string]authorizer.KeySource{"keys": byURL, "configuration": byIssuer} {
		body.read.Store(0)
		requireCheap(t, name, 8<<20, func() { requireUnavailable(t, src, "k") })
		if n := body.read.Load(); n > 1<<20+1 {
			t.Errorf("%s: %d bytes were read", name, n)
		}
	}
}

// 100 MB over a real connection, plain and compressed, and a header without end.
func TestHundredMegabytes(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/plain", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.CopyN(w, new(endless), 100<<20)
	})
	var small bytes.Buffer
	zip := gzip.NewWriter(&small)
	if _, err := io.CopyN(zip, new(endless), 1<<20); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	mux.HandleFunc("/zip", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(bytes.Repeat(small.Bytes(), 100))
	})
	mux.HandleFunc("/header", func(w http.ResponseWriter, _ *http.Request) {
		for i := range 200 {
			w.Header().Set(fmt.Sprintf("X-%d", i), strings.Repeat("x", 1000))
		}
		_, _ = w.Write(issuers["EdDSA"]().JWKS())
	})
	srv := httptest.NewServer(mux)
	defer srv.Close()
	for _, path := range []string{"/plain", "/zip", "/header"} {
		src, err := authorizer.JWKS(srv.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		requireCheap(t, path, 16<<20, func() { requireUnavailable(t, src, issuers["EdDSA"]().KeyID()) })
	}
}

// Nothing but the host that was named is asked, whatever it answers.
func TestRedirectToPrivateAddress(t *testing.T) {
	for _, location := range []string{
		"http://169.254.169.254/latest/meta-data/", "https://169.254.169.254/", "https://10.0.0.1/keys", "http://127.0.0.1:8080/", "https://localhost/keys",
		"https://[::1]/keys", "https://[fd00::1]/keys", "//10.0.0.1/keys", "file:///etc/passwd", "gopher://10.0.0.1/", "https://id.example.com@10.0.0.1/",
	} {
		var asked []string
		client := &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			asked = append(asked, r.URL.Host)
			w := httptest.NewRecorder()
			if r.URL.Host == "id.example.com" {
				w.Header().Set("Location", location)
				w.WriteHeader(http.StatusFound)
			} else {
				_, _ = w.Write(issuers["EdDSA"]().JWKS())
			}
			return w.Result(), nil
		})}
		withClient := func(o *authorizer.JWKSOptions) { o.HTTPClient = client }
		byURL, err := authorizer.JWKS("https://id.example.com/keys", withClient)
		if err != nil {
			t.Fatal(err)
		}
		byIssuer, err := authorizer.Discover("https://id.example.com", withClient)
		if err != nil {
			t.Fatal(err)
		}
		for _, src := range []authorizer.KeySource{byURL, byIssuer} {
			asked = nil
			requireUnavailable(t, src, issuers["EdDSA"]().KeyID())
			if !slices.Equal(asked, []string{"id.example.com"}) {
				t.Errorf("%s: asked %v", location, asked)
			}
		}
	}
}

// An issuer that hangs in the second of two documents: one time-out bounds both.
func TestHangingIssuerIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const home = "https://id.example.com"
		client := &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			if strings.HasSuffix(r.URL.Path, "/keys") {
				<-r.Context().Done()
				return nil, r.Context().Err()
			}
			time.Sleep(3 * time.Second)
			body := io.NopCloser(strings.NewReader(configuration(home, home+"/keys")))
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: body, Request: r}, nil
		})}
		src, err := authorizer.Discover(home, func(o *authorizer.JWKSOptions) { o.HTTPClient = client })
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		requireUnavailable(t, src, "k")
		if took := time.Since(start); took != 5*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}
