package pipeline

import (
	"context"
	"maps"
	"sync"
	"testing"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/ws"
	"github.com/sumu-live/sumu/internal/ws/wstest"
)

// socket is a client that counts what it gets.
type socket struct {
	node *node // nil: an emulator's
	post func(context.Context, sumu.Connection, *sumu.Payload) error
	row  sumu.Connection
	conn *wstest.Conn
	over chan struct{} // closed when nothing more is read
	mu   sync.Mutex
	got  map[string]int
}

func (s *socket) read() {
	defer close(s.over)
	for {
		f, err := s.conn.Next()
		if err != nil || f.Opcode == ws.Close {
			return
		}
		s.mu.Lock()
		if f.Opcode == ws.Text && f.Fin {
			s.got[label(f.Payload)]++
		} else {
			s.got["unexpected frame"]++
		}
		s.mu.Unlock()
	}
}

// close ends the socket without a word.
func (s *socket) close() {
	_ = s.conn.Close()
	<-s.over
}

func (s *socket) count(label string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.got[label]
}

func (s *socket) counts() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.got)
}

// fence returns once the sockets have read all that was posted to them so far:
// a socket gets its messages in the order of their posts.
func fence(t *testing.T, sockets []*socket) {
	t.Helper()
	p, err := sumu.NewPayload([]byte(`{"n":"fence"}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sockets {
		if err := s.post(t.Context(), s.row, p); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range sockets {
		eventually(t, "the fence of "+s.row.UserID, func() bool { return s.count("fence") == 1 })
		s.mu.Lock()
		delete(s.got, "fence")
		s.mu.Unlock()
	}
}
