package gateway_test

import (
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// proxy stands between clients and a server. Once it is halted it forwards
// nothing, in either direction, and neither end is told: both connections stay
// open, and what is sent to it is acknowledged and lost.
type proxy struct {
	url    string
	server string
	halted atomic.Bool
	copies sync.WaitGroup

	mu    sync.Mutex
	conns []net.Conn
}

// startProxy runs a proxy until the test ends.
func startProxy(t *testing.T, serverURL string) *proxy {
	t.Helper()
	scheme, server, _ := strings.Cut(serverURL, "://")
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{url: scheme + "://" + ln.Addr().String(), server: server}
	p.copies.Go(func() { p.accept(ln) })
	t.Cleanup(func() {
		_ = ln.Close()
		p.mu.Lock()
		for _, nc := range p.conns {
			_ = nc.Close()
		}
		p.mu.Unlock()
		p.copies.Wait()
	})
	return p
}

func (p *proxy) halt() { p.halted.Store(true) }

func (p *proxy) accept(ln net.Listener) {
	for {
		client, err := ln.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.server)
		if err != nil {
			_ = client.Close()
			continue
		}
		p.mu.Lock()
		p.conns = append(p.conns, client, server)
		p.mu.Unlock()
		p.copies.Go(func() { p.forward(client, server) })
		p.copies.Go(func() { p.forward(server, client) })
	}
}

// forward ends with the connection that it reads, and ends the other one then,
// unless the proxy is halted.
func (p *proxy) forward(from, to net.Conn) {
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		if n > 0 && !p.halted.Load() {
			_, _ = to.Write(b[:n])
		}
		if err != nil {
			break
		}
	}
	if !p.halted.Load() {
		_ = to.Close()
	}
}
