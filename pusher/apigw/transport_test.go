package apigw_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sumu-live/sumu/internal/leak"
	"github.com/sumu-live/sumu/pusher/apigw"
)

// Bursts as wide as MaxConns open their connections once.
func TestConnectionsAreKept(t *testing.T) {
	leak.Check(t)
	const width = 40
	var opened atomic.Int64
	var mu sync.Mutex
	arrived := 0
	release := sync.NewCond(&mu)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		// All of a burst are in flight before one is answered.
		mu.Lock()
		defer mu.Unlock()
		arrived++
		release.Broadcast()
		for round := (arrived - 1) / width; arrived < (round+1)*width; {
			release.Wait()
		}
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	sender := newSender(t, at(s.URL), func(o *apigw.Options) { o.MaxConns = width })
	for range 10 {
		var wg sync.WaitGroup
		for range width {
			wg.Go(func() {
				if err := post(t, sender); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	if n := opened.Load(); n != width {
		t.Errorf("%d connections were opened for bursts of %d", n, width)
	}
}

func TestCloseClosesIdleConnections(t *testing.T) {
	leak.Check(t)
	closed := make(chan struct{})
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateClosed {
			close(closed)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	sender := newSender(t, at(s.URL))
	if err := post(t, sender); err != nil {
		t.Fatal(err)
	}
	sender.Close()
	select {
	case <-closed:
	case <-time.After(10 * time.Second):
		t.Error("the idle connection is still open")
	}
}

// Head and body go out in one write: net/http flushes the head alone before a
// body that it does not know to be in memory.
func TestOneWritePerPost(t *testing.T) {
	leak.Check(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	first := make(chan string, 1)
	go func() {
		c, err := ln.Accept()
		if err != nil {
			first <- err.Error()
			return
		}
		defer c.Close() //nolint:errcheck // The test is over.
		buf := make([]byte, 64<<10)
		n, _ := c.Read(buf)
		first <- string(buf[:n])
		_, _ = c.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
	}()
	t.Cleanup(func() { _ = ln.Close() })
	if err := post(t, newSender(t, at("http://"+ln.Addr().String()))); err != nil {
		t.Error(err)
	}
	if got := <-first; !strings.HasSuffix(got, "\r\n\r\n"+testText) {
		t.Errorf("the first write was %q", got)
	}
}
