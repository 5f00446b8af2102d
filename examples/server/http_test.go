package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/testlog"
)

// clientFunc is a function as a NotifyClient.
type clientFunc func(ctx context.Context, n sumu.Notification) error

func (f clientFunc) Send(ctx context.Context, n sumu.Notification) error { return f(ctx, n) }

const notifySecret = "a secret of the backend"

func postNotify(auth, body string, err error) (status int, sent []sumu.Notification, says map[string]string) {
	h := notifyHandler(clientFunc(func(_ context.Context, n sumu.Notification) error {
		sent = append(sent, n)
		return err
	}), notifySecret)
	r := httptest.NewRequest(http.MethodPost, "/notify", strings.NewReader(body))
	if body == "broken off" {
		r = httptest.NewRequest(http.MethodPost, "/notify", iotest.ErrReader(errors.New("reset")))
	}
	if auth != "" {
		r.Header.Set("Authorization", auth)
	}
	w := httptest.NewRecorder()
	h(w, r)
	_ = json.Unmarshal(w.Body.Bytes(), &says) // Without an answer, says is nil.
	return w.Code, sent, says
}

func TestNotifyAsksForTheSecret(t *testing.T) {
	const body = `{"users":["ann"],"data":1}`
	for auth, want := range map[string]int{
		"Bearer " + notifySecret:       202,
		"bearer " + notifySecret:       202,
		"":                             401,
		"Bearer":                       401,
		"Bearer ":                      401,
		notifySecret:                   401,
		"Basic " + notifySecret:        401,
		"Bearer " + notifySecret + " ": 401,
		"Bearer " + notifySecret[1:]:   401,
		"Bearer a secret":              401,
	} {
		status, sent, says := postNotify(auth, body, nil)
		if status != want || len(sent) > 0 != (want == 202) || (says["error"] == "") != (want == 202) {
			t.Errorf("%q: %d %v, %d sent; want %d", auth, status, says, len(sent), want)
		}
	}
}

func TestNotifyStatus(t *testing.T) {
	const good = `{"users":["ann"],"data":{"a":1}}`
	for _, c := range []struct {
		body   string
		err    error
		status int
		says   string
	}{
		{good, nil, 202, ""},
		{`{"users":["ann"]`, nil, 400, ""},
		{`{"users":["ann"]}`, nil, 400, ""},
		{`{"channels":["news"],"data":{"a":1}}`, nil, 202, ""},
		{`{"channels":["two words"],"data":1}`, nil, 400, "channel"},
		{"broken off", nil, 400, "too early"},
		{strings.Repeat(" ", maxNotify+1), nil, 413, "too large"},
		{good, &sumu.Error{Op: "send", Kind: sumu.ErrTooLarge}, 413, ""},
		{good, &sumu.Error{Op: "send", Kind: sumu.ErrThrottled}, 503, "try again"},
		{good, &sumu.Error{Op: "send", Kind: sumu.ErrUnavailable, Err: errors.New("the inside")}, 503, "try again"},
		{good, &sumu.Error{Op: "send", Kind: sumu.ErrForbidden, Err: errors.New("the inside")}, 500, "internal"},
		{good, errors.New("the inside"), 500, "internal"},
	} {
		status, sent, says := postNotify("Bearer "+notifySecret, c.body, c.err)
		if status != c.status || !strings.Contains(says["error"], c.says) || strings.Contains(says["error"], "the inside") {
			t.Errorf("%.40s with %v: %d %v; want %d and %q", c.body, c.err, status, says, c.status, c.says)
		}
		if status == 202 && (len(sent) != 1 || sent[0].ID == "" || says["id"] != sent[0].ID || string(sent[0].Data) != `{"a":1}`) {
			t.Errorf("%v was sent, and answered with %v", sent, says)
		}
	}
}

func TestHealth(t *testing.T) {
	var lease error
	h := &health{ready: func(context.Context) error { return lease }}
	expect := func(when string, probe http.HandlerFunc, status int, says string) {
		t.Helper()
		w := httptest.NewRecorder()
		probe(w, httptest.NewRequest(http.MethodGet, "/", nil))
		if w.Code != status || w.Body.String() != says+"\n" {
			t.Errorf("%s: %d %q; want %d %q", when, w.Code, w.Body, status, says)
		}
	}
	expect("with the lease", h.readiness, 200, "ready")
	lease = &sumu.Error{Kind: sumu.ErrUnavailable}
	expect("without", h.readiness, 503, "the lease of this node is not held")
	expect("without", h.live, 200, "alive")
	lease = nil
	h.draining.Store(true)
	expect("while draining", h.readiness, 503, "draining")
	expect("while draining", h.live, 200, "alive")
}

func TestIsNode(t *testing.T) {
	for endpoint, want := range map[string]bool{
		"http://10.0.0.1:8080/node-abcdefghijklm":                 true,
		"https://a.nodes.example.com/x/web-1-abcdefghijk27":       true,
		"https://abc123.execute-api.us-east-1.amazonaws.com/prod": false,
		"http://10.0.0.1:8080":                                    false,
		"http://10.0.0.1:8080/node-abc":                           false,
		"":                                                        false,
		"/":                                                       false,
	} {
		if isNode(endpoint) != want {
			t.Errorf("%q: %t, want %t", endpoint, !want, want)
		}
	}
}

// postedTo remembers the last connection.
type postedTo struct{ id string }

func (p *postedTo) Post(_ context.Context, c sumu.Connection, _ *sumu.Payload) error {
	p.id = c.ID
	return nil
}

func TestSender(t *testing.T) {
	for endpoint, own := range map[string]bool{
		"http://10.0.0.1:8080/node-a": true,
		"http://10.0.0.1:8080/node-b": false, // An earlier process at this address.
		"http://10.0.0.2:8080/node-a": false,
		"":                            false,
	} {
		var here, there postedTo
		s := sender{own: &here, endpoint: "http://10.0.0.1:8080/node-a", remote: &there}
		if err := s.Post(t.Context(), sumu.Connection{ID: "c", Endpoint: endpoint}, nil); err != nil {
			t.Fatal(err)
		}
		if (here.id == "c") != own || (there.id == "c") == own {
			t.Errorf("%q: posted here %q, there %q", endpoint, here.id, there.id)
		}
		if batches := s.MaxBatch(sumu.Connection{Endpoint: endpoint}) > 1; batches == own {
			t.Errorf("%q: batches %t", endpoint, batches)
		}
	}
}

func (p *postedTo) MaxBatch(sumu.Connection) int { return 7 }

func (p *postedTo) PostBatch(_ context.Context, conns []sumu.Connection, _ *sumu.Payload) []error {
	p.id = conns[0].ID
	return make([]error, len(conns))
}

// TestRoutes: nothing but what is meant for everybody answers without a secret.
func TestRoutes(t *testing.T) {
	s, err := read(nil)
	if err != nil {
		t.Fatal(err)
	}
	n, err := newNode(s, aws.Config{Region: s.region}, testlog.Logger())
	if err != nil {
		t.Fatal(err)
	}
	defer n.remote.Close()
	n.health.ready = func(context.Context) error { return nil }
	for request, want := range map[string]int{
		"GET /healthz":                     200,
		"GET /readyz":                      200,
		"GET /ws":                          426,
		"POST /ws":                         405,
		"POST /notify":                     401,
		"GET /notify":                      405,
		"GET /":                            404,
		"POST /node-x/@connections":        403,
		"POST /node-x/@connections/abc=":   403,
		"DELETE /node-x/@connections/abc=": 403,
		"GET /@connections/L0SM9cOFvHcCI=": 403,
		"POST /node-x//@connections/abc=":  403, // Of an SDK whose endpoint ends in a slash.
	} {
		method, path, _ := strings.Cut(request, " ")
		w := httptest.NewRecorder()
		n.routes().ServeHTTP(w, httptest.NewRequest(method, path, nil))
		if w.Code != want {
			t.Errorf("%s: %d %s; want %d", request, w.Code, w.Body, want)
		}
	}
}
