package gateway_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/gateway"
	"github.com/sumu-live/sumu/internal/ws"
	"github.com/sumu-live/sumu/internal/ws/wstest"
)

// By default the limits are those of one's own servers, not of API Gateway.
func TestDefaultsAreForOwnServers(t *testing.T) {
	e := start(t, config{own: true, gw: []func(*gateway.Options){func(o *gateway.Options) {
		o.PingInterval = -1 // Which would come between; IdleTimeout is then 10 min.
	}}})
	e.app.Handle("long", func(context.Context, sumu.Message) ([]byte, error) {
		return []byte(strings.Repeat("x", sumu.MaxPayload)), nil
	})
	c, row := e.dial("ann&more=" + strings.Repeat("x", 5000)) // A longer URL than API Gateway takes.
	c.Send(wstest.Text(padded(sumu.MaxPayload)))
	c.Expect(ws.Text)
	c.Send(wstest.Text(`{"action":"long"}`))
	if got := c.ExpectFrames(ws.Text); len(got) != 1 {
		t.Errorf("a reply came in %d frames, want 1", len(got))
	}
	for range 5 * 12 {
		e.pass(5 * time.Minute)
		alive(t, c)
	}
	e.lives(row, time.Hour)
}

// A store that cannot extend rows ends sockets before their rows do.
func TestMaxAgeWithoutToucher(t *testing.T) {
	var log strings.Builder
	app, err := sumu.NewApp(newGate(), onlyStore{new(memstore.Store)}, func(o *sumu.AppOptions) { o.RowTTL = time.Hour })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := gateway.New(app, logTo(&log)); err != nil {
		t.Fatalf("a store that cannot extend rows: %v", err)
	}
	if n := strings.Count(log.String(), "\n"); n != 1 || !strings.Contains(log.String(), "MaxAge") {
		t.Errorf("the log is %q, want one line of MaxAge", log.String())
	}
	log.Reset()
	_, err = gateway.New(app, logTo(&log), func(o *gateway.Options) { o.MaxAge = -1 })
	if !errors.Is(err, sumu.ErrUnsupported) || log.String() != "" {
		t.Errorf("sockets that are to outlive their rows: %v, log %q", err, log.String())
	}
}
