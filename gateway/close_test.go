package gateway_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/gateway"
	"github.com/sumu-live/sumu/internal/ws"
	"github.com/sumu-live/sumu/internal/ws/wstest"
)

// shutdown must end a gateway without force.
func shutdown(t *testing.T, e *env) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := e.gw.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestClientCloses(t *testing.T) {
	for name, tt := range map[string]struct {
		frame wstest.Frame
		code  int // as the app is told
		text  string
	}{
		"with a code":    {wstest.Close(1000, "done"), 1000, "done"},
		"with its own":   {wstest.Close(4321, ""), 4321, ""},
		"without a code": {wstest.New(ws.Close, ""), 1005, ""},
	} {
		t.Run(name, func(t *testing.T) {
			e := start(t, config{})
			c, row := e.dial("ann")
			// What is behind a close frame does not count.
			c.Send(wstest.Text(`{"action":"ping"}`), tt.frame, wstest.Text(`{"action":"ping"}`))
			c.Expect(ws.Text)
			c.ExpectClose(tt.code)
			if r := e.expectEnd(row, tt.code); r.Text != tt.text {
				t.Errorf("reason is %q, want %q", r.Text, tt.text)
			}
			shutdown(t, e)
			if len(e.ended) > 0 {
				t.Errorf("the app was told again: %+v", <-e.ended)
			}
		})
	}
}

func TestClientVanishes(t *testing.T) {
	e := start(t, config{})
	c, row := e.dial("ann")
	_ = c.Close()
	e.expectEnd(row, 1006)
	if err := e.post(row, "x"); !errors.Is(err, sumu.ErrGone) {
		t.Errorf("post: %v, want ErrGone", err)
	}
}

func TestBackendDisconnects(t *testing.T) {
	e := start(t, config{})
	c, row := e.dial("ann")
	if err := e.post(row, "last words"); err != nil {
		t.Fatal(err)
	}
	if err := e.gw.Disconnect(context.Background(), row); err != nil {
		t.Fatal(err)
	}
	if err := e.post(row, "x"); !errors.Is(err, sumu.ErrGone) {
		t.Errorf("post: %v, want ErrGone", err)
	}
	if err := e.gw.Disconnect(context.Background(), row); !errors.Is(err, sumu.ErrGone) {
		t.Errorf("disconnect again: %v, want ErrGone", err)
	}
	c.ExpectText("last words")
	c.ExpectClose(1000)
	// What still comes is not handled.
	c.Send(wstest.Text(`{"action":"ping"}`), wstest.New(ws.Ping, ""), wstest.Close(1000, ""))
	c.ExpectEnd()
	e.expectEnd(row, 1000)
}

// A client that does not answer a close frame is reset after CloseGrace.
func TestClientDoesNotAnswerClose(t *testing.T) {
	e := start(t, config{})
	c, row := e.dial("ann")
	if err := e.gw.Disconnect(context.Background(), row); err != nil {
		t.Fatal(err)
	}
	c.ExpectClose(1000)
	e.clock.Advance(4 * time.Second)
	e.gw.Turn()
	if len(e.ended) > 0 {
		t.Fatal("it was reset before CloseGrace")
	}
	e.clock.Advance(time.Second)
	e.gw.Turn()
	e.expectEnd(row, 1000)
}

// The row is removed although the store fails at first.
func TestRowRemovalIsRetried(t *testing.T) {
	var calls atomic.Int32
	waits := make(chan time.Duration, 10)
	e := start(t, config{gw: []func(*gateway.Options){gateway.Sleep(func(d time.Duration) <-chan time.Time {
		waits <- d
		now := make(chan time.Time, 1)
		now <- time.Time{}
		return now
	})}})
	e.store.delete = func(ctx context.Context, ref sumu.ConnectionRef) error {
		if calls.Add(1) < 3 {
			return sumu.ErrUnavailable
		}
		return e.store.Store.Delete(ctx, ref)
	}
	c, row := e.dial("ann")
	_ = c.Close()
	for range 2 {
		if end := receive(t, e.ended); !errors.Is(end.err, sumu.ErrUnavailable) {
			t.Errorf("removal: %v", end.err)
		}
	}
	e.expectEnd(row, 1006)
	if a, b := <-waits, <-waits; b <= a || a <= 0 {
		t.Errorf("waited %v, then %v", a, b)
	}
}

// A store that stays broken is asked a few times and no more; one that refuses
// for good, once.
func TestRowRemovalIsGivenUp(t *testing.T) {
	for kind, want := range map[error]int32{sumu.ErrUnavailable: 4, sumu.ErrInvalid: 1} {
		t.Run(kind.Error(), func(t *testing.T) {
			var calls atomic.Int32
			e := start(t, config{gw: []func(*gateway.Options){gateway.Sleep(func(time.Duration) <-chan time.Time {
				now := make(chan time.Time, 1)
				now <- time.Time{}
				return now
			})}})
			e.store.delete = func(context.Context, sumu.ConnectionRef) error {
				calls.Add(1)
				return kind
			}
			c, _ := e.dial("ann")
			_ = c.Close()
			shutdown(t, e)
			if got := calls.Load(); got != want {
				t.Errorf("the store was asked %d times, want %d", got, want)
			}
		})
	}
}
