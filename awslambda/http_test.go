package awslambda_test

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/awslambda"
)

// httpAnswer is what a function answers to a request.
type httpAnswer struct {
	StatusCode      int
	Headers         map[string]string
	Cookies         []string
	Body            string
	IsBase64Encoded bool
}

const request = `{"version":"2.0","rawPath":"/a%2Fb/connect","rawQueryString":"authorization=t%26&x=1&x=2",
	"cookies":["a=1","b=2"],"headers":{"authorization":"Bearer t","x-many":"1,2","content-type":"text/plain"},
	"requestContext":{"requestId":"r1","domainName":"x.lambda-url.eu-west-1.on.aws",
		"http":{"method":"POST","path":"/a/b/connect","protocol":"HTTP/1.1","sourceIp":"192.0.2.1","userAgent":"curl"}},
	"body":"aGVsbG8=","isBase64Encoded":true}`

func TestHTTP(t *testing.T) {
	h := must(awslambda.NewHTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := must(io.ReadAll(r.Body))
		cookie := must(r.Cookie("b"))
		got := fmt.Sprint(r.Method, " ", r.Host, r.URL.Path, " ", r.URL.EscapedPath(), " ", r.RequestURI, " ", r.URL.Query(), " ", r.Header.Get("Authorization"),
			" ", r.Header["X-Many"], " ", cookie.Value, " ", r.RemoteAddr, " ", string(body), " ", r.ContentLength)
		if want := "POST x.lambda-url.eu-west-1.on.aws/a/b/connect /a%2Fb/connect /a%2Fb/connect?authorization=t%26&x=1&x=2 " +
			"map[authorization:[t&] x:[1 2]] Bearer t [1,2] 2 192.0.2.1 hello 5"; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		w.Header().Add("Set-Cookie", "c=3")
		w.Header().Add("Set-Cookie", "d=4")
		w.Header().Add("Vary", "Origin")
		w.Header().Add("Vary", "Cookie")
		w.WriteHeader(http.StatusCreated)
		w.WriteHeader(http.StatusTeapot) // Too late, as in net/http.
		w.Header().Set("X-Late", "1")
		_, _ = io.WriteString(w, `{"url":"a&b"}`)
	})))
	got := call[httpAnswer](t, h, []byte(request))
	if got.StatusCode != 201 || got.Body != `{"url":"a&b"}` || got.IsBase64Encoded || got.Headers["Vary"] != "Origin,Cookie" ||
		got.Headers["X-Late"] != "" || len(got.Cookies) != 2 || got.Headers["Set-Cookie"] != "" || !strings.HasPrefix(got.Headers["Content-Type"], "text/plain") {
		t.Errorf("answer is %+v", got)
	}
}

func TestHTTPAnswers(t *testing.T) {
	var logged strings.Builder
	serve := func(do http.HandlerFunc) httpAnswer {
		h := must(awslambda.NewHTTP(do, func(o *awslambda.HTTPOptions) { o.Logger = slog.New(slog.NewTextHandler(&logged, nil)) }))
		return call[httpAnswer](t, h, golden(t, "lambda-urls-request.json"))
	}
	if got := serve(func(http.ResponseWriter, *http.Request) {}); got.StatusCode != 200 || got.Body != "" {
		t.Errorf("nothing written: %+v", got)
	}
	if got := serve(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte{0xff, 0}) }); !got.IsBase64Encoded || got.Body != "/wA=" {
		t.Errorf("not text: %+v", got)
	}
	if got := serve(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half")
		panic("boom")
	}); got.StatusCode != 500 || got.Body != "" || !strings.Contains(logged.String(), "http handler failed") {
		t.Errorf("a panic: %+v, logged %s", got, &logged)
	}
}

func TestHTTPRefuses(t *testing.T) {
	if _, err := awslambda.NewHTTP(nil); !errors.Is(err, sumu.ErrInvalid) {
		t.Errorf("got %v", err)
	}
	h := must(awslambda.NewHTTP(http.NotFoundHandler()))
	for _, event := range []string{
		`{}`, string(sqsEvent("1")), strings.Replace(request, "aGVsbG8=", "?", 1), strings.Replace(request, `"POST"`, `"P OST"`, 1),
		strings.Replace(request, `"authorization":"Bearer t"`, `"authorization":7`, 1), strings.Replace(request, `"2.0"`, `"1.0"`, 1),
	} {
		if out, err := h.Invoke(t.Context(), []byte(event)); !errors.Is(err, sumu.ErrInvalid) || strings.Contains(err.Error(), "Bearer") {
			t.Errorf("%.60s: %s, %v", event, out, err)
		}
	}
}
