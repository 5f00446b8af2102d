package gateway

import (
	"io"
	"net"
)

// replayed is a connection of which some bytes were read already: they are read
// first. As with all connections, one goroutine reads at a time.
type replayed struct {
	net.Conn // Not the TCPConn itself, whose WriteTo would pass held by.
	tcp      *net.TCPConn
	held     []byte
}

// Read reads.
func (c *replayed) Read(b []byte) (int, error) {
	if len(c.held) == 0 || len(b) == 0 {
		return c.tcp.Read(b)
	}
	n := copy(b, c.held)
	if c.held = c.held[n:]; len(c.held) == 0 {
		c.held = nil
	}
	return n, nil
}

// CloseWrite is what net/http does before it closes a connection whose client
// may not have read the answer.
func (c *replayed) CloseWrite() error { return c.tcp.CloseWrite() }

// ReadFrom sends a file without copying it.
func (c *replayed) ReadFrom(r io.Reader) (int64, error) { return c.tcp.ReadFrom(r) }

// unwrap returns the connection itself, and what is to be read before it.
func unwrap(nc net.Conn, early []byte) (net.Conn, []byte) {
	if c, ok := nc.(*replayed); ok {
		return c.tcp, append(early, c.held...)
	}
	return nc, early
}
