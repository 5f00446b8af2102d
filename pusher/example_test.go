package pusher_test

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/pusher"
)

// printer is a sender that prints what it is asked to post.
type printer struct{}

func (printer) Post(_ context.Context, c sumu.Connection, p *sumu.Payload) error {
	if c.ID == "tablet" {
		return &sumu.Error{Op: "post " + c.ID, Kind: sumu.ErrGone}
	}
	fmt.Printf("%s: %s\n", c.ID, p.Bytes())
	return nil
}

func ExampleNew() {
	ctx := context.Background()
	store := new(memstore.Store)
	_ = store.Put(ctx, sumu.Connection{UserID: "ann", ID: "laptop"})
	_ = store.Put(ctx, sumu.Connection{UserID: "ann", ID: "tablet"})

	push, err := pusher.New(store, printer{}, func(o *pusher.Options) {
		o.Concurrency = 1
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	results, err := push.Push(ctx, sumu.Notification{
		Users: []string{"ann"},
		Data:  json.RawMessage(`{"type":"order","id":7}`),
	})
	r := results[0]
	fmt.Println(r.Delivered, "delivered,", r.Gone, "gone, error:", err)
	// Output:
	// laptop: {"type":"order","id":7}
	// 1 delivered, 1 gone, error: <nil>
}
