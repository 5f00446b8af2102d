package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/ws"
	"github.com/sumu-live/sumu/internal/ws/wstest"
)

// Hundreds of sockets at once, each with several posters and its own messages:
// nothing is lost, and each poster's and each client's order is kept.
func TestManySockets(t *testing.T) {
	const sockets, posters, posts, messages = 300, 3, 30, 20
	for name, tls := range map[string]bool{"plain": false, "TLS": true} {
		t.Run(name, func(t *testing.T) {
			e := start(t, config{tls: tls})
			e.app.Handle("echo", func(_ context.Context, m sumu.Message) ([]byte, error) {
				return []byte("echo " + string(m.Field("n"))), nil
			})
			conns := make([]*wstest.Conn, sockets)
			rows := make([]sumu.Connection, sockets)
			for i := range conns {
				conns[i], rows[i] = e.dial("u" + strconv.Itoa(i))
			}
			var wg sync.WaitGroup
			for p := range posters {
				wg.Go(func() { // Bursts to all, as a broadcast is.
					for n := range posts {
						payload, err := sumu.NewPayload(fmt.Appendf(nil, "post%d %d", p, n))
						if err != nil {
							t.Error(err)
							return
						}
						for _, row := range rows {
							if err := e.gw.Post(context.Background(), row, payload); err != nil {
								t.Error(err)
								return
							}
						}
					}
				})
			}
			for i, c := range conns {
				wg.Go(func() {
					for n := range messages {
						if _, err := c.Write(wstest.Text(fmt.Sprintf(`{"action":"echo","n":%d}`, n)).Append(nil)); err != nil {
							t.Error(err)
						}
					}
				})
				wg.Go(func() {
					if err := readAll(c, posters*posts+messages); err != nil {
						t.Errorf("socket %d: %v", i, err)
					}
				})
			}
			wg.Wait()
			for _, c := range conns {
				_ = c.Close()
			}
			shutdown(t, e)
			if n := len(e.ended); n != sockets {
				t.Errorf("the app was told of %d ends, want %d", n, sockets)
			}
		})
	}
}

// readAll reads count messages "stream n", and checks that each stream's n go
// up one by one.
func readAll(c *wstest.Conn, count int) error {
	next := map[string]int{}
	for range count {
		f, err := c.Next()
		if err != nil {
			return err
		}
		stream, n, ok := strings.Cut(string(f.Payload), " ")
		if !ok || f.Opcode != ws.Text || n != strconv.Itoa(next[stream]) {
			return fmt.Errorf("got %q, want number %d", f.Payload, next[stream])
		}
		next[stream]++
	}
	if next["echo"] == 0 {
		return errors.New("no replies")
	}
	return nil
}

// Sockets come, are posted to, and go, in every order at once.
func TestChurn(t *testing.T) {
	e := start(t, config{})
	stop := make(chan struct{})
	var posters, clients sync.WaitGroup
	posters.Go(func() {
		for {
			select {
			case row := <-e.connected:
				for range 3 {
					if err := e.post(row, "x"); err != nil && !errors.Is(err, sumu.ErrGone) {
						t.Error(err)
					}
				}
				_ = e.gw.Disconnect(context.Background(), row)
			case <-stop:
				return
			}
		}
	})
	const each, n = 40, 6
	for range n {
		clients.Go(func() {
			for i := range each {
				nc, err := dialUpgraded(e.srv.Listener.Addr().String(), "/?user=u")
				if err != nil {
					t.Error(err)
					return
				}
				if i%2 == 0 {
					_, _ = nc.Write(wstest.Close(1000, "").Append(nil))
				}
				_ = nc.Close()
			}
		})
	}
	clients.Wait()
	for range each * n {
		receive(t, e.ended)
	}
	close(stop)
	posters.Wait()
	shutdown(t, e)
	if e.rows() != 0 || e.gw.Sockets() != 0 || len(e.ended) != 0 {
		t.Errorf("%d rows and %d sockets are left, %d ended twice", e.rows(), e.gw.Sockets(), len(e.ended))
	}
}
