package gateway

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/sumu-live/sumu"
)

// signedAt is when the tests' requests are signed. It is near midnight, so
// that a minute more makes another day.
var signedAt = time.Date(2026, 11, 20, 23, 58, 30, 0, time.UTC)

var testCreds = Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "a/secret+of-tests", Region: "eu-west-1"}

// fakeHub records what the management API does to connections. The error that
// it returns is chosen by the id.
type fakeHub struct {
	mu    sync.Mutex
	calls []string // "post id payload", "info id", "disconnect id"
	fail  map[string]error
}

func (h *fakeHub) record(id string, call ...string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls = append(h.calls, strings.Join(call, " "))
	return h.fail[id]
}

func (h *fakeHub) post(id string, p *sumu.Payload) error {
	return h.record(id, "post", id, string(p.Bytes()))
}

func (h *fakeHub) info(id string) (connectionInfo, error) {
	return connectionInfo{
		ConnectedAt:  time.Date(2026, 11, 20, 22, 0, 0, 123456789, time.UTC),
		LastActiveAt: time.Date(2026, 11, 20, 23, 0, 0, 0, time.FixedZone("", 3600)),
		SourceIP:     "192.0.2.7",
		UserAgent:    `agent "7"`,
	}, h.record(id, "info", id)
}

func (h *fakeHub) disconnect(id string, reason sumu.DisconnectReason) error {
	if reason.Code != 0 {
		return h.record(id, "disconnect", id, fmt.Sprint(reason.Code), reason.Text)
	}
	return h.record(id, "disconnect", id)
}

func (h *fakeHub) possible(id string) bool { return !strings.HasPrefix(id, "malformed") }

// taken returns the calls since it was asked last.
func (h *fakeHub) taken() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	calls := h.calls
	h.calls = nil
	return calls
}

// bench is a management API, its hub and its log, at a time of its own.
type bench struct {
	*management
	hub *fakeHub
	log *bytes.Buffer
	at  time.Time
}

func newBench(creds ...Credentials) *bench {
	b := &bench{hub: &fakeHub{}, log: &bytes.Buffer{}, at: signedAt}
	log := slog.New(slog.NewTextHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	b.management = newManagement(b.hub, func() time.Time { return b.at }, log, creds)
	return b
}

func (b *bench) do(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	b.ServeHTTP(w, r)
	return w
}

// newRequest is an unsigned request of a client.
func newRequest(tb testing.TB, method, url, body string) *http.Request {
	tb.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, url, strings.NewReader(body))
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func hashOf(body string) string {
	sum := sha256.Sum256([]byte(body))
	return hex.EncodeToString(sum[:])
}

// sdkSign signs r as the AWS SDK does.
func sdkSign(tb testing.TB, r *http.Request, c Credentials, payloadHash string, at time.Time) *http.Request {
	tb.Helper()
	creds := aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}
	err := v4.NewSigner().SignHTTP(context.Background(), creds, r, payloadHash, "execute-api", c.Region, at)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// signedPost is a POST to connection "c1=" that verifies.
func signedPost(tb testing.TB, body string) *http.Request {
	tb.Helper()
	r := newRequest(tb, http.MethodPost, "https://gw.example.com/prod/@connections/c1%3D", body)
	return sdkSign(tb, r, testCreds, hashOf(body), signedAt)
}

// overWire returns r as a server reads it.
func overWire(tb testing.TB, r *http.Request) *http.Request {
	tb.Helper()
	if r.GetBody != nil { // So that one request can be sent again.
		body, err := r.GetBody()
		if err != nil {
			tb.Fatal(err)
		}
		r.Body = body
	}
	var wire bytes.Buffer
	if err := r.Write(&wire); err != nil {
		tb.Fatal(err)
	}
	got, err := http.ReadRequest(bufio.NewReader(&wire))
	if err != nil {
		tb.Fatal(err)
	}
	got.RemoteAddr = "192.0.2.1:1234"
	return got
}

// resign signs r with the right secret and whatever claim, also one that no
// SDK would make: a case that is refused is so for the claim alone.
func resign(tb testing.TB, r *http.Request, c sigV4Claim) {
	tb.Helper()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		tb.Fatal(err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	hash := c.contentHash
	if hash == "" {
		hash = hashOf(string(body))
	}
	path, _ := requestTarget(r)
	canonical, err := appendCanonicalRequest(nil, r, &c, path, hash)
	if err != nil {
		tb.Fatal(err)
	}
	k := &sigV4Key{Credentials: testCreds}
	signature := hex.EncodeToString(hmacSHA256(k.signingKey(c.date, c.region), c.appendStringToSign(nil, canonical)))
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+c.accessKeyID+"/"+c.date+"/"+c.region+
		"/execute-api/aws4_request, SignedHeaders="+c.signedHeaders+", Signature="+signature)
}

// wantError checks an answer against what an SDK needs of it.
func wantError(tb testing.TB, w *httptest.ResponseRecorder, status int, code, message string) {
	tb.Helper()
	var body map[string]string
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		tb.Errorf("body is not the JSON of an error: %v: %q", err, w.Body)
	}
	if w.Code != status || w.Header().Get("X-Amzn-ErrorType") != code {
		tb.Errorf("got %d %q (%v), want %d %q", w.Code, w.Header().Get("X-Amzn-ErrorType"), body, status, code)
	}
	if len(body) != 1 || !strings.Contains(body["message"], message) {
		tb.Errorf("body is %v, want a message with %q alone", body, message)
	}
	if w.Header().Get("X-Amzn-RequestId") == "" {
		tb.Error("no x-amzn-RequestId")
	}
}

var errSecretInside = errors.New("a cause that stays inside")
