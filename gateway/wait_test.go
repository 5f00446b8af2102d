package gateway_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/ws"
	"github.com/sumu-live/sumu/internal/ws/wstest"
)

// Whoever closes a connection, and at whatever moment of its being read, parked
// or woken, it ends, and once. Descriptors are used again at once here.
func TestEverySocketEndsOnce(t *testing.T) {
	const clients, times = 16, 150
	e := start(t, config{})
	ended := make(map[string]int)
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(c), 0))
			for i := range times {
				if err := comeAndGo(e, rnd, "u"+strconv.Itoa(c)+"-"+strconv.Itoa(i)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	for range clients * times {
		ended[receive(t, e.ended).conn.ID]++
	}
	shutdown(t, e) // It waits for all goroutines.
	if len(ended) != clients*times || len(e.ended) > 0 || e.gw.Sockets() != 0 || e.rows() != 0 {
		t.Errorf("%d connections ended, %d once more, %d sockets and %d rows are left",
			len(ended), len(e.ended), e.gw.Sockets(), e.rows())
	}
}

// comeAndGo is one connection. The server ends it, or the client, or both.
func comeAndGo(e *env, rnd *rand.Rand, user string) error {
	nc, err := dialUpgraded(e.srv.Listener.Addr().String(), "/?user="+user)
	if err != nil {
		return err
	}
	defer nc.Close()
	var ids []string
	for c, err := range e.store.ByUser(context.Background(), user) {
		if err != nil {
			return err
		}
		ids = append(ids, c.ID)
	}
	if len(ids) != 1 {
		return errors.New(user + " has " + strconv.Itoa(len(ids)) + " rows")
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	byServer := rnd.IntN(3) > 0
	if byServer {
		wg.Go(func() { _ = e.gw.Disconnect(context.Background(), sumu.Connection{ID: ids[0]}) })
	}
	text := wstest.New(ws.Text, "hello").Append(nil)
	for range rnd.IntN(3) {
		if _, err := nc.Write(text[:1+rnd.IntN(len(text))]); err != nil {
			break // The server was quicker.
		}
	}
	if byServer && rnd.IntN(2) == 0 {
		drain(nc)
	}
	return nil
}

// drain reads to the end.
func drain(nc net.Conn) {
	b := make([]byte, 512)
	for {
		if _, err := nc.Read(b); err != nil {
			return
		}
	}
}
