package authorizer_test

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/authorizer"
	"github.com/sumu-live/sumu/internal/issuer"
	"github.com/sumu-live/sumu/internal/leak"
)

func TestKeysOverHTTP(t *testing.T) {
	leak.Check(t)
	iss := issuers["ES256"]()
	srv := httptest.NewServer(iss)
	defer srv.Close()
	keys, err := authorizer.JWKS(srv.URL + issuer.Path)
	if err != nil {
		t.Fatal(err)
	}
	a := newAuthorizer(t, keys)
	if id, err := a.Verify(t.Context(), sign(t, iss, claims())); err != nil || id.UserID != "ann" {
		t.Errorf("Verify = %v, %v", id, err)
	}
}

// The default client leaves no connection open: leak.Check sees its goroutines
// while the server still runs.
func TestNoConnectionStaysOpen(t *testing.T) {
	iss := issuers["ES256"]()
	srv := httptest.NewServer(iss)
	defer srv.Close()
	t.Run("fetch", func(t *testing.T) {
		leak.Check(t)
		keys, err := authorizer.JWKS(srv.URL + issuer.Path)
		if err != nil {
			t.Fatal(err)
		}
		requireKeys(t, keys, iss.KeyID(), iss.KeyID())
	})
}

func TestTLS(t *testing.T) {
	iss := issuers["ES256"]()
	srv := httptest.NewUnstartedServer(iss)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0) // It tells of the stranger below.
	srv.StartTLS()
	defer srv.Close()
	keys, err := authorizer.JWKS(srv.URL+issuer.Path, func(o *authorizer.JWKSOptions) { o.HTTPClient = srv.Client() })
	if err != nil {
		t.Fatal(err)
	}
	requireKeys(t, keys, iss.KeyID(), iss.KeyID())

	// The certificate is checked: this client does not know who signed it.
	strangers, err := authorizer.JWKS(srv.URL + issuer.Path)
	if err != nil {
		t.Fatal(err)
	}
	requireUnavailable(t, strangers, iss.KeyID())
}

func TestBadAnswers(t *testing.T) {
	iss := issuers["ES256"]()
	good := iss.JWKS()
	mux := http.NewServeMux()
	answer := func(path string, status int, body string) {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		})
	}
	answer("/good", 200, string(good))
	answer("/404", 404, string(good))
	answer("/500", 500, string(good))
	answer("/201", 201, string(good))
	answer("/204", 204, "")
	answer("/empty", 200, "")
	answer("/html", 200, "<html>sign in</html>")
	answer("/list", 200, `[`+string(good)+`]`)
	answer("/jwk", 200, string(jwkWith(t, iss, nil)))
	answer("/nokeys", 200, `{"keys":[]}`)
	answer("/nousable", 200, `{"keys":[{"kty":"oct","k":"AQ"}]}`)
	answer("/null", 200, `{"keys":null}`)
	answer("/cut", 200, string(good[:len(good)-2]))
	answer("/large", 200, string(good)+strings.Repeat(" ", 1<<20))
	answer("/almostlarge", 200, string(good)+strings.Repeat(" ", 1<<20-len(good)))
	mux.Handle("/to/good", http.RedirectHandler("/good", http.StatusFound))
	mux.Handle("/to/3", http.RedirectHandler("/to/2", http.StatusFound))
	mux.Handle("/to/2", http.RedirectHandler("/to/good", http.StatusFound))
	mux.Handle("/to/4", http.RedirectHandler("/to/3", http.StatusFound))
	mux.Handle("/to/itself", http.RedirectHandler("/to/itself", http.StatusFound))
	other := httptest.NewServer(mux)
	defer other.Close()
	mux.Handle("/to/other", http.RedirectHandler(other.URL+"/good", http.StatusFound))
	srv := httptest.NewServer(mux)
	defer srv.Close()
	mux.Handle("/to/https", http.RedirectHandler(strings.Replace(srv.URL, "http:", "https:", 1)+"/good", http.StatusFound))
	mux.HandleFunc("/hang", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	mux.HandleFunc("/trickle", func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})

	for _, tc := range []struct {
		path string
		ok   bool
	}{
		{"/good", true},
		{"/almostlarge", true},
		{"/to/good", true},
		{"/to/3", true},
		{"/404", false},
		{"/500", false},
		{"/201", false},
		{"/204", false},
		{"/empty", false},
		{"/html", false},
		{"/list", false},
		{"/jwk", false},
		{"/nokeys", false},
		{"/nousable", false},
		{"/null", false},
		{"/cut", false},
		{"/large", false},
		{"/to/4", false},
		{"/to/itself", false},
		{"/to/other", false},
		{"/to/https", false},
		{"/hang", false},
		{"/trickle", false},
	} {
		keys, err := authorizer.JWKS(srv.URL+tc.path+"?secret=hunter2", func(o *authorizer.JWKSOptions) {
			if tc.path == "/hang" || tc.path == "/trickle" {
				o.Timeout = 50 * time.Millisecond
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		got, err := keys.Keys(t.Context(), iss.KeyID())
		if (err == nil) != tc.ok || (len(got) == 1) != tc.ok {
			t.Errorf("%s: %d keys, %v", tc.path, len(got), err)
		}
		if err != nil && (!errors.Is(err, sumu.ErrUnavailable) || strings.Contains(err.Error(), "hunter2")) {
			t.Errorf("%s: %v", tc.path, err)
		}
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Where it leads to, the keys are there for the taking; it is not followed.
func TestRedirectToPlainHTTPIsNotFollowed(t *testing.T) {
	iss := issuers["ES256"]()
	for location, ok := range map[string]bool{
		"https://id.example.com/b":     true,
		"http://id.example.com/b":      false,
		"https://id.example.com:444/b": false,
		"https://example.com/b":        false,
	} {
		transport := roundTripper(func(r *http.Request) (*http.Response, error) {
			w := httptest.NewRecorder()
			if r.URL.Path == "/a" {
				w.Header().Set("Location", location)
				w.WriteHeader(http.StatusFound)
			} else {
				_, _ = w.Write(iss.JWKS())
			}
			return w.Result(), nil
		})
		keys, err := authorizer.JWKS("https://id.example.com/a", func(o *authorizer.JWKSOptions) {
			o.HTTPClient = &http.Client{Transport: transport}
		})
		if err != nil {
			t.Fatal(err)
		}
		found, err := keys.Keys(t.Context(), iss.KeyID())
		if (err == nil) != ok || (len(found) == 1) != ok {
			t.Errorf("redirect to %s: %d keys, %v", location, len(found), err)
		}
	}
}

func TestAuthorizerTellsFaultFromRefusal(t *testing.T) {
	iss := issuers["ES256"]()
	srv := httptest.NewServer(http.NotFoundHandler())
	defer srv.Close()
	keys, err := authorizer.JWKS(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	token := sign(t, iss, claims())
	_, err = newAuthorizer(t, keys).Verify(t.Context(), token)
	if !errors.Is(err, sumu.ErrUnavailable) || errors.Is(err, sumu.ErrUnauthorized) || errors.Is(err, sumu.ErrForbidden) {
		t.Errorf("Verify = %v", err)
	}
	requireSilent(t, err, token, iss.KeyID())
}

func TestJWKSRefusesBadOptions(t *testing.T) {
	for raw, want := range map[string]string{
		"":                                   "scheme",
		"id.example.com/jwks":                "scheme",
		"ftp://id.example.com/jwks":          "scheme",
		"https:///jwks":                      "host",
		"http://id.example.com/jwks":         "http is for loopback",
		"http://localhost.example.com/":      "http is for loopback",
		"http://10.0.0.1/jwks":               "http is for loopback",
		"https://u:hunter2@id.example.com/":  "password",
		"https://id.example.com:hunter2/":    "parsed",
		"https://id.example.com/%zz-hunter2": "parsed",
	} {
		keys, err := authorizer.JWKS(raw)
		if !errors.Is(err, sumu.ErrInvalid) || keys != nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("JWKS(%q) = %v", raw, err)
		}
	}
	for _, raw := range []string{"https://id.example.com/jwks", "http://localhost:80/", "http://127.0.0.9/", "http://[::1]:80/"} {
		if _, err := authorizer.JWKS(raw); err != nil {
			t.Errorf("JWKS(%q) = %v", raw, err)
		}
	}
	if _, err := authorizer.JWKS("http://id.example.com/", func(o *authorizer.JWKSOptions) { o.InsecureHTTP = true }); err != nil {
		t.Error(err)
	}
	_, err := authorizer.JWKS("", func(o *authorizer.JWKSOptions) {
		o.DefaultAge, o.MinAge, o.MaxAge, o.RefetchInterval, o.Timeout, o.MaxSize = -1, -1, -1, -1, -1, -1
	})
	for _, want := range []string{"URL", "DefaultAge", "MinAge", "MaxAge", "RefetchInterval", "Timeout", "MaxSize"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error does not name %s: %v", want, err)
		}
	}
}

// The client is the caller's: what JWKS changes is its own copy.
func TestCallersClientIsNotChanged(t *testing.T) {
	followed := errors.New("mine")
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return followed }}
	if _, err := authorizer.JWKS("https://id.example.com/", func(o *authorizer.JWKSOptions) { o.HTTPClient = client }); err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse("https://id.example.com/")
	if err != nil {
		t.Fatal(err)
	}
	if err := client.CheckRedirect(&http.Request{URL: u}, nil); !errors.Is(err, followed) {
		t.Errorf("CheckRedirect = %v", err)
	}
}
