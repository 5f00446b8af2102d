package gateway

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"
	"unique"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/ws"
)

// ServeHTTP opens a WebSocket. The upgrade stays pending until the App has
// accepted the connection and written its row. A request that is not accepted
// is answered with 400, 405 or 426 when it is no WebSocket handshake (over
// HTTP/2, which has no upgrade, never with 426), 414 or 431 when it is too long,
// 401 for ErrUnauthorized, 403 for ErrForbidden, 429 for ErrLimit, ErrThrottled,
// too many sockets or too many requests, 503 during a shutdown or without the
// node's lease, and 500 for everything else.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := newConnectionID()
	if err := g.enter(); err != nil {
		g.refuse(w, r, id, err)
		return
	}
	defer g.running.done()
	g.open(w, r, id)
}

// open turns a request that has entered into a socket, or answers it.
func (g *Gateway) open(w http.ResponseWriter, r *http.Request, id string) {
	var s *socket
	defer func() { // Deferred: an authorizer that panics holds no place.
		if s == nil {
			g.used.Add(-1)
		}
	}()
	s, early, err := g.upgrade(w, r, id)
	if err != nil {
		g.refuse(w, r, id, err)
	}
	if s == nil {
		return
	}
	g.running.add()
	s.begin(early)
}

// enter reserves a socket; the caller returns it with used and running.
func (g *Gateway) enter() error {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if g.stopping {
		return errStopping
	}
	if n := g.used.Add(1); g.opts.MaxSockets > 0 && n > int64(g.opts.MaxSockets) {
		g.used.Add(-1)
		return errFull
	}
	g.running.add()
	return nil
}

// upgrade returns the open socket and what the client sent right behind the
// handshake, an error to answer with, or neither when there is nobody left to
// answer. A row that was written is removed then.
func (g *Gateway) upgrade(w http.ResponseWriter, r *http.Request, id string) (s *socket, early []byte, err error) {
	source := g.sourceOf(r)
	if err := g.takes(source); err != nil {
		return nil, nil, err
	}
	if err := g.checkSize(r); err != nil {
		return nil, nil, err
	}
	accept, err := ws.Accept(r)
	if err != nil {
		return nil, nil, err
	}
	g.hub.open(id)
	defer g.hub.forget(id)
	session, epoch, err := g.connect(r, id, source)
	if err != nil {
		return nil, nil, err
	}
	g.evict(session.Evicted)
	defer func() {
		if s == nil {
			g.removeRow(session.Connection, abnormal("the upgrade was not completed"))
		}
	}()
	if r.Context().Err() != nil {
		return nil, nil, nil
	}
	extensions := g.negotiate(r.Header)
	s, early, err = g.admit(w, r, session, source, extensions != "")
	if s == nil {
		return nil, nil, err
	}
	if g.lease != nil && g.lease.epoch.Load() != epoch {
		g.renewers.add(s) // Its row may have been taken for one of a dead node.
	}
	// The socket is found from here on, but what is posted to it waits for
	// this response: s.writing is set.
	_ = s.nc.SetWriteDeadline(time.Now().Add(g.opts.WriteTimeout))
	if _, err := s.nc.Write(ws.AppendResponse(nil, accept, session.Subprotocol, extensions)); err != nil {
		s.abort(abnormal("the upgrade was not completed"))
		return s, early, nil // Whoever reads it finds it closed, and ends it.
	}
	_ = s.nc.SetWriteDeadline(time.Time{})
	if s.settle(0) {
		s.startWriter()
	}
	return s, early, nil
}

// connect asks the App. The epoch is that of the lease under which it did.
func (g *Gateway) connect(r *http.Request, id, source string) (session sumu.Session, epoch int64, err error) {
	query, err := queryOf(r)
	if err != nil {
		return session, 0, err
	}
	// Not cancelled when the client leaves: a write that is cut off may have
	// left a row that nobody knows of. Let it end, and remove the row.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), g.opts.ConnectTimeout)
	defer cancel()
	defer context.AfterFunc(g.ctx, cancel)()
	if g.lease != nil {
		if epoch, err = g.lease.hold(ctx); err != nil {
			return session, 0, err
		}
	}
	scheme, host := g.siteOf(r)
	session, err = g.app.Connect(ctx, &sumu.ConnectRequest{
		ConnectionID: id,
		Endpoint:     g.endpoint,
		Scheme:       scheme,
		Host:         host,
		Header:       r.Header,
		Query:        query,
		SourceIP:     source,
	})
	return session, epoch, err
}

// admit takes the connection over from net/http and registers the socket. early is
// as takeOver returns it.
func (g *Gateway) admit(w http.ResponseWriter, r *http.Request, session sumu.Session, source string, deflates bool) (s *socket, early []byte, err error) {
	g.mu.RLock() // Shutdown sees the socket, or we see Shutdown.
	defer g.mu.RUnlock()
	if g.stopping {
		return nil, nil, errStopping
	}
	nc, raw, early, err := takeOver(w)
	if err != nil {
		return nil, nil, &sumu.Error{Op: "gateway: take the connection over", Kind: sumu.ErrUnavailable, Err: err}
	}
	s = &socket{
		g:        g,
		nc:       nc,
		raw:      raw,
		conn:     session.Connection,
		identity: session.Identity,
		sourceIP: strings.Clone(source),
		agent:    unique.Make(clip(r.UserAgent())),
		writing:  true,
		deflates: deflates,
	}
	now := g.now()
	s.received.Store(now)
	s.beat.early = uint8(mathrand.Uint32())
	if g.renews() {
		s.renewAt.Store(s.nextRenewal(now))
	}
	end := g.hub.add(s)
	g.wheel.add(s)
	if end != nil {
		s.close(end.code, end.text, end.last...)
	}
	return s, early, nil
}

// takeOver returns the connection of a request, and what the client sent right
// behind that.
func takeOver(w http.ResponseWriter) (net.Conn, syscall.RawConn, []byte, error) {
	if d, ok := w.(*direct); ok {
		nc, early := d.take()
		return nc, d.raw, early, nil
	}
	nc, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, nil, nil, err
	}
	nc, early := unwrap(nc, buffered(rw.Reader))
	return nc, rawConn(nc), early, nil
}

// buffered returns what the client sent right behind its request: net/http may
// have read it already.
func buffered(r *bufio.Reader) []byte {
	n := r.Buffered()
	if n == 0 {
		return nil
	}
	b, _ := r.Peek(n) // They are there: it cannot fail.
	return bytes.Clone(b)
}

// internalError is the frame that API Gateway sends when an integration's
// answer cannot be used.
func internalError(connectionID, requestID string) []byte {
	b, _ := json.Marshal(struct { // Strings always marshal.
		Message      string `json:"message"`
		ConnectionID string `json:"connectionId"`
		RequestID    string `json:"requestId"`
	}{"Internal server error", connectionID, requestID})
	return b
}

const connectionIDBytes = 11

// newConnectionID returns an id of API Gateway's shape, such as
// "L0SM9cOFvHcCIhw=". Nobody can guess it.
func newConnectionID() string {
	var b [connectionIDBytes]byte
	_, _ = rand.Read(b[:]) // It never fails.
	return base64.URLEncoding.EncodeToString(b[:])
}

// possible reports whether an id is of that shape. API Gateway calls one that
// is not malformed (400), and one that is but that it does not know gone (410).
func (g *Gateway) possible(id string) bool {
	b, err := base64.URLEncoding.Strict().DecodeString(id)
	return err == nil && len(b) == connectionIDBytes
}

// hostOf is the address without the port.
func hostOf(addr string) string {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	return host
}

// maxUserAgent is how much of a client's User-Agent is kept, in bytes.
const maxUserAgent = 256

func clip(agent string) string {
	return strings.ToValidUTF8(agent[:min(len(agent), maxUserAgent)], "")
}
