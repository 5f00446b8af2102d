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
}

func (h *hub) init() {
	h.seed = maphash.MakeSeed()
	for i := range h.shards {
		h.shards[i].sockets = make(map[string]*socket)
	}
}

func (h *hub) shard(id string) *shard {
	return &h.shards[maphash.String(h.seed, id)%uint64(len(h.shards))]
}

func (h *hub) add(s *socket) {
	sh := h.shard(s.conn.ID)
	sh.mu.Lock()
	sh.sockets[s.conn.ID] = s
	sh.mu.Unlock()
	h.size.Add(1)
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

type frameKey struct{}

// frameOf is the frame of a payload, nil when it is not UTF-8. It is made once
// and shared by all sockets.
func frameOf(p *sumu.Payload) []byte {
	return p.Derived(frameKey{}, func(data []byte) any {
		if !utf8.Valid(data) {
			return []byte(nil)
		}
		return ws.Frame(ws.Text, data)
	}).([]byte)
}

func (g *Gateway) post(id string, p *sumu.Payload) error {
	s := g.hub.get(id)
	if s == nil {
		return &sumu.Error{Op: "post " + id, Kind: sumu.ErrGone}
	}
	f := frameOf(p)
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
		LastActiveAt: time.UnixMilli(s.active.Load()),
		SourceIP:     s.sourceIP,
		UserAgent:    s.agent.Value(),
	}, nil
}

// disconnect closes a socket with 1000, behind what is pending for it. ErrGone
// is returned when it is not open here.
func (g *Gateway) disconnect(id string) error {
	s := g.hub.get(id)
	if s == nil || !s.close(ws.CloseNormal, "Connection closed by the backend") {
		return &sumu.Error{Op: "disconnect " + id, Kind: sumu.ErrGone}
	}
	return nil
}
