package iot

import (
	"io"
	"net"
	"sync"

	"github.com/gorilla/websocket"
)

// stream is a WebSocket as the stream of bytes that MQTT runs over.
type stream struct {
	net.Conn
	ws   *websocket.Conn
	rest io.Reader // of the frame that is being read
	mu   sync.Mutex
}

// Read reads from one frame after the other.
func (s *stream) Read(p []byte) (int, error) {
	for {
		if s.rest == nil {
			kind, r, err := s.ws.NextReader()
			if err != nil {
				return 0, err
			}
			if kind != websocket.BinaryMessage {
				return 0, io.ErrUnexpectedEOF
			}
			s.rest = r
		}
		n, err := s.rest.Read(p)
		if err == io.EOF {
			s.rest, err = nil, nil
			if n == 0 {
				continue
			}
		}
		return n, err
	}
}

// Write writes one frame. Several may write at once.
func (s *stream) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ws.WriteMessage(websocket.BinaryMessage, p); err != nil {
		return 0, err
	}
	return len(p), nil
}
