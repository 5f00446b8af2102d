package gateway_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/gateway"
	"github.com/sumu-live/sumu/internal/ws"
	"github.com/sumu-live/sumu/internal/ws/wstest"
)

func TestIdleTimeout(t *testing.T) {
	e := start(t, config{})
	c, row := e.dial("ann")
	e.pass(9 * time.Minute)
	alive(t, c) // A ping counts.
	e.handled(row.ID)
	e.pass(9 * time.Minute)
	c.Send(wstest.Text(`{"action":"keepalive"}`))
	alive(t, c)
	e.handled(row.ID)
	e.pass(9 * time.Minute)
	if err := e.post(row, "x"); err != nil { // So does what is written.
		t.Fatal(err)
	}
	c.ExpectText("x")
	until(t, "the end of the write", func() bool { return e.gw.Pending(row.ID) == 0 })
	e.pass(9 * time.Minute)
	if e.gw.Sockets() != 1 {
		t.Fatal("the socket was closed too early")
	}
	e.pass(time.Minute)
	c.ExpectClose(1001)
	_ = c.Close()
	e.expectEnd(row, 1001)
}

func TestMaxAge(t *testing.T) {
	e := start(t, config{})
	c, row := e.dial("ann")
	for range 12 {
		if e.gw.Sockets() != 1 {
			t.Fatal("the socket was closed too early")
		}
		alive(t, c)
		e.pass(9 * time.Minute)
	}
	alive(t, c)
	e.pass(9 * time.Minute)
	alive(t, c) // At 1 h 57 min.
	e.pass(2 * time.Minute)
	alive(t, c)
	e.pass(time.Minute)
	c.ExpectClose(1001)
	_ = c.Close()
	e.expectEnd(row, 1001)
}

func TestNoDeadlines(t *testing.T) {
	e := start(t, config{gw: []func(*gateway.Options){func(o *gateway.Options) { o.IdleTimeout, o.MaxAge = -1, -1 }}})
	c, row := e.dial("ann")
	e.pass(24 * time.Hour)
	alive(t, c)
	if got, err := e.store.Get(context.Background(), row.Ref()); err != nil {
		t.Errorf("the row was not renewed: %+v, %v", got, err)
	}
}

// The wheel must do the same when it turns late, however late.
func TestClockLeaps(t *testing.T) {
	for _, d := range []time.Duration{10 * time.Minute, 3 * time.Hour, 1000 * time.Hour} {
		t.Run(d.String(), func(t *testing.T) {
			e := start(t, config{})
			c, row := e.dial("ann")
			e.clock.Advance(d)
			e.gw.Turn()
			c.ExpectClose(1001)
			_ = c.Close()
			if end := receive(t, e.ended); end.conn.ID != row.ID || end.reason.Code != 1001 {
				t.Errorf("%s ended with %d", end.conn.ID, end.reason.Code)
			}
		})
	}
}

func TestTokenExpires(t *testing.T) {
	e := start(t, config{setup: func(e *env) {
		e.auth = sumu.AuthorizerFunc(func(context.Context, *sumu.ConnectRequest) (sumu.Identity, error) {
			return sumu.Identity{UserID: "ann", ExpiresAt: e.clock.Now().Add(90 * time.Second)}, nil
		})
	}})
	c, row := e.dial("ann")
	e.pass(89 * time.Second)
	alive(t, c)
	e.pass(time.Second)
	c.ExpectText(`{"type":"closing","code":"token_expired","message":"the token has expired; connect again with a new one"}`)
	if reason := c.ExpectClose(4003); reason != "token expired" {
		t.Errorf("reason is %q", reason)
	}
	_ = c.Close()
	e.expectEnd(row, 4003)
}

// Half a frame, then silence: this socket is closed, others are not.
func TestHalfAMessage(t *testing.T) {
	first := wstest.Text(`{"action":`)
	first.Fin = false
	for name, half := range map[string][]byte{
		"half a header":      wstest.Text("x").Append(nil)[:1],
		"half a payload":     wstest.Text(`{"action":"ping"}`).Append(nil)[:12],
		"a fragment":         first.Append(nil),
		"behind a whole one": wstest.Text("y").Append(nil)[:3:3],
	} {
		t.Run(name, func(t *testing.T) {
			e := start(t, config{})
			other, _ := e.dial("bob")
			c, row := e.dial("ann")
			whole := wstest.Text(`{"action":"ping"}`).Append(nil)
			c.SendRaw(append(whole, half...))
			c.Expect(ws.Text)
			e.settled(row)
			e.pass(9 * time.Second)
			if e.gw.Sockets() != 2 {
				t.Fatal("the socket was closed before ReadTimeout")
			}
			e.pass(time.Second)
			c.ExpectClose(1008)
			_ = c.Close()
			e.expectEnd(row, 1008)
			alive(t, other)
		})
	}
}

// settled waits until the gateway has seen what the client sent last.
func (e *env) settled(row sumu.Connection) {
	e.t.Helper()
	until(e.t, "half a message", func() bool { return e.gw.Reading(row.ID) })
}

// A message that comes slowly, but in time, and pings within it.
func TestSlowMessage(t *testing.T) {
	e := start(t, config{})
	c, row := e.dial("ann")
	b := wstest.Text(`{"action":"ping"}`).Append(nil)
	c.SendRaw(b[:10])
	e.settled(row)
	e.pass(9 * time.Second)
	c.SendRaw(b[10:])
	c.Expect(ws.Text)
	// The next one has its own time.
	e.pass(5 * time.Second)
	c.SendRaw(b[:10])
	e.settled(row)
	e.pass(9 * time.Second)
	c.SendRaw(b[10:])
	c.Expect(ws.Text)
}

// While a handler runs, its message has ended: ReadTimeout does not apply.
func TestSlowHandler(t *testing.T) {
	e := start(t, config{})
	started, finish := make(chan struct{}), make(chan struct{})
	e.app.Handle("slow", func(context.Context, sumu.Message) ([]byte, error) {
		close(started)
		<-finish
		return []byte("done"), nil
	})
	c, row := e.dial("ann")
	b := wstest.Text(`{"action":"slow"}`).Append(nil)
	c.SendRaw(b[:5])
	e.settled(row)
	c.SendRaw(b[5:])
	receive(t, started)
	e.pass(time.Minute)
	close(finish)
	c.ExpectText("done")
	alive(t, c)
}

func TestRenewal(t *testing.T) {
	e := start(t, config{
		app: []func(*sumu.AppOptions){func(o *sumu.AppOptions) { o.RowTTL = time.Hour }},
		gw:  []func(*gateway.Options){func(o *gateway.Options) { o.IdleTimeout = -1 }},
	})
	touched := make(chan time.Time, 10)
	fail := errors.New("broken")
	e.store.touch = func(ctx context.Context, ref sumu.ConnectionRef, at time.Time) error {
		touched <- e.clock.Now()
		if fail != nil {
			return fail
		}
		return e.store.Store.Touch(ctx, ref, at)
	}
	c, row := e.dial("ann")
	began := e.clock.Now()
	e.pass(24 * time.Minute) // Half of RowTTL less a tenth of it.
	if len(touched) > 0 {
		t.Fatal("renewed too early")
	}
	e.pass(7 * time.Minute)
	first := receive(t, touched)
	if got := first.Sub(began); got < 24*time.Minute || got > 31*time.Minute {
		t.Errorf("renewed after %v", got)
	}
	// It failed: it is tried again long before the row expires.
	for range 2 {
		for len(touched) > 0 {
			<-touched
		}
		e.pass(5 * time.Minute)
		receive(t, touched)
	}
	fail = nil
	e.pass(5 * time.Minute)
	for len(touched) > 0 {
		<-touched
	}
	alive(t, c)
	// From then on at about half of RowTTL, for as long as the socket lives.
	e.pass(40 * time.Minute)
	receive(t, touched)
	e.lives(row, 29*time.Minute)
}

// lives checks that the row lives at least for d.
func (e *env) lives(row sumu.Connection, d time.Duration) {
	e.t.Helper()
	got, err := e.store.Get(context.Background(), row.Ref())
	if err != nil || got.DeleteAt.Before(e.clock.Now().Add(d)) {
		e.t.Errorf("row is %+v (%v) at %v", got, err, e.clock.Now())
	}
}

// A socket whose row is gone is closed: nobody would push to it.
func TestRenewalFindsNoRow(t *testing.T) {
	e := start(t, config{gw: []func(*gateway.Options){func(o *gateway.Options) { o.IdleTimeout, o.MaxAge = -1, -1 }}})
	c, row := e.dial("ann")
	if err := e.store.Store.Delete(context.Background(), row.Ref()); err != nil {
		t.Fatal(err)
	}
	e.pass(66 * time.Minute)
	c.ExpectClose(1001)
	_ = c.Close()
	e.expectEnd(row, 1001)
}

// onlyStore hides all that a store can beside [sumu.Store].
type onlyStore struct{ sumu.Store }

func TestNewNeedsAStoreThatRenews(t *testing.T) {
	auth := sumu.AuthorizerFunc(func(context.Context, *sumu.ConnectRequest) (sumu.Identity, error) {
		return sumu.Identity{}, nil
	})
	long := func(o *gateway.Options) { o.MaxAge = 24 * time.Hour }
	without, err := sumu.NewApp(auth, onlyStore{new(memstore.Store)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := gateway.New(without, long); !errors.Is(err, sumu.ErrUnsupported) {
		t.Errorf("error is %v, want ErrUnsupported", err)
	}
	if _, err := gateway.New(without); err != nil {
		t.Errorf("sockets that do not outlive their rows: %v", err)
	}
	with, err := sumu.NewApp(auth, new(memstore.Store))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := gateway.New(with, long); err != nil {
		t.Errorf("a store that renews: %v", err)
	}
}
