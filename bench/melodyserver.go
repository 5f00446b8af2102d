package main

import (
	"context"
	"fmt"
	"net/http"

	"github.com/olahol/melody"
)

// melodyServer is melody with its settings, but for the pings, which would
// come among what is counted.
type melodyServer struct{ m *melody.Melody }

func newMelodyServer() *melodyServer {
	m := melody.New()
	m.Config.PongWait, m.Config.PingPeriod = gorillaPongWait, gorillaPingPeriod
	return &melodyServer{m}
}

func (s *melodyServer) sockets() int { return s.m.Len() }

func (s *melodyServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if len(r.URL.Query()["user"]) != 1 {
		http.Error(w, "Unauthorized", http.StatusUnauthorized)
		return
	}
	_ = s.m.HandleRequest(w, r) // It has answered.
}

func (s *melodyServer) broadcast(_ context.Context, via string, messages [][]byte) error {
	if via != viaOwn {
		return fmt.Errorf("no broadcast via %q", via)
	}
	for _, m := range messages {
		if err := s.m.Broadcast(m); err != nil {
			return err
		}
	}
	return nil
}
