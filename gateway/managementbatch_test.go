package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/nodeapi"
)

// signedBatch is a POST of several posts that verifies.
func signedBatch(tb testing.TB, url, body string) *http.Request {
	tb.Helper()
	r := newRequest(tb, http.MethodPost, url, body)
	return overWire(tb, sdkSign(tb, r, testCreds, hashOf(body), signedAt))
}

func encode(tb testing.TB, b nodeapi.Batch) string {
	tb.Helper()
	body, err := json.Marshal(b)
	if err != nil {
		tb.Fatal(err)
	}
	return string(body)
}

func TestManagementBatch(t *testing.T) {
	for _, url := range []string{"https://gw/@connections", "https://gw/prod/%40connections", "https://gw/prod/node-1/@connections"} {
		t.Run(url, func(t *testing.T) {
			b := newBench(testCreds)
			b.hub.fail = map[string]error{
				"gone": sumu.ErrGone, "gone2": &sumu.Error{Kind: sumu.ErrGone}, "full": sumu.ErrThrottled, "odd": errors.New("odd"),
			}
			w := b.do(signedBatch(t, url, encode(t, nodeapi.Batch{Posts: []nodeapi.Post{
				{Connections: []string{"a", "gone", "b", "full"}, Data: `{"é":1}`},
				{Connections: []string{"c", "gone2", "odd"}, Data: ""},
			}})))
			if w.Code != 200 || w.Body.String() != `{"gone":["gone","gone2"],"throttled":["full","odd"]}` {
				t.Errorf("got %d %s", w.Code, w.Body)
			}
			want := []string{`post a {"é":1}`, `post gone {"é":1}`, `post b {"é":1}`, `post full {"é":1}`, "post c ", "post gone2 ", "post odd "}
			if calls := b.hub.taken(); !slices.Equal(calls, want) {
				t.Errorf("hub was asked for %q, want %q", calls, want)
			}
		})
	}
}

// Without any that is gone or throttled the lists are empty, not null.
func TestManagementBatchAllTaken(t *testing.T) {
	b := newBench(testCreds)
	w := b.do(signedBatch(t, "https://gw/@connections", `{"posts":[{"connections":["a"],"data":"x"}]}`))
	if w.Code != 200 || w.Body.String() != `{"gone":[],"throttled":[]}` {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

func TestManagementBatchRefused(t *testing.T) {
	long := strings.Repeat("x", sumu.MaxPayload+1)
	for _, tt := range []struct {
		name, body    string
		status        int
		code, message string
	}{
		{"not JSON", "x", 400, "BadRequestException", "not JSON"},
		{"one bad post", `{"posts":[{"connections":["a"],"data":"x"},{"connections":[],"data":"x"}]}`, 400, "BadRequestException", "posts[1].connections is empty"},
		{"data too long", `{"posts":[{"connections":["a"],"data":"` + long + `"}]}`, 413, "PayloadTooLargeException", "posts[0].data has 131073 bytes"},
		{"body too long", strings.Repeat(" ", nodeapi.MaxBody+1), 413, "PayloadTooLargeException", "1048576"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(testCreds)
			wantError(t, b.do(signedBatch(t, "https://gw/@connections", tt.body)), tt.status, tt.code, tt.message)
			if calls := b.hub.taken(); len(calls) != 0 {
				t.Errorf("hub was asked for %q", calls)
			}
		})
	}
}

// A batch is signed like everything else.
func TestManagementBatchMustBeSigned(t *testing.T) {
	b := newBench(testCreds)
	body := `{"posts":[{"connections":["a"],"data":"x"}]}`
	forged := signedBatch(t, "https://gw/@connections", body)
	forged.Body = http.NoBody
	unsigned := signedBatch(t, "https://gw/@connections", body)
	unsigned.Header.Del("Authorization")
	stranger := overWire(t, sdkSign(t, newRequest(t, "POST", "https://gw/@connections", body),
		with(func(c *Credentials) { c.SecretAccessKey = "another" }), hashOf(body), signedAt))
	for _, r := range []*http.Request{forged, unsigned, stranger} {
		wantError(t, b.do(r), 403, "ForbiddenException", "")
	}
	if calls := b.hub.taken(); len(calls) != 0 {
		t.Errorf("hub was asked for %q", calls)
	}
}

// The messages of a batch share their frames, and outlive the request.
func TestManagementBatchPayloads(t *testing.T) {
	b := newBench(testCreds)
	kept := &keeper{fakeHub: b.hub}
	b.conns = kept
	b.do(signedBatch(t, "https://gw/@connections", `{"posts":[{"connections":["a","b"],"data":"x"},{"connections":["c"],"data":"y"}]}`))
	if len(kept.payloads) != 3 || kept.payloads[0] != kept.payloads[1] || kept.payloads[0] == kept.payloads[2] {
		t.Errorf("kept %v", kept.payloads)
	}
}

// One request for many sockets: what it costs for each.
func BenchmarkManagementBatch(b *testing.B) {
	const n = 5000
	var batch nodeapi.Batch
	batch.Posts = []nodeapi.Post{{Data: strings.Repeat("x", 256)}}
	for i := range n {
		batch.Posts[0].Connections = append(batch.Posts[0].Connections, fmt.Sprintf("L0SM9cOFv%05d=", i))
	}
	body := encode(b, batch)
	m := newBench(testCreds)
	m.conns = discard{}
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		r := signedBatch(b, "https://gw/@connections", body)
		b.StartTimer()
		if w := m.do(r); w.Code != 200 {
			b.Fatal(w.Code, w.Body)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/connection")
}
