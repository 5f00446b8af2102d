package apigw_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/nodeapi"
	"github.com/sumu-live/sumu/pusher/apigw"
)

// node is a Sender whose server counts as a node of ours.
func node(t *testing.T, srv *httptest.Server, optFns ...func(*apigw.Options)) (*apigw.Sender, []sumu.Connection) {
	t.Helper()
	s := newSender(t, append([]func(*apigw.Options){func(o *apigw.Options) {
		o.NodeHosts = []string{"127.0.0.1:*"}
	}}, optFns...)...)
	var conns []sumu.Connection
	for _, id := range []string{testID, "b/é=", "c"} {
		conns = append(conns, sumu.Connection{UserID: "ann", ID: id, Endpoint: srv.URL + "/node-1"})
	}
	return s, conns
}

func TestPostBatch(t *testing.T) {
	var requests atomic.Int64
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Method != http.MethodPost || r.URL.Path != "/node-1/@connections" {
			t.Errorf("%s %s: %v", r.Method, r.URL.Path, err)
		}
		b, err := nodeapi.Decode(body)
		if err != nil || len(b.Posts) != 1 || b.Posts[0].Data != "<\"payload\">\n€" || len(b.Posts[0].Connections) != 3 {
			t.Errorf("body %s: %v", body, err)
		}
		_, _ = io.WriteString(w, `{"gone":["b/é="],"throttled":["c"]}`)
	})
	s, conns := node(t, srv)
	if n := s.MaxBatch(conns[0]); n != nodeapi.MaxConnections {
		t.Errorf("MaxBatch is %d", n)
	}
	got := s.PostBatch(t.Context(), conns, payload(t, "<\"payload\">\n€"))
	for i, want := range []error{nil, sumu.ErrGone, sumu.ErrThrottled} {
		if kindOf(got[i]) != want {
			t.Errorf("outcome %d is %v, want %v", i, got[i], want)
		}
	}
	var answer *apigw.ResponseError
	if !errors.As(got[1], &answer) || answer.Status != http.StatusGone || got[1].Error() != "post b/é=: connection gone: status 410" {
		t.Errorf("the cause is %v", got[1])
	}
	if requests.Load() != 1 {
		t.Errorf("%d requests", requests.Load())
	}
	if got := s.PostBatch(t.Context(), nil, payload(t, "x")); len(got) != 0 {
		t.Errorf("outcomes for nobody: %v", got)
	}
}

// What a node answers as a whole. A refusal never stands for gone, for what
// cannot be tried again, or for a fault of configuration: single posts tell.
func TestPostBatchAnswers(t *testing.T) {
	const html, fine = "text/html", `{"gone":[],"throttled":[]}`
	for name, tt := range map[string]struct {
		status       int
		header, body string
		want         error
		paused       bool
	}{
		"fine":                 {200, "", fine, nil, false},
		"other members":        {200, "", `{"gone":[],"throttled":[],"more":1}`, nil, false},
		"no body":              {200, "", ``, sumu.ErrUnavailable, true},
		"no object":            {200, "", `[]`, sumu.ErrUnavailable, true},
		"another object":       {200, "", `{"ok":true}`, sumu.ErrUnavailable, true},
		"half":                 {200, "", `{"gone":[]}`, sumu.ErrUnavailable, true},
		"null":                 {200, "", `{"gone":null,"throttled":[]}`, sumu.ErrUnavailable, true},
		"another's connection": {200, "", `{"gone":["zzz"],"throttled":[]}`, sumu.ErrUnavailable, true},
		"a page":               {200, html, fine, sumu.ErrUnavailable, true},
		"cut":                  {200, "cut", fine, sumu.ErrUnavailable, false},
		"moved":                {302, "", ``, sumu.ErrUnsupported, true},
		"bad":                  {400, "", `{"message":"Invalid connectionId: @connections"}`, sumu.ErrUnsupported, true},
		"unauthorized":         {401, "", ``, sumu.ErrUnsupported, true},
		"forbidden":            {403, "", `{"message":"Forbidden"}`, sumu.ErrUnsupported, true},
		"expired":              {403, "ExpiredTokenException", ``, sumu.ErrUnavailable, false},
		"not found":            {404, "", ``, sumu.ErrUnsupported, true},
		"not allowed":          {405, "", ``, sumu.ErrUnsupported, true},
		"timeout":              {408, "", ``, sumu.ErrUnavailable, false},
		"gone":                 {410, "GoneException", ``, sumu.ErrUnsupported, true},
		"too large":            {413, "", ``, sumu.ErrUnsupported, true},
		"throttled":            {429, "", ``, sumu.ErrThrottled, false},
		"error":                {500, "", ``, sumu.ErrUnavailable, false},
		"not implemented":      {501, "", ``, sumu.ErrUnsupported, true},
		"bad gateway":          {502, html, `<h1>`, sumu.ErrUnavailable, false},
	} {
		t.Run(name, func(t *testing.T) {
			srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				switch tt.header {
				case html:
					w.Header().Set("Content-Type", html)
				case "cut":
					w.Header().Set("Content-Length", "100")
				default:
					w.Header().Set("X-Amzn-Errortype", tt.header)
				}
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
			})
			now := time.Now()
			s, conns := node(t, srv, func(o *apigw.Options) { o.Now = func() time.Time { return now } })
			for i, err := range s.PostBatch(t.Context(), conns, payload(t, testText)) {
				if kindOf(err) != tt.want || (err == nil) != (tt.want == nil) {
					t.Errorf("outcome %d is %v, want %v", i, err, tt.want)
				}
				if err != nil {
					wantNoSecret(t, err.Error())
				}
			}
			if paused := s.MaxBatch(conns[0]) == 0; paused != tt.paused {
				t.Errorf("it gets no more batches: %t, want %t", paused, tt.paused)
			}
			if now = now.Add(61 * time.Second); s.MaxBatch(conns[0]) == 0 {
				t.Error("it gets no batches a minute later")
			}
		})
	}
	t.Run("nobody", func(t *testing.T) {
		srv := serve(t, func(http.ResponseWriter, *http.Request) {})
		s, conns := node(t, srv)
		srv.Close()
		for _, err := range s.PostBatch(t.Context(), conns, payload(t, testText)) {
			if kindOf(err) != sumu.ErrUnavailable {
				t.Errorf("got %v", err)
			}
		}
	})
}

// Batches are for hosts that are known to be nodes, and never for API Gateway.
func TestMaxBatch(t *testing.T) {
	s := newSender(t, at("https://abc123.execute-api.us-east-1.amazonaws.com/prod"), func(o *apigw.Options) {
		o.AllowedHosts = []string{"ws.example.com"}
		o.NodeHosts = []string{"10.0.0.0/16:8080", "*.nodes.example.com", "*.execute-api.us-east-1.amazonaws.com"}
	})
	for endpoint, want := range map[string]int{
		"":                            0,
		"https://ws.example.com/prod": 0,
		"https://evil.example/prod":   0,
		"http://10.0.3.4:8080/prod":   0, // Not encrypted.
		"https://10.0.3.4:8080/node-aaaaaaaaaaaaa":                10_000,
		"https://10.0.3.4/prod":                                   0,
		"https://a.nodes.example.com/prod":                        10_000,
		"https://xyz789.execute-api.us-east-1.amazonaws.com/prod": 0,
		"https://abc123.execute-api.us-east-1.amazonaws.com/prod": 0,
		"https://user:pass@a.nodes.example.com/prod":              0,
	} {
		if got := s.MaxBatch(sumu.Connection{ID: "c", Endpoint: endpoint}); got != want {
			t.Errorf("%s: %d, want %d", endpoint, got, want)
		}
	}
	if _, err := apigw.New(static(testCreds), "eu-west-1", func(o *apigw.Options) { o.NodeHosts = []string{"*.com"} }); err == nil ||
		!strings.Contains(err.Error(), "NodeHosts") {
		t.Errorf("a host that is none: %v", err)
	}
}

// However the connections are, each request is one that a node takes, and each
// connection is in one.
func TestPostBatchSplits(t *testing.T) {
	var requests, named atomic.Int64
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		b, err := nodeapi.Decode(body)
		if err != nil {
			t.Error(err)
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		requests.Add(1)
		named.Add(int64(len(b.Posts[0].Connections)))
		_ = json.NewEncoder(w).Encode(nodeapi.Result{Gone: []string{}, Throttled: []string{}})
	})
	endpoint := srv.URL + "/node-1"
	many := func(n int, id string) (conns []sumu.Connection) {
		for i := range n {
			conns = append(conns, sumu.Connection{ID: fmt.Sprint(i, id), Endpoint: endpoint})
		}
		return conns
	}
	twice := append(many(3, ""), many(3, "")...)
	odd := append(many(2, ""), sumu.Connection{ID: "", Endpoint: endpoint}, sumu.Connection{ID: "x", Endpoint: srv.URL + "/node-2"},
		sumu.Connection{ID: "\xff", Endpoint: endpoint})
	for name, tt := range map[string]struct {
		conns           []sumu.Connection
		text            string
		requests, named int64
	}{
		"many":       {many(25_000, ""), "x", 3, 25_000},
		"long ids":   {many(3000, strings.Repeat("x", 1000)), "x", 3, 3000},
		"long data":  {many(6000, ""), strings.Repeat("\x01", sumu.MaxPayload), 1, 6000},
		"both":       {many(600, strings.Repeat("x", 1000)), strings.Repeat("\x01", sumu.MaxPayload), 3, 600},
		"twice":      {twice, "x", 2, 6},
		"odd":        {odd, "x", 1, 2},
		"not UTF-8":  {many(3, ""), "\xff", 0, 0},
		"no payload": {many(3, ""), "", 1, 3},
	} {
		t.Run(name, func(t *testing.T) {
			requests.Store(0)
			named.Store(0)
			s, _ := node(t, srv)
			delivered := int64(0)
			for _, err := range s.PostBatch(t.Context(), tt.conns, payload(t, tt.text)) {
				switch kindOf(err) {
				case nil:
					delivered++
				case sumu.ErrInvalid, sumu.ErrUnsupported:
				default:
					t.Fatal(err)
				}
			}
			if requests.Load() != tt.requests || named.Load() != tt.named || delivered != tt.named {
				t.Errorf("%d requests named %d, %d delivered; want %d, %d", requests.Load(), named.Load(), delivered, tt.requests, tt.named)
			}
		})
	}
}
