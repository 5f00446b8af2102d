package main

import (
	"context"
	"fmt"
	"net/http"
	"sync"

	"github.com/lxzan/gws"
)

// gwsServer is gws with its settings and its Broadcaster, which makes a frame
// once for all.
type gwsServer struct {
	gws.BuiltinEventHandler
	upgrader *gws.Upgrader

	mu    sync.Mutex
	conns map[*gws.Conn]struct{}
}

func newGwsServer() *gwsServer {
	s := &gwsServer{conns: make(map[*gws.Conn]struct{})}
	s.upgrader = gws.NewUpgrader(s, &gws.ServerOption{})
	return s
}

// OnOpen is called by gws.
func (s *gwsServer) OnOpen(c *gws.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns[c] = struct{}{}
}

// OnClose is called by gws.
func (s *gwsServer) OnClose(c *gws.Conn, _ error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

func (s *gwsServer) sockets() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

func (s *gwsServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if len(r.URL.Query()["user"]) != 1 {
		http.Error(w, "Unauthorized", http.StatusUnauthorized)
		return
	}
	c, err := s.upgrader.Upgrade(w, r)
	if err != nil {
		return // It has answered.
	}
	go c.ReadLoop() // So that the request can be forgotten, as its examples do.
}

func (s *gwsServer) broadcast(_ context.Context, via string, messages [][]byte) error {
	if via != viaOwn {
		return fmt.Errorf("no broadcast via %q", via)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range messages {
		b := gws.NewBroadcaster(gws.OpcodeText, m)
		for c := range s.conns {
			if err := b.Broadcast(c); err != nil {
				return err
			}
		}
		if err := b.Close(); err != nil {
			return err
		}
	}
	return nil
}
