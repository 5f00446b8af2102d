package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync/atomic"

	"github.com/gorilla/websocket"
)

// hijackServer is the floor of connecting through net/http: it takes the
// connection over, answers the handshake and waits for a byte, and does
// nothing else. It knows no users and no sockets, and cannot broadcast.
type hijackServer struct{ open atomic.Int64 }

func (s *hijackServer) sockets() int { return int(s.open.Load()) }

func (s *hijackServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !websocket.IsWebSocketUpgrade(r) {
		http.Error(w, "Upgrade Required", http.StatusUpgradeRequired)
		return
	}
	nc, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	// The key is the readers', always the same.
	if _, err := nc.Write([]byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n" +
		"Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")); err != nil {
		_ = nc.Close()
		return
	}
	s.open.Add(1)
	go s.wait(nc)
}

func (s *hijackServer) wait(nc net.Conn) {
	var b [1]byte
	_, _ = nc.Read(b[:])
	_ = nc.Close()
	s.open.Add(-1)
}

func (s *hijackServer) broadcast(context.Context, string, [][]byte) error {
	return errors.New("the floor of connecting sends nothing")
}
