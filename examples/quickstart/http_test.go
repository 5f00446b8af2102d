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

	"github.com/sumu-live/sumu"
)

// clientFunc is a function as a NotifyClient.
type clientFunc func(ctx context.Context, n sumu.Notification) error

func (f clientFunc) Send(ctx context.Context, n sumu.Notification) error { return f(ctx, n) }

func jsonRequest(body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1:8080/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	return r
}

func TestNotifyStatus(t *testing.T) {
	for _, c := range []struct {
		err    error
		status int
		says   string
	}{
		{nil, 202, ""},
		{&sumu.Error{Op: "send", Kind: sumu.ErrClosed}, 503, "shutting down"},
		{&sumu.Error{Op: "send", Kind: sumu.ErrUnavailable, Err: context.DeadlineExceeded}, 503, "try again"},
		{&sumu.Error{Op: "send", Kind: sumu.ErrThrottled}, 429, "too many requests"},
		{errors.New("the secret of the database"), 500, "internal server error"},
	} {
		var sent sumu.Notification
		h := notifyHandler(clientFunc(func(_ context.Context, n sumu.Notification) error {
			sent = n
			return c.err
		}))
		w := httptest.NewRecorder()
		h(w, jsonRequest(`{"users":["ann"],"data":{"a":1}}`))
		var answer map[string]string
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			t.Fatal(err)
		}
		if w.Code != c.status || !strings.Contains(answer["error"], c.says) {
			t.Errorf("%v: %d %v; want %d and %q", c.err, w.Code, answer, c.status, c.says)
		}
		if strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%v: the answer tells of things inside: %s", c.err, w.Body)
		}
		if c.err == nil && (answer["id"] != sent.ID || sent.ID == "") {
			t.Errorf("the answer is %v; want the id that was sent, %q", answer, sent.ID)
		}
		if string(sent.Data) != `{"a":1}` {
			t.Errorf("data %q was sent", sent.Data)
		}
	}
}

func TestReadJSON(t *testing.T) {
	cut := jsonRequest("")
	cut.Body = http.NoBody
	broken := httptest.NewRequest(http.MethodPost, "/", iotest.ErrReader(errors.New("reset")))
	broken.Header.Set("Content-Type", "application/json")
	plain := jsonRequest("{}")
	plain.Header.Set("Content-Type", "text/plain")
	for name, c := range map[string]struct {
		r      *http.Request
		status int
	}{
		"just fits":   {jsonRequest(strings.Repeat(" ", 100)), 200},
		"one over":    {jsonRequest(strings.Repeat(" ", 101)), 413},
		"nothing":     {cut, 200},
		"broken off":  {broken, 400},
		"plain text":  {plain, 415},
		"of no type":  {httptest.NewRequest(http.MethodPost, "/", strings.NewReader("{}")), 415},
		"a form":      {formRequest(), 415},
		"its charset": {jsonRequest("{}"), 200},
	} {
		w := httptest.NewRecorder()
		body, ok := readJSON(w, c.r, 100)
		if ok != (c.status == 200) || w.Code != c.status || (!ok && body != nil) {
			t.Errorf("%s: %v with %d; want %d", name, ok, w.Code, c.status)
		}
	}
}

func formRequest() *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(`{"data":"=1"}`))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

func TestGuard(t *testing.T) {
	inside := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	for _, c := range []struct {
		host, origin, site string
		loopback           bool
		status             int
	}{
		{"127.0.0.1:8080", "", "", true, 204},
		{"localhost:8080", "", "", true, 204},
		{"LOCALHOST:8080", "", "", true, 204},
		{"localhost", "", "", true, 204},
		{"[::1]:8080", "", "", true, 204},
		{"[::1]", "", "", true, 204},
		{"127.0.0.1.evil.example:8080", "", "", true, 403},
		{"evil.example", "", "", true, 403},
		{"", "", "", true, 403},
		{"chat.example:8080", "", "", false, 204},
		{"127.0.0.1:8080", "http://127.0.0.1:8080", "same-origin", true, 204},
		{"127.0.0.1:8080", "http://127.0.0.1:9999", "", true, 403},
		{"127.0.0.1:8080", "https://evil.example", "cross-site", true, 403},
		{"127.0.0.1:8080", "null", "", true, 403},
		{"127.0.0.1:8080", "", "cross-site", true, 403},
		{"127.0.0.1:8080", "", "same-site", true, 403},
	} {
		r := jsonRequest("{}")
		r.Host = c.host
		if c.origin != "" {
			r.Header.Set("Origin", c.origin)
		}
		if c.site != "" {
			r.Header.Set("Sec-Fetch-Site", c.site)
		}
		w := httptest.NewRecorder()
		guard(inside, c.loopback).ServeHTTP(w, r)
		if w.Code != c.status {
			t.Errorf("%+v: %d", c, w.Code)
		}
	}
}

func TestPage(t *testing.T) {
	for path, status := range map[string]int{"/": 200, "/app.js": 200, "/nothing": 404} {
		w := httptest.NewRecorder()
		pageHandler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != status {
			t.Errorf("GET %s: %d; want %d", path, w.Code, status)
		}
		if csp := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
			t.Errorf("GET %s: Content-Security-Policy is %q", path, csp)
		}
	}
}

// TestPageNeedsNothingFromElsewhere: no asset, script or style of the page is
// inline, which its policy would refuse, or comes from another place.
func TestPageNeedsNothingFromElsewhere(t *testing.T) {
	entries, err := pageFiles.ReadDir("page")
	if err != nil || len(entries) < 5 {
		t.Fatalf("%d files: %v", len(entries), err)
	}
	for _, e := range entries {
		raw, err := pageFiles.ReadFile("page/" + e.Name())
		if err != nil {
			t.Fatal(err)
		}
		text := strings.ReplaceAll(string(raw), `xmlns="http://www.w3.org/2000/svg"`, "")
		for _, never := range []string{"://cdn", "https://", "@import", "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "<style", " style=", " onclick="} {
			if strings.Contains(text, never) {
				t.Errorf("%s holds %q", e.Name(), never)
			}
		}
	}
}
