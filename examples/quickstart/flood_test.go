package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sumu-live/sumu/internal/ws"
)

// floodSize is that of one notification's data: a dozen fill a socket's buffer.
const floodSize = 20_000

// A flood that the server cannot deliver as fast as it comes: what was answered
// 202 reaches every reader, once; all else was told to come again.
func TestFlood(t *testing.T) {
	f := flood{readers: 300, posters: 32, posts: 320, stuck: 1, limit: time.Minute}
	if os.Getenv("SUMU_SLOW") != "" {
		f = flood{readers: 1_500, posters: 32, posts: 1_024, stuck: 1, limit: 5 * time.Minute}
	}
	f.run(t)
}

type flood struct {
	readers, posters, posts int
	stuck                   int // sockets that never read
	// limit is how long what was accepted may take to arrive. It keeps a test
	// that waits for what was lost from hanging.
	limit time.Duration

	mu        sync.Mutex
	accepted  map[int]bool
	busy      int // posts answered 503
	delivered atomic.Int64
	last      atomic.Int64  // when, in ns since 1970
	arrived   chan struct{} // gets a token for each delivery, unless it holds one
}

func (f *flood) run(t *testing.T) {
	p := start(t)
	f.accepted, f.arrived = make(map[int]bool), make(chan struct{}, 1)
	for range f.stuck {
		stuck := p.join(t, "stuck")
		defer stuck.conn.Close()
	}
	var reading sync.WaitGroup
	seen := make([][]bool, f.readers)
	people := make([]*person, f.readers)
	for i := range people {
		// All are one user: the flood is not to be one of presence.
		people[i], seen[i] = p.join(t, "reader"), make([]bool, f.posts)
		if err := people[i].conn.SetDeadline(time.Now().Add(2 * f.limit)); err != nil {
			t.Fatal(err)
		}
	}
	for i, who := range people {
		reading.Go(func() { f.read(t, who, seen[i]) })
	}

	began := time.Now()
	var posting sync.WaitGroup
	var next atomic.Int64
	for range f.posters {
		posting.Go(func() {
			for n := int(next.Add(1)) - 1; n < f.posts; n = int(next.Add(1)) - 1 {
				f.post(t, p, n)
			}
		})
	}
	posting.Wait()
	want := int64(len(f.accepted) * f.readers)
	ctx, cancel := context.WithTimeout(t.Context(), f.limit)
	defer cancel()
	for f.delivered.Load() < want && ctx.Err() == nil {
		select {
		case <-f.arrived:
		case <-ctx.Done():
		}
	}
	took := time.Unix(0, f.last.Load()).Sub(began)
	for _, who := range people {
		who.conn.Close()
	}
	reading.Wait()

	if len(f.accepted)+f.busy != f.posts {
		t.Errorf("%d posts: %d answered 202 and %d 503; want all of them", f.posts, len(f.accepted), f.busy)
	}
	if got := f.delivered.Load(); got != want {
		t.Errorf("%d of %d were delivered: %d notifications accepted, %d readers", got, want, len(f.accepted), f.readers)
	}
	for i := range seen {
		for n, got := range seen[i] {
			if got && !f.accepted[n] {
				t.Errorf("reader %d has notification %d, which was refused", i, n)
			}
		}
	}
	t.Logf("%d accepted, %d told to come again, %d deliveries, %.0f a second", len(f.accepted), f.busy, f.delivered.Load(), float64(f.delivered.Load())/took.Seconds())
}

// post sends one notification to everyone.
func (f *flood) post(t *testing.T, p *program, n int) {
	body := fmt.Sprintf(`{"everyone":true,"data":{"type":"flood","n":%d,"pad":"%s"}}`, n, strings.Repeat("x", floodSize))
	resp, err := http.Post(p.url+"/notify", "application/json", strings.NewReader(body))
	if err != nil {
		t.Errorf("post %d was not answered: %v", n, err)
		return
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Errorf("the answer to post %d was cut: %v", n, err)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch resp.StatusCode {
	case http.StatusAccepted:
		f.accepted[n] = true
	case http.StatusServiceUnavailable:
		f.busy++
		if resp.Header.Get("Retry-After") == "" {
			t.Errorf("post %d: 503 without Retry-After", n)
		}
	default:
		t.Errorf("post %d: %s %s", n, resp.Status, answer)
	}
}

// read counts what a reader gets of the flood, until its socket ends.
func (f *flood) read(t *testing.T, who *person, seen []bool) {
	for {
		frame, err := who.conn.Next()
		if err != nil {
			return // The test closes it; what has not arrived is missed there.
		}
		if frame.Opcode != ws.Text || !bytes.HasPrefix(frame.Payload, []byte(`{"type":"flood"`)) {
			continue
		}
		var n int
		if _, err := fmt.Sscanf(string(frame.Payload[:40]), `{"type":"flood","n":%d,`, &n); err != nil {
			t.Errorf("message %.60q: %v", frame.Payload, err)
			return
		}
		if seen[n] {
			t.Errorf("notification %d reached a reader twice", n)
		}
		seen[n] = true
		f.delivered.Add(1)
		f.last.Store(time.Now().UnixNano())
		select {
		case f.arrived <- struct{}{}:
		default:
		}
	}
}
