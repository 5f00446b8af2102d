package authorizer_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/authorizer"
	"github.com/sumu-live/sumu/connstore/memstore"
)

// Over a real store: of many that present one ticket exactly one connects, as
// whom it was issued to, and an App beside it takes tokens as before.
func TestTicketsOverMemstore(t *testing.T) {
	store := new(memstore.Store)
	tickets, err := authorizer.NewTickets(store)
	if err != nil {
		t.Fatal(err)
	}
	app, err := sumu.NewApp(tickets, store)
	if err != nil {
		t.Fatal(err)
	}
	ticket, err := tickets.Issue(t.Context(), sumu.Identity{UserID: "ann", Claims: map[string]string{"org": "acme"}})
	if err != nil {
		t.Fatal(err)
	}
	var in, out atomic.Int32
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			s, err := app.Connect(context.Background(), &sumu.ConnectRequest{
				ConnectionID: sumu.NewID(), Query: map[string][]string{"ticket": {ticket}},
			})
			switch {
			case err == nil && s.Identity.UserID == "ann" && s.Identity.Claims["org"] == "acme":
				in.Add(1)
			case errors.Is(err, sumu.ErrUnauthorized):
				out.Add(1)
			default:
				t.Errorf("connect: %+v, %v", s, err)
			}
		})
	}
	wg.Wait()
	if in.Load() != 1 || out.Load() != 49 {
		t.Errorf("%d connected and %d were refused; want 1 and 49", in.Load(), out.Load())
	}
}
