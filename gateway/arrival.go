package gateway

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"
	"syscall"
)

// maxHeadReads is in how many parts a head may come: those over one segment of
// TCP come in two or three.
const maxHeadReads = 4

// arrival is a connection that a listener has accepted, until it is a socket or
// the server's.
type arrival struct {
	l   *listener
	nc  *net.TCPConn
	raw syscall.RawConn

	buf    *[16 << 10]byte // nil while waiting
	n      int             // bytes in buf
	held   []byte          // what has come, while waiting for more
	reads  int
	awaits bool // the listener knows that this waits
	err    error

	req http.Request
	url url.URL
}

// newArrival returns nil for a connection that the server must have.
func newArrival(l *listener, nc net.Conn) *arrival {
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		return nil // Such as TLS: the server takes care of its handshake.
	}
	raw := rawConn(tcp)
	if raw == nil {
		return nil
	}
	return &arrival{l: l, nc: tcp, raw: raw}
}

// serve opens a socket or hands the connection on.
func (a *arrival) serve() {
	ours := a.readHead()
	if !ours {
		defer a.l.heads.Done()
		if len(a.held) == 0 && a.err != nil { // Nobody is there.
			_ = a.nc.Close()
			return
		}
		a.hand()
		return
	}
	g := a.l.g
	w := &direct{arrival: a}
	id := newConnectionID()
	err := g.enter()
	if err != nil {
		defer a.l.heads.Done()
	} else {
		defer g.running.done()
		a.l.heads.Done() // From here on it is the gateway that is waited for.
	}
	answered := false
	defer func() {
		if !answered {
			a.recovered(recover())
		}
	}()
	if err != nil {
		g.refuse(w, &a.req, id, err)
	} else {
		g.open(w, &a.req, id)
	}
	answered = true
	w.end()
}

// recovered does what net/http does for a handler that panics, or ends its
// goroutine.
func (a *arrival) recovered(p any) {
	_ = a.nc.Close()
	if p != nil && p != http.ErrAbortHandler {
		a.l.g.opts.Logger.Error("an authorizer or observer panicked", "panic", p, "stack", string(debug.Stack()))
	}
}

// hand gives the connection to the server, which reads from the beginning.
func (a *arrival) hand() {
	if len(a.held) == 0 {
		a.l.hand(a.nc)
		return
	}
	a.l.hand(&replayed{Conn: a.nc, tcp: a.nc, held: a.held})
}

// readHead reports whether the request is one for the gateway; held is what
// came behind it then, else all that has come.
func (a *arrival) readHead() (ours bool) {
	try := a.tryFD
	for {
		err := a.raw.Read(try)
		if a.awaits {
			a.l.awaited(a)
			a.awaits = false
		}
		if a.buf == nil { // Nothing has come: err says so, or too many wait.
			if ne, ok := err.(net.Error); ok && !ne.Timeout() {
				a.err = err
			}
			return false
		}
		a.reads++
		got := a.buf[:a.n]
		ours, more := false, false
		if a.err == nil {
			ours, more = a.parse(got)
			more = more && a.n < len(a.buf) && a.reads < maxHeadReads
		}
		if !ours {
			a.held = bytes.Clone(got)
		}
		readBuffers.Put(a.buf)
		a.buf = nil
		if !more {
			return ours
		}
	}
}

// tryFD is called by [syscall.RawConn]: true ends the call, false waits until
// there is something to read. The buffer is taken for the attempt alone.
func (a *arrival) tryFD(fd uintptr) bool {
	a.buf = readBuffers.Get().(*[16 << 10]byte)
	a.n = copy(a.buf[:], a.held)
	room := a.buf[a.n:]
	if step := a.l.step; step > 0 {
		room = room[:min(step, len(room))]
	}
	n, err := readFD(fd, room)
	if err == errAgain {
		readBuffers.Put(a.buf)
		a.buf = nil
		if a.awaits {
			return false
		}
		a.awaits = a.l.await(a)
		return !a.awaits
	}
	a.n += n
	if n == 0 && err == nil {
		err = io.EOF
	}
	a.err = err
	return true
}

// parse reports whether b begins with a request for the gateway, and whether
// more of b might.
func (a *arrival) parse(b []byte) (ours, more bool) {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		return false, mayBeHead(b)
	}
	h, ok := parseHead(b[:end+len("\r\n")], a.l.paths)
	if !ok {
		return false, false
	}
	a.held = bytes.Clone(b[end+len("\r\n\r\n"):])
	a.url = url.URL{Path: h.path, RawQuery: h.query}
	a.req = http.Request{
		Method: http.MethodGet, URL: &a.url, RequestURI: h.target,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: h.header, Host: h.host, Body: http.NoBody, RemoteAddr: remoteAddr(a.nc),
	}
	return true, false
}

// remoteAddr is that of [http.Request].
func remoteAddr(nc *net.TCPConn) string {
	tcp, ok := nc.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return ""
	}
	at := tcp.AddrPort()
	return netip.AddrPortFrom(at.Addr().Unmap(), at.Port()).String()
}
