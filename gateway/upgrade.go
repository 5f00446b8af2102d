package gateway

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"strings"
	"time"
	"unique"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/ws"
)

// ServeHTTP opens a WebSocket. The upgrade stays pending until the App has
// accepted the connection and written its row. A request that is not accepted
// is answered with 400, 405 or 426 when it is no WebSocket handshake, 401 for
// ErrUnauthorized, 403 for ErrForbidden, 429 for ErrLimit, ErrThrottled or too
// many sockets, 503 during a shutdown, and 500 for everything else.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := newConnectionID()
	if err := g.enter(); err != nil {
		g.refuse(w, r, id, err)
		return
	}
	defer g.running.done()
	var s *socket
	defer func() { // Deferred: an authorizer that panics holds no place.
		if s == nil {
			g.used.Add(-1)
		}
	}()
	s, err := g.upgrade(w, r, id)
	if err != nil {
		g.refuse(w, r, id, err)
	}
	if s == nil {
		return
	}
	// A goroutine of its own, so that the request and all that belongs to it
	// can be forgotten.
	g.running.add()
	go s.serve()
}

// Why the gateway itself refuses a connection.
var (
	errStopping = &sumu.Error{Op: "gateway is shutting down", Kind: sumu.ErrUnavailable}
	errFull     = &sumu.Error{Op: "gateway holds MaxSockets", Kind: sumu.ErrLimit}
)

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

// upgrade returns the open socket, an error to answer with, or neither when
// there is nobody left to answer. A row that was written is removed then.
func (g *Gateway) upgrade(w http.ResponseWriter, r *http.Request, id string) (s *socket, err error) {
	accept, err := ws.Accept(r)
	if err != nil {
		return nil, err
	}
	session, err := g.connect(r, id)
	if err != nil {
		return nil, err
	}
	defer func() {
		if s == nil {
			g.removeRow(session.Connection, abnormal("the upgrade was not completed"))
		}
	}()
	if r.Context().Err() != nil {
		return nil, nil
	}
	s, err = g.admit(w, r, session)
	if s == nil {
		return nil, err
	}
	// The socket is found from here on, but what is posted to it waits for
	// this response: s.writing is set.
	_ = s.nc.SetWriteDeadline(time.Now().Add(g.opts.WriteTimeout))
	if _, err := s.nc.Write(ws.AppendResponse(nil, accept, session.Subprotocol)); err != nil {
		s.abort(abnormal("the upgrade was not completed"))
		return s, nil // serve ends it.
	}
	_ = s.nc.SetWriteDeadline(time.Time{})
	s.startWriter()
	return s, nil
}

func (g *Gateway) connect(r *http.Request, id string) (sumu.Session, error) {
	// Not cancelled when the client leaves: a write that is cut off may have
	// left a row that nobody knows of. Let it end, and remove the row.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), g.opts.ConnectTimeout)
	defer cancel()
	defer context.AfterFunc(g.ctx, cancel)()
	return g.app.Connect(ctx, &sumu.ConnectRequest{
		ConnectionID: id,
		Endpoint:     g.opts.Endpoint,
		Header:       r.Header,
		Query:        r.URL.Query(),
		SourceIP:     hostOf(r.RemoteAddr),
	})
}

// admit takes the connection over from net/http and registers the socket.
func (g *Gateway) admit(w http.ResponseWriter, r *http.Request, session sumu.Session) (*socket, error) {
	g.mu.RLock() // Shutdown sees the socket, or we see Shutdown.
	defer g.mu.RUnlock()
	if g.stopping {
		return nil, errStopping
	}
	nc, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, &sumu.Error{Op: "gateway: take the connection over", Kind: sumu.ErrUnavailable, Err: err}
	}
	s := &socket{
		g:        g,
		nc:       nc,
		raw:      rawConn(nc),
		conn:     session.Connection,
		identity: session.Identity,
		sourceIP: strings.Clone(hostOf(r.RemoteAddr)),
		agent:    unique.Make(clip(r.UserAgent())),
		early:    buffered(rw.Reader),
		writing:  true,
	}
	now := g.now()
	s.active.Store(now)
	if g.renews() {
		s.renewAt.Store(s.nextRenewal(now))
	}
	g.hub.add(s)
	g.wheel.add(s)
	return s, nil
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

// refuse answers a request that opens no socket, as API Gateway does: clients
// are not told why.
func (g *Gateway) refuse(w http.ResponseWriter, r *http.Request, id string, err error) {
	var bad *ws.HandshakeError
	status, text := http.StatusInternalServerError, "Internal server error"
	asked := true // The App was asked, and has told its observer.
	switch {
	case errors.As(err, &bad):
		bad.SetHeaders(w.Header())
		status, text, asked = bad.Status, bad.Reason, false
	case err == errStopping: // These two are never wrapped.
		status, text, asked = http.StatusServiceUnavailable, "Service Unavailable", false
	case err == errFull:
		status, text, asked = http.StatusTooManyRequests, "Too Many Requests", false
	case errors.Is(err, sumu.ErrUnauthorized):
		status, text = http.StatusUnauthorized, "Unauthorized"
	case errors.Is(err, sumu.ErrForbidden):
		status, text = http.StatusForbidden, "Forbidden"
	case errors.Is(err, sumu.ErrLimit), errors.Is(err, sumu.ErrThrottled):
		status, text = http.StatusTooManyRequests, "Too Many Requests"
	default:
		g.opts.Logger.Error("a connection failed", "connection", id, "err", err)
	}
	if f := g.opts.Observer.Refused; f != nil && !asked {
		f(r.Context(), id, hostOf(r.RemoteAddr), err)
	}
	if status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "1")
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(struct {
		Message string `json:"message"`
	}{text})
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

// newConnectionID returns an id of API Gateway's shape, such as
// "L0SM9cOFvHcCIhw=". Nobody can guess it.
func newConnectionID() string {
	var b [11]byte
	_, _ = rand.Read(b[:]) // It never fails.
	return base64.URLEncoding.EncodeToString(b[:])
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
