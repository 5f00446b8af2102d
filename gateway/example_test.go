package gateway_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/gateway"
	"github.com/sumu-live/sumu/internal/ws/wstest"
)

func ExampleNew() {
	auth := sumu.AuthorizerFunc(func(_ context.Context, r *sumu.ConnectRequest) (sumu.Identity, error) {
		if len(r.Query["user"]) == 0 { // A real one verifies a token: see package authorizer.
			return sumu.Identity{}, sumu.ErrUnauthorized
		}
		return sumu.Identity{UserID: r.Query["user"][0]}, nil
	})
	app, err := sumu.NewApp(auth, new(memstore.Store))
	if err != nil {
		panic(err)
	}
	app.Handle("greet", func(_ context.Context, m sumu.Message) ([]byte, error) {
		return []byte(`"hello ` + m.Identity.UserID + `"`), nil
	})
	gw, err := gateway.New(app)
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/ws", gw)
	srv := httptest.NewServer(mux) // On your own: an http.Server with ReadHeaderTimeout.
	defer srv.Close()

	nc, err := dialUpgraded(srv.Listener.Addr().String(), "/ws?user=ann")
	if err != nil {
		panic(err)
	}
	_, _ = nc.Write(wstest.Text(`{"action":"greet"}`).Append(nil))
	reply := bufio.NewReader(nc)
	_, _ = reply.Discard(2) // The frame's header.
	text := make([]byte, len(`"hello ann"`))
	_, _ = io.ReadFull(reply, text)
	fmt.Println(string(text), gw.Sockets())

	_ = nc.Close()
	if err := gw.Shutdown(context.Background()); err != nil {
		panic(err)
	}
	fmt.Println(gw.Sockets())

	// Output:
	// "hello ann" 1
	// 0
}
