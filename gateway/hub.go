package gateway

import (
	"context"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/ws"
)

// hub finds an open socket by its connection id. It is split, so that posters
// and connecting clients do not wait for each other.
type hub struct {
	seed   maphash.Seed
	size   atomic.Int64
	shards [32]shard
}

type shard struct {
	mu      sync.RWMutex
	sockets map[string]*socket
	// opening are the connections that are being authorized or upgraded: their
	// row may be seen before their socket is. What is closed by then is closed
	// as soon as it opens, with what is kept here; nil: nothing is.
	opening map[string]*ending
}

// ending is how a socket is to be closed.
type ending struct {
	code int
	text string
	last [][]byte // frames before the close frame
}

func (h *hub) init() {
	h.seed = maphash.MakeSeed()
	for i := range h.shards {
		h.shards[i].sockets = make(map[string]*socket)
		h.shards[i].opening = make(map[string]*ending)
	}
}

func (h *hub) shard(id string) *shard {
	return &h.shards[maphash.String(h.seed, id)%uint64(len(h.shards))]
}

// open announces a socket; forget must follow.
func (h *hub) open(id string) {
	sh := h.shard(id)
	sh.mu.Lock()
	sh.opening[id] = nil
	sh.mu.Unlock()
}

func (h *hub) forget(id string) {
	sh := h.shard(id)
	sh.mu.Lock()
	delete(sh.opening, id)
	sh.mu.Unlock()
}

// add returns how the socket is to be closed at once; nil: it is not.
func (h *hub) add(s *socket) *ending {
	sh := h.shard(s.conn.ID)
	sh.mu.Lock()
	end := sh.opening[s.conn.ID]
	delete(sh.opening, s.conn.ID)
	sh.sockets[s.conn.ID] = s
	sh.mu.Unlock()
	h.size.Add(1)
	return end
}

// close closes a socket that is open, or opening. It reports whether there is
// one that nobody has closed before.
func (h *hub) close(id string, end *ending) bool {
	sh := h.shard(id)
	sh.mu.Lock()
	s := sh.sockets[id]
	if s == nil {
		before, opening := sh.opening[id]
		first := opening && before == nil
		if first {
			sh.opening[id] = end
		}
		sh.mu.Unlock()
		return first
	}
	sh.mu.Unlock()
	return s.close(end.code, end.text, end.last...)
}

// remove may be called twice.
func (h *hub) remove(s *socket) {
	sh := h.shard(s.conn.ID)
	sh.mu.Lock()
	_, ok := sh.sockets[s.conn.ID]
	delete(sh.sockets, s.conn.ID)
	sh.mu.Unlock()
	if ok {
		h.size.Add(-1)
	}
}

// get returns nil when there is none.
func (h *hub) get(id string) *socket {
	sh := h.shard(id)
	sh.mu.RLock()
	s := sh.sockets[id]
	sh.mu.RUnlock()
	return s
}

func (h *hub) all() []*socket {
	all := make([]*socket, 0, h.size.Load())
	for i := range h.shards {
		sh := &h.shards[i]
		sh.mu.RLock()
		for _, s := range sh.sockets {
			all = append(all, s)
		}
		sh.mu.RUnlock()
	}
	return all
}

// Post queues p for a socket of this gateway; it never waits. Of c it uses the
// ID alone. It returns nil once the frame is queued: what is queued for a
// socket that then breaks is lost with it, as it is with API Gateway. ErrGone is
// returned when the socket is not open here, ErrThrottled when more is pending
// for it than [Options.WriteBuffer] allows, ErrInvalid for a payload that is
// not UTF-8.
func (g *Gateway) Post(_ context.Context, c sumu.Connection, p *sumu.Payload) error {
	return g.post(c.ID, p)
}

// frames makes of a payload what goes on the wire.
type frames struct {
	key    any // a frameKey; made once, as this is the path of every post
	derive func(data []byte) any
}

// frameKey holds the size of frames: gateways with different ones may share a
// payload.
type frameKey struct{ size int }

func (g *Gateway) initFrames() {
	g.frames = frames{key: frameKey{g.opts.FrameSize}, derive: func(data []byte) any {
		if !utf8.Valid(data) {
			return []byte(nil)
		}
		return g.textFrames(data)
	}}
}

// of returns a payload's frames, nil when it is not UTF-8. They are made once
// and shared by all sockets.
func (f *frames) of(p *sumu.Payload) []byte {
	return p.Derived(f.key, f.derive).([]byte)
}

// textFrames is a message as it goes on the wire, in frames of FrameSize. text
// must be UTF-8.
func (g *Gateway) textFrames(text []byte) []byte {
	return ws.TextFrames(text, g.opts.FrameSize)
}

func (g *Gateway) post(id string, p *sumu.Payload) error {
	s := g.hub.get(id)
	if s == nil {
		return &sumu.Error{Op: "post " + id, Kind: sumu.ErrGone}
	}
	frames := &g.frames
	if s.deflates && len(p.Bytes()) >= g.opts.Compress {
		frames = &g.deflated
	}
	f := frames.of(p)
	if f == nil {
		return &sumu.Error{Op: "post " + id + ": payload is not UTF-8", Kind: sumu.ErrInvalid}
	}
	if kind := s.post(f); kind != nil {
		return &sumu.Error{Op: "post " + id, Kind: kind}
	}
	return nil
}

// connectionInfo is what the management API tells of a connection.
type connectionInfo struct {
	ConnectedAt, LastActiveAt time.Time
	SourceIP, UserAgent       string
}

// info returns ErrGone when the socket is not open here.
func (g *Gateway) info(id string) (connectionInfo, error) {
	s := g.hub.get(id)
	if s == nil || !s.open() {
		return connectionInfo{}, &sumu.Error{Op: "info " + id, Kind: sumu.ErrGone}
	}
	return connectionInfo{
		ConnectedAt:  s.conn.ConnectedAt,
		LastActiveAt: time.UnixMilli(max(s.received.Load(), s.wrote.Load())),
		SourceIP:     s.sourceIP,
		UserAgent:    s.agent.Value(),
	}, nil
}

// Disconnect closes a socket with 1000, behind what is pending for it; one that
// is just being opened, as soon as it is. Of c it uses the ID alone. ErrGone is
// returned when it is not open here.
func (g *Gateway) Disconnect(_ context.Context, c sumu.Connection) error {
	return g.disconnect(c.ID, sumu.DisconnectReason{})
}

// disconnect closes with 1000 for the zero reason.
func (g *Gateway) disconnect(id string, reason sumu.DisconnectReason) error {
	if reason.Code == 0 {
		reason = sumu.DisconnectReason{Code: ws.CloseNormal, Text: "Connection closed by the backend"}
	}
	if !g.hub.close(id, &ending{code: reason.Code, text: reason.Text}) {
		return &sumu.Error{Op: "disconnect " + id, Kind: sumu.ErrGone}
	}
	return nil
}

// DisconnectFor is Disconnect with a close code, 4000 to 4999, and a reason;
// see [sumu.ReasonDisconnecter].
func (g *Gateway) DisconnectFor(_ context.Context, c sumu.Connection, reason sumu.DisconnectReason) error {
	if err := reason.ValidateClose(); err != nil {
		return &sumu.Error{Op: "disconnect " + c.ID, Err: err}
	}
	return g.disconnect(c.ID, reason)
}
