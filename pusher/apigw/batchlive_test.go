package apigw_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/ws"
	"github.com/sumu-live/sumu/internal/ws/wstest"
	"github.com/sumu-live/sumu/pusher"
	"github.com/sumu-live/sumu/pusher/apigw"
)

// A push to sockets of a gateway is one signed request, also over HTTP/2.
func TestPushInBatches(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		t.Run(fmt.Sprint("HTTP/2 ", http2), func(t *testing.T) {
			l := newLive(t, http2)
			var clients []*wstest.Conn
			for i := range 8 {
				client, row := l.connect(t, fmt.Sprint("u", i))
				row.Endpoint = l.api.URL + "/prod"
				if err := l.store.Put(t.Context(), row); err != nil {
					t.Fatal(err)
				}
				clients = append(clients, client)
			}
			err := l.store.Put(t.Context(), sumu.Connection{UserID: "old", ID: "old1", Endpoint: l.api.URL + "/prod", ConnectedAt: time.Now().Add(-time.Hour)})
			if err != nil {
				t.Fatal(err)
			}
			handler, requests := l.api.Config.Handler, new(atomic.Int64)
			l.api.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				requests.Add(1)
				handler.ServeHTTP(w, r)
			})
			s := l.sender(t, func(o *apigw.Options) { o.NodeHosts = []string{"127.0.0.1:*"} })
			push, err := pusher.New(l.store, s)
			if err != nil {
				t.Fatal(err)
			}
			results, err := push.Push(t.Context(), sumu.Notification{ID: "n", Everyone: true, Data: []byte(`"é"`)})
			if err != nil {
				t.Fatal(err)
			}
			if r := results[0]; r.Delivered != 8 || r.Gone != 1 || r.Targets != 9 {
				t.Errorf("got %+v", r)
			}
			for _, c := range clients {
				if got := c.Expect(ws.Text); got != `"é"` {
					t.Errorf("client got %q", got)
				}
			}
			if requests.Load() != 1 {
				t.Errorf("%d requests for one payload and one node", requests.Load())
			}
			if live, err := l.store.HasLive(t.Context(), "old"); err != nil || live {
				t.Errorf("the row of what is gone is there: %v, %v", live, err)
			}
		})
	}
}

// A host that takes no batches, whatever it says instead, loses no target.
func TestPushToWhatTakesNoBatches(t *testing.T) {
	for _, status := range []int{301, 400, 401, 403, 404, 405, 410, 413, 501} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			l := newLive(t, false)
			client, row := l.connect(t, "ann")
			second, row2 := l.connect(t, "bob")
			api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, "/@connections") {
					w.WriteHeader(status)
					return
				}
				l.api.Config.Handler.ServeHTTP(w, r)
			}))
			t.Cleanup(api.Close)
			for _, c := range []sumu.Connection{row, row2} {
				c.Endpoint = api.URL + "/prod"
				if err := l.store.Put(t.Context(), c); err != nil {
					t.Fatal(err)
				}
			}
			s := newSender(t, func(o *apigw.Options) { o.NodeHosts = []string{"127.0.0.1:*"} })
			push, err := pusher.New(l.store, s, func(o *pusher.Options) { o.Tries, o.Attempts = 1, 1 })
			if err != nil {
				t.Fatal(err)
			}
			for i := range 2 { // Again without a batch.
				results, err := push.Push(t.Context(), sumu.Notification{ID: "n", Everyone: true, Data: fmt.Append(nil, i)})
				if err != nil || results[0].Delivered != 2 {
					t.Fatalf("got %+v, %v", results[0], err)
				}
				for _, c := range []*wstest.Conn{client, second} {
					if got := c.Expect(ws.Text); got != fmt.Sprint(i) {
						t.Errorf("client got %q", got)
					}
				}
			}
		})
	}
}

// A wrong secret is a fault of configuration: the push stops and prunes nothing.
func TestPushInBatchesForbidden(t *testing.T) {
	l := newLive(t, false)
	_, row := l.connect(t, "ann")
	row.Endpoint, row.ConnectedAt = l.api.URL+"/prod", time.Now().Add(-time.Hour)
	for _, id := range []string{row.ID, "c1", "c2", "c3"} {
		row.ID = id
		if err := l.store.Put(t.Context(), row); err != nil {
			t.Fatal(err)
		}
	}
	creds := testCreds
	creds.SecretAccessKey = "other"
	s, err := apigw.New(static(creds), "eu-west-1", func(o *apigw.Options) { o.NodeHosts = []string{"127.0.0.1:*"} })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	push, err := pusher.New(l.store, s)
	if err != nil {
		t.Fatal(err)
	}
	results, err := push.Push(t.Context(), sumu.Notification{ID: "n", Users: []string{"ann"}, Data: []byte(`1`)})
	r := results[0]
	if r.Delivered+r.Gone+r.Failed != 0 || r.Requeued != 4 || len(r.Remainder) == 0 {
		t.Errorf("got %+v, %v", r, err)
	}
	if live, err := l.store.HasLive(t.Context(), "ann"); err != nil || !live {
		t.Errorf("rows were pruned: %v", err)
	}
}

// FuzzBatchAnswer: whatever a node answers, each connection has one outcome,
// and is gone only if the answer names it.
func FuzzBatchAnswer(f *testing.F) {
	for _, seed := range []string{
		`{"gone":["a"],"throttled":["b"]}`, `{"gone":[],"throttled":[]}`, `{"gone":null,"throttled":[]}`,
		`{"gone":["a","a"],"throttled":["a"]}`, `{"Gone":["x"],"throttled":[]}`, `[]`, ``, `{"gone":["\u0061"],"throttled":[]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		outcomes := apigw.ReadBatchAnswer([]string{"a", "b"}, body)
		for i, id := range []string{"a", "b"} {
			switch kind := kindOf(outcomes[i]); kind {
			case nil, sumu.ErrThrottled, sumu.ErrUnavailable:
			case sumu.ErrGone:
				if !strings.Contains(string(body), id) && !strings.Contains(string(body), `\u`) {
					t.Fatalf("%s is gone by %q", id, body)
				}
			default:
				t.Fatalf("%s: %v by %q", id, outcomes[i], body)
			}
		}
		if outcomes[0] == nil && outcomes[1] == nil && !strings.Contains(strings.ToLower(string(body)), "gone") && !strings.Contains(string(body), `\u`) {
			t.Fatalf("all is delivered by %q", body)
		}
	})
}
