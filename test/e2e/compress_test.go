package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/gateway"
)

// TestCompression is a page, and Node's ws, at a gateway that compresses. What
// crosses the network is counted: nobody's word is taken for it.
func TestCompression(t *testing.T) {
	enabled(t)
	t.Parallel()
	connected := make(chan sumu.Connection, 10)
	anyone := sumu.AuthorizerFunc(func(context.Context, *sumu.ConnectRequest) (sumu.Identity, error) {
		return sumu.Identity{UserID: "ann"}, nil
	})
	app, err := sumu.NewApp(anyone, new(memstore.Store), func(o *sumu.AppOptions) {
		o.Default = func(_ context.Context, m sumu.Message) ([]byte, error) {
			return []byte(string(m.Body)), nil // A copy: the body is the gateway's.
		}
		o.Observer.Connected = func(_ context.Context, c sumu.Connection) { connected <- c }
	})
	if err != nil {
		t.Fatal(err)
	}
	gw, err := gateway.New(app, func(o *gateway.Options) { o.Compress = 100 })
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/ws" {
			gw.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, `<!doctype html><link rel="icon" href="data:,">`)
	}))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := gw.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		web.Close()
	})
	network := listen(t, strings.TrimPrefix(web.URL, "http://"))
	node(t, func(question string) string {
		verb, text, _ := strings.Cut(question, " ")
		switch verb {
		case "carried":
			return fmt.Sprint(network.carried.Load())
		case "post":
			p, err := sumu.NewPayload([]byte(text))
			if err == nil {
				err = gw.Post(t.Context(), <-connected, p)
			}
			return fmt.Sprint(err)
		}
		t.Errorf("the script asks %q", question)
		return ""
	}, "compress.mjs", "http://"+network.addr)
}
