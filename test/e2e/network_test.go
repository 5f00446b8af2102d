package e2e

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// network is a TCP forwarder to one server, which can be cut.
type network struct {
	addr    string
	carried atomic.Int64 // bytes, in both directions

	mu    sync.Mutex
	conns map[net.Conn]struct{}
}

// listen starts a forwarder to target; it ends with the test.
func listen(t *testing.T, target string) *network {
	t.Helper()
	ln, err := net.Listen("tcp", anyPort)
	if err != nil {
		t.Fatal(err)
	}
	n := &network{addr: ln.Addr().String(), conns: make(map[net.Conn]struct{})}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			client, err := ln.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", target)
			if err != nil {
				client.Close()
				continue
			}
			n.add(client, server)
			wg.Go(func() { n.pipe(client, server) })
			wg.Go(func() { n.pipe(server, client) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		n.cut()
		wg.Wait()
	})
	return n
}

func (n *network) add(conns ...net.Conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range conns {
		n.conns[c] = struct{}{}
	}
}

// Write counts what is carried, before it is.
func (n *network) Write(b []byte) (int, error) {
	n.carried.Add(int64(len(b)))
	return len(b), nil
}

func (n *network) pipe(to, from net.Conn) {
	_, _ = io.Copy(to, io.TeeReader(from, n))
	to.Close()
	from.Close()
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.conns, from)
}

// cut resets every connection that is open now.
func (n *network) cut() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for c := range n.conns {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		c.Close()
	}
}
