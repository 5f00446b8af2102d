package main

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
)

// gorillaServer is the hub of gorilla/websocket's chat example, which most
// programs grew from, with its limits: a goroutine that owns the map
// of clients, and two goroutines and a channel of 256 for each client. Unlike
// the example's it sends prepared messages, so that a frame is made once for
// all, and waits as long for a pong as our gateway does for an idle client.
type gorillaServer struct {
	upgrader  websocket.Upgrader
	register  chan *gorillaClient
	leave     chan *gorillaClient
	messages  chan *websocket.PreparedMessage
	connected atomic.Int64
}

type gorillaClient struct {
	hub  *gorillaServer
	user string
	conn *websocket.Conn
	send chan *websocket.PreparedMessage
}

const (
	gorillaWriteWait  = 10 * time.Second
	gorillaPongWait   = 10 * time.Minute // Beyond sessionLimit: no ping among what is counted.
	gorillaPingPeriod = gorillaPongWait * 9 / 10
)

func newGorillaServer() *gorillaServer {
	s := &gorillaServer{
		upgrader: websocket.Upgrader{ReadBufferSize: 1024, WriteBufferSize: 1024},
		register: make(chan *gorillaClient),
		leave:    make(chan *gorillaClient),
		messages: make(chan *websocket.PreparedMessage),
	}
	go s.run()
	return s
}

func (s *gorillaServer) run() {
	clients := make(map[*gorillaClient]bool)
	for {
		select {
		case c := <-s.register:
			clients[c] = true
		case c := <-s.leave:
			if clients[c] {
				delete(clients, c)
				close(c.send)
			}
		case m := <-s.messages:
			for c := range clients {
				select {
				case c.send <- m:
				default:
					close(c.send)
					delete(clients, c)
				}
			}
		}
		s.connected.Store(int64(len(clients)))
	}
}

func (s *gorillaServer) sockets() int { return int(s.connected.Load()) }

func (s *gorillaServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	user := r.URL.Query()["user"]
	if len(user) != 1 {
		http.Error(w, "Unauthorized", http.StatusUnauthorized)
		return
	}
	conn, err := s.upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // It has answered.
	}
	c := &gorillaClient{hub: s, user: user[0], conn: conn, send: make(chan *websocket.PreparedMessage, 256)}
	s.register <- c
	go c.writePump()
	go c.readPump()
}

func (s *gorillaServer) broadcast(_ context.Context, via string, messages [][]byte) error {
	if via != viaOwn {
		return fmt.Errorf("no broadcast via %q", via)
	}
	for _, m := range messages {
		p, err := websocket.NewPreparedMessage(websocket.TextMessage, m)
		if err != nil {
			return err
		}
		s.messages <- p
	}
	return nil
}

func (c *gorillaClient) readPump() {
	defer func() {
		c.hub.leave <- c
		_ = c.conn.Close()
	}()
	c.conn.SetReadLimit(512)
	_ = c.conn.SetReadDeadline(time.Now().Add(gorillaPongWait))
	c.conn.SetPongHandler(func(string) error {
		return c.conn.SetReadDeadline(time.Now().Add(gorillaPongWait))
	})
	for {
		if _, _, err := c.conn.ReadMessage(); err != nil {
			return
		}
	}
}

func (c *gorillaClient) writePump() {
	ticker := time.NewTicker(gorillaPingPeriod)
	defer func() {
		ticker.Stop()
		_ = c.conn.Close()
	}()
	for {
		select {
		case m, ok := <-c.send:
			_ = c.conn.SetWriteDeadline(time.Now().Add(gorillaWriteWait))
			if !ok {
				_ = c.conn.WriteMessage(websocket.CloseMessage, nil)
				return
			}
			if err := c.conn.WritePreparedMessage(m); err != nil {
				return
			}
		case <-ticker.C:
			_ = c.conn.SetWriteDeadline(time.Now().Add(gorillaWriteWait))
			if err := c.conn.WriteMessage(websocket.PingMessage, nil); err != nil {
				return
			}
		}
	}
}
