package apigw_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/leak"
	"github.com/sumu-live/sumu/pusher/apigw"
)

// rawServer answers each connection's first request with what reply writes,
// and then closes it.
func rawServer(t *testing.T, reply func(*net.TCPConn)) string {
	t.Helper()
	leak.Check(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			buf := make([]byte, 64<<10)
			if _, err := c.Read(buf); err == nil {
				if tcp, ok := c.(*net.TCPConn); ok {
					reply(tcp)
				}
			}
			_ = c.Close()
		}
	}()
	t.Cleanup(func() {
		_ = ln.Close()
		<-done
	})
	return "http://" + ln.Addr().String()
}

func TestBrokenAnswers(t *testing.T) {
	for _, tt := range []struct {
		name  string
		reply string
		reset bool
		want  error
	}{
		{"reset", "", true, sumu.ErrUnavailable},
		{"closed", "", false, sumu.ErrUnavailable},
		{"reset in the header", "HTTP/1.1 200 OK\r\nContent-", true, sumu.ErrUnavailable},
		{"closed in the header", "HTTP/1.1 200 OK\r\nContent-Le", false, sumu.ErrUnavailable},
		{"no HTTP", "220 smtp.example.com ESMTP\r\n", false, sumu.ErrUnavailable},
		{"body broken off", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", false, sumu.ErrUnavailable},
		{"chunks broken off", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", false, sumu.ErrUnavailable},
		{"400 broken off", "HTTP/1.1 400 Bad\r\nContent-Length: 100\r\n\r\n{\"message\":\"Invalid conn", false, sumu.ErrUnavailable},
		{"header without end", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 100<<10), false, sumu.ErrUnavailable},
		{"gone is gone, whatever follows", "HTTP/1.1 410 Gone\r\nContent-Length: 100\r\n\r\n{", true, sumu.ErrGone},
	} {
		t.Run(tt.name, func(t *testing.T) {
			url := rawServer(t, func(c *net.TCPConn) {
				_, _ = io.WriteString(c, tt.reply)
				if tt.reset {
					_ = c.SetLinger(0)
				}
			})
			err := post(t, newSender(t, at(url)))
			if tt.name == "gone is gone, whatever follows" && errors.Is(err, sumu.ErrUnavailable) {
				return // The reset may overtake the answer.
			}
			wantKind(t, err, tt.want)
			if tt.want == sumu.ErrUnavailable && !sumu.Retryable(err) {
				t.Errorf("%v is not to be tried again", err)
			}
		})
	}
}

func TestRefusedConnection(t *testing.T) {
	leak.Check(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = ln.Close()
	wantKind(t, post(t, newSender(t, at("http://"+ln.Addr().String()))), sumu.ErrUnavailable)
}

func TestTimeouts(t *testing.T) {
	for name, begin := range map[string]func(http.ResponseWriter){
		"no answer": func(http.ResponseWriter) {},
		"no body": func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "10")
			_ = http.NewResponseController(w).Flush()
		},
		"a body byte by byte": func(w http.ResponseWriter) {
			_, _ = io.WriteString(w, "{")
			_ = http.NewResponseController(w).Flush()
		},
	} {
		t.Run(name, func(t *testing.T) {
			release := make(chan struct{})
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				begin(w)
				select {
				case <-release:
				case <-r.Context().Done():
				}
			})
			t.Cleanup(func() { close(release) })
			sender := newSender(t, at(s.URL), func(o *apigw.Options) { o.Timeout = 30 * time.Millisecond })
			err := post(t, sender)
			wantKind(t, err, sumu.ErrUnavailable)
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the cause of %v is no timeout", err)
			}
			// Without a clock of its own the sender goes by its caller's.
			sender = newSender(t, at(s.URL), func(o *apigw.Options) { o.Timeout = -1 })
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
			defer cancel()
			err = sender.Post(ctx, conn(testID), payload(t, testText))
			wantKind(t, err, sumu.ErrUnavailable)
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the cause of %v is no timeout", err)
			}
		})
	}
}

func TestEndedContext(t *testing.T) {
	var asked atomic.Int64
	s := serve(t, func(http.ResponseWriter, *http.Request) { asked.Add(1) })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := newSender(t, at(s.URL)).Post(ctx, conn(testID), payload(t, testText))
	wantKind(t, err, sumu.ErrUnavailable)
	if !errors.Is(err, context.Canceled) || asked.Load() != 0 {
		t.Errorf("%v after %d requests", err, asked.Load())
	}
}

// A redirect would take payload and session token to another host.
func TestRedirectIsRefused(t *testing.T) {
	var stolen atomic.Int64
	thief := serve(t, func(http.ResponseWriter, *http.Request) { stolen.Add(1) })
	for _, status := range []int{301, 302, 303, 307, 308} {
		s := httptest.NewServer(http.RedirectHandler(thief.URL, status))
		sender := newSender(t, at(s.URL))
		wantKind(t, post(t, sender), sumu.ErrInvalid)
		wantKind(t, sender.Disconnect(t.Context(), conn(testID)), sumu.ErrInvalid)
		_, err := sender.Get(t.Context(), conn(testID))
		wantKind(t, err, sumu.ErrInvalid)
		s.Close()
	}
	if n := stolen.Load(); n != 0 {
		t.Errorf("%d redirects were followed", n)
	}
}

// The server closes the idle connection between two posts: the second is made
// on another, and once.
func TestClosedIdleConnection(t *testing.T) {
	var taken atomic.Int64
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		if b, err := io.ReadAll(r.Body); err == nil && string(b) == testText {
			taken.Add(1)
		}
	})
	sender := newSender(t, at(s.URL))
	const posts = 20
	failed := int64(0)
	for range posts {
		if err := post(t, sender); err != nil {
			wantKind(t, err, sumu.ErrUnavailable) // The race of request and close.
			failed++
		}
		s.CloseClientConnections()
	}
	if n := taken.Load(); n < posts-failed || n > posts {
		t.Errorf("%d posts were taken, of %d with %d failed", n, posts, failed)
	}
}

func TestWhatIsNotSent(t *testing.T) {
	var asked atomic.Int64
	s := serve(t, func(http.ResponseWriter, *http.Request) { asked.Add(1) })
	sender := newSender(t, at(s.URL))
	for _, id := range []string{"", ".", "..", "\xff", strings.Repeat("x", sumu.MaxConnectionID+1)} {
		if err := sender.Post(t.Context(), conn(id), payload(t, testText)); kindOf(err) != sumu.ErrInvalid {
			t.Errorf("id %.10q: %v", id, err)
		}
	}
	if err := sender.Post(t.Context(), conn(testID), nil); kindOf(err) != sumu.ErrInvalid {
		t.Errorf("no payload: %v", err)
	}
	if asked.Load() != 0 {
		t.Errorf("%d requests were made", asked.Load())
	}
}
