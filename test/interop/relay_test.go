package interop

import (
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// relay passes bytes on to a server, and counts them: what is said of frames is
// one thing, what crosses the wire another.
type relay struct {
	url      string
	sent     atomic.Int64 // by clients
	received atomic.Int64 // by clients
}

// startRelay runs one in front of a server until the test ends.
func startRelay(t *testing.T, s *server) *relay {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{url: "ws://" + ln.Addr().String()}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			client, err := ln.Accept()
			if err != nil {
				return
			}
			running.Go(func() { r.pass(t, client, strings.TrimPrefix(s.url, "ws://")) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		running.Wait()
	})
	return r
}

func (r *relay) pass(t *testing.T, client net.Conn, addr string) {
	defer client.Close()
	server, err := net.Dial("tcp", addr)
	if err != nil {
		t.Error(err)
		return
	}
	defer server.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(counted{server, &r.sent}, client)
		_ = server.(*net.TCPConn).CloseWrite()
	}()
	_, _ = io.Copy(counted{client, &r.received}, server)
	_ = client.(*net.TCPConn).CloseWrite()
	<-done
}

// counted counts what is written, before it is.
type counted struct {
	io.Writer
	n *atomic.Int64
}

func (c counted) Write(b []byte) (int, error) {
	c.n.Add(int64(len(b)))
	return c.Writer.Write(b)
}
