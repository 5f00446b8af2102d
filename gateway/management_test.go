package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sumu-live/sumu"
)

func TestManagementActs(t *testing.T) {
	for _, tt := range []struct {
		method, url, body string
		status            int
		answer            string
		call              string
	}{
		{"POST", "https://gw/@connections/c1%3D", "hé", 200, "", "post c1= hé"},
		{"POST", "https://gw/prod/@connections/c1%3D", "", 200, "", "post c1= "},
		{"POST", "https://gw/a/b%2Fc/@connections/c%2F1%2B%25%3D", "x", 200, "", "post c/1+%= x"},
		{"POST", "https://gw/prod/%40connections/c1=", "x", 200, "", "post c1= x"},
		{"POST", "https://gw/@connections/x/@connections/c1=", "x", 200, "", "post c1= x"},
		{"POST", "https://gw/@connections/a+b", "x", 200, "", "post a+b x"},
		{"POST", "https://gw/@connections/%2540", "x", 200, "", "post %40 x"}, // Decoded once.
		{
			"GET", "https://gw/prod/@connections/c1%3D", "", 200,
			`{"connectedAt":"2026-11-20T22:00:00.123Z","identity":{"sourceIp":"192.0.2.7","userAgent":"agent \"7\""},"lastActiveAt":"2026-11-20T22:00:00Z"}`,
			"info c1=",
		},
		{"DELETE", "https://gw/prod/@connections/c1%3D", "", 204, "", "disconnect c1="},
		{"DELETE", "https://gw/prod/@connections/c1%3D", `{"code":4001,"reason":"kicked"}`, 204, "", "disconnect c1= 4001 kicked"},
	} {
		t.Run(tt.method+" "+tt.url, func(t *testing.T) {
			b := newBench(testCreds)
			r := sdkSign(t, newRequest(t, tt.method, tt.url, tt.body), testCreds, hashOf(tt.body), signedAt)
			w := b.do(overWire(t, r))
			if w.Code != tt.status || w.Body.String() != tt.answer {
				t.Errorf("got %d %q, want %d %q", w.Code, w.Body, tt.status, tt.answer)
			}
			if w.Header().Get("X-Amzn-RequestId") == "" {
				t.Error("no x-amzn-RequestId")
			}
			if calls := b.hub.taken(); !slices.Equal(calls, []string{tt.call}) {
				t.Errorf("hub was asked for %q, want %q", calls, tt.call)
			}
		})
	}
}

func TestManagementRefusesWhatCannotBe(t *testing.T) {
	long := strings.Repeat("a", sumu.MaxConnectionID+1)
	for _, tt := range []struct {
		name, method, path, body string
		status                   int
		code, message            string
	}{
		{"no id", "POST", "/@connections/", "x", 400, "BadRequestException", "Invalid connectionId"},
		{"id in two segments", "POST", "/@connections/a/b", "x", 400, "BadRequestException", "Invalid connectionId"},
		{"id not UTF-8", "GET", "/@connections/%ff", "", 400, "BadRequestException", "Invalid connectionId"},
		{"id too long", "DELETE", "/@connections/" + long, "", 400, "BadRequestException", "Invalid connectionId"},
		{"payload not UTF-8", "POST", "/@connections/c", "a\xffb", 400, "BadRequestException", "UTF-8"},
		{"a reason that is none", "DELETE", "/@connections/c", `{"code":1000}`, 400, "BadRequestException", "4000 to 4999"},
		{"other method", "PUT", "/@connections/c", "x", 405, "MethodNotAllowedException", "POST"},
		{"no @connections", "POST", "/prod/connections/c", "x", 403, "ForbiddenException", "@connections"},
		{"@connections alone", "GET", "/prod/@connections", "", 403, "ForbiddenException", "@connections"},
		{"id of another shape", "POST", "/prod/@connections/malformed", "x", 400, "BadRequestException", "Invalid connectionId"},
		{"marker within a segment", "POST", "/x@connections/c", "x", 403, "ForbiddenException", "@connections"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(testCreds)
			r := sdkSign(t, newRequest(t, tt.method, "https://gw"+tt.path, tt.body), testCreds, hashOf(tt.body), signedAt)
			wantError(t, b.do(overWire(t, r)), tt.status, tt.code, tt.message)
			if calls := b.hub.taken(); len(calls) != 0 {
				t.Errorf("hub was asked for %q", calls)
			}
		})
	}
}

func TestManagementErrors(t *testing.T) {
	for _, tt := range []struct {
		err    error
		status int
		code   string
	}{
		{sumu.ErrGone, 410, "GoneException"},
		{sumu.ErrThrottled, 429, "LimitExceededException"},
		{sumu.ErrLimit, 429, "LimitExceededException"},
		{sumu.ErrTooLarge, 413, "PayloadTooLargeException"},
		{sumu.ErrInvalid, 400, "BadRequestException"},
		{context.DeadlineExceeded, 504, "InternalServerErrorException"},
		{sumu.ErrUnavailable, 500, "InternalServerErrorException"},
		{sumu.ErrForbidden, 500, "InternalServerErrorException"}, // The hub's fault, not the caller's.
		{errSecretInside, 500, "InternalServerErrorException"},
	} {
		for _, method := range []string{"POST", "GET", "DELETE"} {
			t.Run(fmt.Sprintf("%v/%s", tt.err, method), func(t *testing.T) {
				b := newBench(testCreds)
				b.hub.fail = map[string]error{"c": &sumu.Error{Op: "post c", Kind: tt.err, Err: errSecretInside}}
				r := sdkSign(t, newRequest(t, method, "https://gw/@connections/c", ""), testCreds, hashOf(""), signedAt)
				w := b.do(overWire(t, r))
				wantError(t, w, tt.status, tt.code, "")
				if strings.Contains(w.Body.String(), errSecretInside.Error()) {
					t.Errorf("the answer tells the cause: %s", w.Body)
				}
				if got := strings.Contains(b.log.String(), "level=ERROR"); got != (tt.status >= 500) {
					t.Errorf("logged as an error: %v\n%s", got, b.log)
				}
			})
		}
	}
}

// countingBody tells how much of a body was asked for.
type countingBody struct {
	io.Reader
	read int
}

func (c *countingBody) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.read += n
	return n, err
}

func (c *countingBody) Close() error { return nil }

func TestManagementPayloadSize(t *testing.T) {
	for _, tt := range []struct {
		name     string
		size     int
		length   int64 // what Content-Length says; -1: chunked
		wantRead int   // at most
		posted   bool
	}{
		{"the largest", sumu.MaxPayload, sumu.MaxPayload, sumu.MaxPayload, true},
		{"the largest, chunked", sumu.MaxPayload, -1, sumu.MaxPayload, true},
		{"one byte more", sumu.MaxPayload + 1, sumu.MaxPayload + 1, 0, false},
		{"one byte more, chunked", sumu.MaxPayload + 1, -1, sumu.MaxPayload + 1, false},
		{"a huge length", 10, 1 << 40, 0, false},
		{"endless", 64 << 20, -1, sumu.MaxPayload + 1, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(testCreds)
			payload := strings.Repeat("x", tt.size)
			r := newRequest(t, "POST", "https://gw/@connections/c", payload)
			if tt.length < 0 {
				r.ContentLength = 0 // So that the length is not signed.
			} else {
				r.ContentLength = tt.length
			}
			sdkSign(t, r, testCreds, hashOf(payload), signedAt)
			body := &countingBody{Reader: strings.NewReader(payload)}
			r.Body, r.ContentLength, r.RequestURI = body, tt.length, "/@connections/c"
			w := b.do(r)
			if tt.posted {
				if calls := b.hub.taken(); w.Code != 200 || len(calls) != 1 || calls[0] != "post c "+payload {
					t.Errorf("got %d, %d calls; want the payload posted", w.Code, len(calls))
				}
			} else {
				wantError(t, w, 413, "PayloadTooLargeException", "131072")
				if calls := b.hub.taken(); len(calls) != 0 {
					t.Errorf("posted %d", len(calls))
				}
			}
			if body.read > tt.wantRead {
				t.Errorf("read %d bytes, want at most %d", body.read, tt.wantRead)
			}
		})
	}
}

// A length is only a claim: what is allocated follows what has come.
func TestManagementAllocatesAsBytesCome(t *testing.T) {
	r := httptest.NewRequest("POST", "/@connections/c", nil)
	r.ContentLength = sumu.MaxPayload
	var asked int
	r.Body = io.NopCloser(readerFunc(func(p []byte) (int, error) {
		asked = len(p)
		return 0, io.ErrUnexpectedEOF
	}))
	if _, err := readBody(r, sumu.MaxPayload, errTooLarge); !errors.Is(err, errBadBody) {
		t.Errorf("got %v, want %v", err, errBadBody)
	}
	if asked > 8<<10 {
		t.Errorf("a buffer of %d bytes before any has come", asked)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestManagementBodyCutShort(t *testing.T) {
	b := newBench(testCreds)
	r := signedPost(t, "hello")
	r.Body = io.NopCloser(io.MultiReader(strings.NewReader("hello"), readerFunc(func([]byte) (int, error) {
		return 0, io.ErrUnexpectedEOF
	})))
	wantError(t, b.do(r), 408, "RequestTimeoutException", "body")
	if calls := b.hub.taken(); len(calls) != 0 {
		t.Errorf("posted %q", calls)
	}
}

// A payload outlives its request in the queue of a socket: the next request
// must not write over it.
func TestManagementPayloadIsItsOwn(t *testing.T) {
	b := newBench(testCreds)
	kept := &keeper{fakeHub: b.hub}
	b.conns = kept
	for _, body := range []string{"first", "other"} {
		b.do(overWire(t, signedPost(t, body)))
	}
	if len(kept.payloads) != 2 || string(kept.payloads[0].Bytes()) != "first" || string(kept.payloads[1].Bytes()) != "other" {
		t.Errorf("kept %v", kept.payloads)
	}
}

type keeper struct {
	*fakeHub
	payloads []*sumu.Payload
}

func (k *keeper) post(_ string, p *sumu.Payload) error {
	k.payloads = append(k.payloads, p)
	return nil
}

// Keys are cached and replaced while others verify with them.
func TestManagementConcurrently(t *testing.T) {
	b := newBench(with(func(c *Credentials) { c.Region = "" }))
	b.conns = discard{}
	var wg sync.WaitGroup
	for i := range 8 {
		creds := with(func(c *Credentials) { c.Region = []string{"eu-west-1", "us-east-1"}[i%2] })
		wg.Go(func() {
			for range 50 {
				r := sdkSign(t, newRequest(t, "POST", "https://gw/@connections/c", "x"), creds, hashOf("x"), signedAt)
				if w := b.do(r); w.Code != http.StatusOK {
					t.Errorf("%d %s", w.Code, w.Body)
				}
			}
		})
	}
	wg.Wait()
}

type discard struct{ connections }

func (discard) post(string, *sumu.Payload) error { return nil }
func (discard) possible(string) bool             { return true }
