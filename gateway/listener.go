package gateway

import (
	"net"
	"slices"
	"sync"
	"time"
)

const (
	// headPatience is how long a listener waits for the head of the first
	// request, as [Server]'s ReadHeaderTimeout; then net/http waits.
	headPatience = 5 * time.Second
	// maxWaiting bounds the connections for whose head a listener waits.
	maxWaiting = 4096
)

// Listener returns a listener for an [net/http.Server] that opens WebSockets
// itself, for four fifths of the CPU that net/http takes to connect one, and
// gives the server all that is not the usual handshake for one of the paths:
//
//	mux.Handle("/ws", gw)
//	mux.Handle("/", pages)
//	err = gateway.Server(mux).Serve(gw.Listener(ln, "/ws"))
//
// Each path is compared with that of the request, byte for byte, at any host.
// The server's handler must know the paths too: handshakes come to it over TLS,
// over connections that had another request before, and in any form that
// browsers do not send, and so does whatever is malformed, has a line that ends
// in LF alone, is cut into more than four parts, slow, or over 16 KiB. Such
// connections work as without this listener; [net/http.Server.ConnState] and
// ConnContext see one that wraps a [net.TCPConn].
//
// What is opened here does not pass the server's handler: middleware around the
// Gateway, ConnContext and BaseContext are not asked, and its log is not
// written. A panic of the authorizer or of an observer is logged to
// [Options.Logger]. A refusal is the same, and afterwards the server has the
// connection. What bounds connections, such as a LimitListener, goes inside, as
// ln: this listener accepts all that ln does.
//
// Up to 4,096 connections wait here for the head of a request, 5 s for each of
// at most four parts; then, and beyond that number, they wait in the server, for
// its ReadHeaderTimeout.
// Close closes those that wait here; [Gateway.Shutdown] ends the rest. Errors
// of ln.Accept are returned by Accept.
func (g *Gateway) Listener(ln net.Listener, paths ...string) net.Listener {
	return &listener{
		Listener: ln,
		g:        g,
		paths:    slices.Clone(paths),
		patience: headPatience,
		most:     maxWaiting,
		handed:   make(chan net.Conn),
		failed:   make(chan error),
		closed:   make(chan struct{}),
	}
}

type listener struct {
	net.Listener
	g        *Gateway
	paths    []string
	patience time.Duration
	most     int
	step     int // how much is read at a time; 0: what is there

	handed chan net.Conn // to the server
	failed chan error    // to the server
	closed chan struct{}

	started sync.Once
	ended   sync.Once
	err     error          // of Close
	heads   sync.WaitGroup // the loop, and connections before the gateway has them

	mu      sync.Mutex
	stopped bool
	waiting map[*arrival]struct{}
}

// Accept returns the next connection that is the server's.
func (l *listener) Accept() (net.Conn, error) {
	l.started.Do(func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if !l.stopped {
			l.heads.Go(l.loop)
		}
	})
	select {
	case <-l.closed: // Before what might be there as well.
		return nil, net.ErrClosed
	default:
	}
	select {
	case nc := <-l.handed:
		return nc, nil
	case err := <-l.failed:
		return nil, err
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close closes the listener and the connections that wait for a request.
func (l *listener) Close() error {
	l.ended.Do(func() {
		l.mu.Lock()
		l.stopped = true
		close(l.closed)
		for a := range l.waiting {
			_ = a.nc.SetReadDeadline(time.Unix(1, 0))
		}
		l.mu.Unlock()
		l.err = l.Listener.Close()
		l.heads.Wait()
	})
	return l.err
}

func (l *listener) loop() {
	for {
		nc, err := l.Listener.Accept()
		if err != nil {
			// The server waits before it asks again, and so do we: for it to ask.
			select {
			case l.failed <- err:
				continue
			case <-l.closed:
				return
			}
		}
		if a := newArrival(l, nc); a != nil {
			l.heads.Add(1)
			go a.serve()
		} else {
			l.hand(nc)
		}
	}
}

// hand gives a connection to the server.
func (l *listener) hand(nc net.Conn) {
	select {
	case l.handed <- nc:
	case <-l.closed:
		_ = nc.Close()
	}
}

// await has a connection waited for; false: it is not. mu keeps Close from
// coming between.
func (l *listener) await(a *arrival) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped || len(l.waiting) >= l.most {
		return false
	}
	if l.waiting == nil {
		l.waiting = make(map[*arrival]struct{})
	}
	l.waiting[a] = struct{}{}
	return a.nc.SetReadDeadline(time.Now().Add(l.patience)) == nil
}

// awaited ends it. The deadline goes in any case: what has come before Close may
// become a socket.
func (l *listener) awaited(a *arrival) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.waiting, a)
	_ = a.nc.SetReadDeadline(time.Time{})
}
