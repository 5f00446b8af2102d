package gateway_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/gateway"
	"github.com/sumu-live/sumu/internal/ws"
	"github.com/sumu-live/sumu/internal/ws/wstest"
)

// tokens is an authorizer whose tokens are "user" or "user:90s", which expires
// so much later.
type tokens struct{ clock *clock }

func (a tokens) Authorize(ctx context.Context, r *sumu.ConnectRequest) (sumu.Identity, error) {
	return a.Verify(ctx, r.Query["user"][0])
}

func (a tokens) Verify(_ context.Context, token string) (sumu.Identity, error) {
	user, life, ok := strings.Cut(token, ":")
	id := sumu.Identity{UserID: user, Claims: map[string]string{"token": token}}
	if ok {
		d, err := time.ParseDuration(life)
		if err != nil {
			return sumu.Identity{}, sumu.ErrUnauthorized
		}
		id.ExpiresAt = a.clock.Now().Add(d)
	}
	return id, nil
}

// startWithTokens runs a gateway whose clients' tokens can be refreshed.
func startWithTokens(t *testing.T) *env {
	t.Helper()
	e := &env{clock: newClock()}
	auth := tokens{e.clock}
	return startApp(t, e, auth, config{
		app: []func(*sumu.AppOptions){func(o *sumu.AppOptions) { o.Refresh = true }},
		gw:  []func(*gateway.Options){func(o *gateway.Options) { o.IdleTimeout = -1 }},
	})
}

func refresh(c *wstest.Conn, token string) string {
	c.Send(wstest.Text(`{"action":"refresh","token":"` + token + `"}`))
	return c.Expect(ws.Text)
}

// A new token moves the end of the socket, to a later or an earlier time or
// away, and is what handlers see from then on.
func TestRefresh(t *testing.T) {
	for _, tt := range []struct {
		name, first, second string
		until               time.Duration // 0: the second does not expire
	}{
		{"later", "ann:90s", "ann:30m", 30 * time.Minute},
		{"beyond the wheel", "ann:90s", "ann:115m", 115 * time.Minute},
		{"earlier", "ann:1h", "ann:5s", 5 * time.Second},
		{"never", "ann:90s", "ann", 0},
		{"once more, after never", "ann", "ann:20m", 20 * time.Minute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := startWithTokens(t)
			e.app.Handle("who", func(_ context.Context, m sumu.Message) ([]byte, error) {
				return []byte(m.Identity.Claims["token"] + " " + m.Connection.AuthExpiresAt.Format(time.TimeOnly)), nil
			})
			c, row := e.dial(tt.first)
			e.pass(time.Minute) // The wheel has looked at it.
			if got := refresh(c, tt.second); !strings.Contains(got, `"type":"ack"`) {
				t.Fatalf("reply is %s", got)
			}
			want := time.Time{}
			if tt.until > 0 {
				want = e.clock.Now().Add(tt.until)
			}
			c.Send(wstest.Text(`{"action":"who"}`))
			c.ExpectText(tt.second + " " + want.Format(time.TimeOnly))
			if got, err := e.store.Get(t.Context(), row.Ref()); err != nil || !got.AuthExpiresAt.Equal(want) {
				t.Errorf("the row says %v (%v), want %v", got.AuthExpiresAt, err, want)
			}
			if tt.until == 0 {
				e.pass(110 * time.Minute)
				alive(t, c)
				return
			}
			e.pass(tt.until - time.Second)
			alive(t, c)
			e.pass(time.Second)
			if got := c.Expect(ws.Text); !strings.HasPrefix(got, `{"type":"closing","code":"token_expired"`) {
				t.Errorf("the last frame is %s", got)
			}
			c.ExpectClose(4003)
			_ = c.Close()
			e.expectEnd(row, 4003)
		})
	}
}

func TestRefreshIsRefused(t *testing.T) {
	e := startWithTokens(t)
	c, row := e.dial("ann:90s")
	for _, token := range []string{"bob:1h", "ann:never"} {
		if got := refresh(c, token); !strings.Contains(got, `"code":"forbidden"`) {
			t.Errorf("%s: reply is %s", token, got)
		}
	}
	e.pass(90 * time.Second)
	c.Expect(ws.Text)
	c.ExpectClose(4003)
	_ = c.Close()
	e.expectEnd(row, 4003)
}

// Tokens are replaced from several goroutines while the wheel turns, messages
// are handled and the socket ends: whatever comes last counts.
func TestRefreshRaces(t *testing.T) {
	e := startWithTokens(t)
	set := make(chan func(sumu.Identity), 1)
	e.app.Handle("keep", func(_ context.Context, m sumu.Message) ([]byte, error) {
		set <- m.SetIdentity
		return nil, nil
	})
	c, row := e.dial("ann:1h")
	c.Send(wstest.Text(`{"action":"keep"}`))
	setIdentity := receive(t, set)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for n := range 50 {
				setIdentity(sumu.Identity{UserID: "ann", ExpiresAt: e.clock.Now().Add(time.Duration(i*n+10) * time.Minute)})
			}
		})
	}
	wg.Go(func() {
		for range 50 {
			e.clock.Advance(time.Second)
			e.gw.Turn()
			if _, err := c.Write(wstest.Text(`{"action":"keepalive"}`).Append(nil)); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
	setIdentity(sumu.Identity{UserID: "ann", ExpiresAt: e.clock.Now().Add(2 * time.Second)})
	alive(t, c)
	e.pass(time.Second)
	alive(t, c)
	e.pass(time.Second)
	c.Expect(ws.Text)
	c.ExpectClose(4003)
	setIdentity(sumu.Identity{UserID: "ann"}) // Too late, and harmless.
	_ = c.Close()
	e.expectEnd(row, 4003)
	setIdentity(sumu.Identity{UserID: "ann"})
}

// A client that does not read is told all the same, as long as it can be: the
// last frame needs no room in its buffer.
func TestExpiryOfASlowReader(t *testing.T) {
	e := startWithTokens(t)
	c, row := e.dial("ann:5s")
	posted := 0
	for e.post(row, strings.Repeat("x", 100<<10)) == nil && posted < 200 {
		posted++
	}
	e.clock.Advance(5 * time.Second) // Less than WriteTimeout.
	e.gw.Turn()
	for range posted {
		c.Expect(ws.Text)
	}
	if got := c.Expect(ws.Text); !strings.Contains(got, "token_expired") {
		t.Errorf("the last frame is %.100s", got)
	}
	c.ExpectClose(4003)
	_ = c.Close()
	e.expectEnd(row, 4003)
}

func TestKick(t *testing.T) {
	e := start(t, config{})
	phone, phoneRow := e.dial("ann")
	laptop, laptopRow := e.dial("ann")
	bob, _ := e.dial("bob")
	// A row whose socket is gone: its process died.
	ghost := sumu.Connection{UserID: "ann", ID: "L0SM9cOFvHcCIhw=", ConnectedAt: e.clock.Now()}
	if err := e.store.Put(t.Context(), ghost); err != nil {
		t.Fatal(err)
	}
	closed, err := sumu.Kick(t.Context(), e.store, e.gw, "ann")
	if closed != 2 || err != nil {
		t.Fatalf("closed %d (%v), want 2", closed, err)
	}
	for _, c := range []*wstest.Conn{phone, laptop} {
		if got := c.Expect(ws.Text); !strings.HasPrefix(got, `{"type":"closing","code":"kicked"`) {
			t.Errorf("the last frame is %s", got)
		}
		if reason := c.ExpectClose(4001); reason != "kicked" { // Not 1000: who reconnects would be back at once.
			t.Errorf("the reason is %q", reason)
		}
		_ = c.Close()
	}
	ended := map[string]bool{}
	for range 2 {
		ended[receive(t, e.ended).conn.ID] = true
	}
	if !ended[phoneRow.ID] || !ended[laptopRow.ID] {
		t.Errorf("%v ended", ended)
	}
	if _, err := e.store.Get(t.Context(), ghost.Ref()); !errors.Is(err, sumu.ErrGone) {
		t.Errorf("the ghost's row: %v, want ErrGone", err)
	}
	alive(t, bob)
	if again, _ := e.dial("ann"); again == nil {
		t.Error("a kicked user may connect again")
	}
}

// A renewal that fails is tried again, and must not put off anything else.
func TestRenewalDoesNotDelayExpiry(t *testing.T) {
	e := start(t, config{
		app: []func(*sumu.AppOptions){func(o *sumu.AppOptions) { o.RowTTL = time.Hour }},
		gw:  []func(*gateway.Options){func(o *gateway.Options) { o.IdleTimeout = -1 }},
		setup: func(e *env) {
			e.auth = sumu.AuthorizerFunc(func(context.Context, *sumu.ConnectRequest) (sumu.Identity, error) {
				return sumu.Identity{UserID: "ann", ExpiresAt: e.clock.Now().Add(30*time.Minute + 30*time.Second)}, nil
			})
		},
	})
	failed := make(chan struct{}, 100)
	e.store.touch = func(context.Context, sumu.ConnectionRef, time.Time) error {
		failed <- struct{}{}
		return sumu.ErrUnavailable
	}
	c, row := e.dial("ann")
	e.pass(30 * time.Minute)
	if len(failed) == 0 {
		t.Fatal("no renewal was tried")
	}
	alive(t, c)
	e.pass(30 * time.Second)
	c.Expect(ws.Text)
	c.ExpectClose(4003)
	_ = c.Close()
	e.expectEnd(row, 4003)
}
