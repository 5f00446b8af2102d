package gateway_test

import (
	"context"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/gateway"
	"github.com/sumu-live/sumu/internal/leak"
	"github.com/sumu-live/sumu/internal/ws/wstest"
	"github.com/sumu-live/sumu/presence"
)

// The whole, on the clock of the machine: a proxy stops forwarding, and presence
// says so, whether or not something is posted all the while.
func TestDeadLinkGoesOffline(t *testing.T) {
	for name, posts := range map[string]bool{"without posts": false, "with posts": true} {
		t.Run(name, func(t *testing.T) {
			leak.Check(t)
			store := new(memstore.Store)
			auth := sumu.AuthorizerFunc(func(context.Context, *sumu.ConnectRequest) (sumu.Identity, error) {
				return sumu.Identity{UserID: "ann"}, nil
			})
			connected := make(chan sumu.Connection, 1)
			app, err := sumu.NewApp(auth, store, func(o *sumu.AppOptions) {
				o.Observer.Connected = func(_ context.Context, c sumu.Connection) { connected <- c }
			})
			if err != nil {
				t.Fatal(err)
			}
			gw, err := gateway.New(app, gateway.Unpolled(*unpolled), func(o *gateway.Options) {
				o.PingInterval, o.PongTimeout = time.Second, time.Second
			})
			if err != nil {
				t.Fatal(err)
			}
			srv := httptest.NewServer(gw)
			defer srv.Close()
			defer func() { _ = gw.Shutdown(context.Background()) }()

			events := make(chan sumu.PresenceEvent, 10)
			watcher, err := presence.New(store, sumu.PresencePublisherFunc(func(_ context.Context, e sumu.PresenceEvent) error {
				events <- e
				return nil
			}), func(o *presence.Options) { o.Grace = 10 * time.Millisecond })
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(context.Background())
			ended := make(chan error, 1)
			go func() { ended <- watcher.Run(ctx, store) }()
			defer func() { cancel(); <-ended }()

			p := startProxy(t, srv.URL)
			wstest.Dial(t, p.url)
			row := receive(t, connected)
			if e := receive(t, events); e.Status != sumu.Online {
				t.Fatalf("%s is %s", e.UserID, e.Status)
			}
			p.halt()
			payload, err := sumu.NewPayload([]byte("x"))
			if err != nil {
				t.Fatal(err)
			}
			until(t, "OFFLINE", func() bool {
				if posts {
					_ = gw.Post(ctx, row, payload) // ErrGone in the end.
				}
				return len(events) > 0
			})
			if e := receive(t, events); e.UserID != "ann" || e.Status != sumu.Offline {
				t.Errorf("%s is %s, want ann OFFLINE", e.UserID, e.Status)
			}
		})
	}
}
