package gateway_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/gateway"
	"github.com/sumu-live/sumu/internal/ws"
	"github.com/sumu-live/sumu/internal/ws/wstest"
)

func TestShutdown(t *testing.T) {
	gate := newGate()
	e := start(t, config{})
	c, row := e.dial("ann")
	e.auth = gate
	late := wstest.Send(t, wstest.Request(t, e.srv.URL), nil)
	receive(t, gate.asked)
	if err := e.post(row, "pending"); err != nil {
		t.Fatal(err)
	}
	result := make(chan error, 1)
	go func() { result <- e.gw.Shutdown(context.Background()) }()
	c.ExpectText("pending")
	c.ExpectClose(1001)

	// A new request is refused, and so is the one that was on its way.
	resp, _ := wstest.Send(t, wstest.Request(t, e.srv.URL), nil).Response()
	if resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" {
		t.Errorf("new request: %d", resp.StatusCode)
	}
	gate.let <- nil
	if resp, _ := late.Response(); resp.StatusCode != 503 {
		t.Errorf("request on its way: %d", resp.StatusCode)
	}
	if len(result) > 0 {
		t.Error("Shutdown did not wait for the client to close")
	}
	c.Send(wstest.Close(1001, ""))
	if err := receive(t, result); err != nil {
		t.Fatal(err)
	}
	if e.rows() != 0 || e.gw.Sockets() != 0 {
		t.Errorf("%d rows and %d sockets are left", e.rows(), e.gw.Sockets())
	}
	shutdown(t, e) // Again: nothing to do.
}

// Sockets are closed at the pace of DrainRate.
func TestShutdownInWaves(t *testing.T) {
	next := make(chan time.Time)
	pauses := make(chan time.Duration)
	e := start(t, config{gw: []func(*gateway.Options){
		gateway.Sleep(func(d time.Duration) <-chan time.Time {
			pauses <- d
			return next
		}),
		func(o *gateway.Options) { o.DrainRate = 40 },
	}})
	for range 10 {
		c, _ := e.dial("ann")
		go func() { // A client that behaves: it closes when it is told.
			if f, err := c.Next(); err == nil && f.Opcode == ws.Close {
				_, _ = c.Write(wstest.Close(1001, "").Append(nil))
			}
			_ = c.Close()
		}()
	}
	result := make(chan error, 1)
	go func() { result <- e.gw.Shutdown(context.Background()) }()
	for _, left := range []int{6, 2} {
		if d := receive(t, pauses); d != 100*time.Millisecond {
			t.Errorf("pause is %v, want 100ms", d)
		}
		if n := e.gw.Sockets(); n != left {
			t.Errorf("%d sockets are open, want %d", n, left)
		}
		for range 4 {
			if end := receive(t, e.ended); end.reason.Code != 1001 {
				t.Errorf("code is %d, want 1001", end.reason.Code)
			}
		}
		next <- time.Time{}
	}
	if err := receive(t, result); err != nil {
		t.Fatal(err)
	}
	if len(e.ended) != 2 {
		t.Errorf("%d ended in the last wave, want 2", len(e.ended))
	}
}

// A context that ends cuts it short: handlers are cancelled, sockets reset,
// rows removed.
func TestShutdownByForce(t *testing.T) {
	e := start(t, config{})
	started := make(chan struct{})
	e.app.Handle("hang", func(ctx context.Context, _ sumu.Message) ([]byte, error) {
		close(started)
		<-ctx.Done()
		return nil, ctx.Err()
	})
	busy, _ := e.dial("busy")
	busy.Send(wstest.Text(`{"action":"hang"}`))
	e.dial("rude") // It never answers a close frame.
	receive(t, started)
	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan error, 1)
	go func() { result <- e.gw.Shutdown(ctx) }()
	until(t, "close frames to all", func() bool { return e.gw.Sockets() == 0 })
	cancel()
	if err := receive(t, result); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v, want context.Canceled", err)
	}
	if len(e.ended) != 2 || e.rows() != 0 {
		t.Errorf("%d ended, %d rows are left", len(e.ended), e.rows())
	}
}

// A context that has ended already still resets every socket.
func TestShutdownAtOnce(t *testing.T) {
	e := start(t, config{gw: []func(*gateway.Options){func(o *gateway.Options) { o.DrainRate = 1 }}})
	for range 5 {
		e.dial("ann")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := e.gw.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v, want context.Canceled", err)
	}
	if len(e.ended) != 5 || e.rows() != 0 {
		t.Errorf("%d ended, %d rows are left", len(e.ended), e.rows())
	}
}

// Whoever connects while a shutdown runs is served or refused, and leaves
// nothing behind.
func TestShutdownWhileClientsConnect(t *testing.T) {
	e := start(t, config{})
	stop := make(chan struct{})
	done := make(chan struct{}, 4)
	for range cap(done) {
		go func() {
			defer func() { done <- struct{}{} }()
			for {
				select {
				case <-stop:
					return
				default:
				}
				nc, err := dialUpgraded(e.srv.Listener.Addr().String(), "/?user=u")
				if err == nil {
					_ = nc.Close()
				}
			}
		}()
	}
	for range 20 {
		<-e.connected
	}
	shutdown(t, e)
	close(stop)
	for range cap(done) {
		receive(t, done)
	}
	if e.rows() != 0 || e.gw.Sockets() != 0 {
		t.Errorf("%d rows and %d sockets are left", e.rows(), e.gw.Sockets())
	}
	resp, err := http.Get(e.srv.URL)
	if err != nil || resp.StatusCode != 503 {
		t.Errorf("after it: %v, %v", resp, err)
	}
	_ = resp.Body.Close()
	http.DefaultClient.CloseIdleConnections()
}
