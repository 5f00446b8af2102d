package pusher_test

import (
	"context"
	"fmt"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/pusher"
)

// printQueue is a queue that prints what is sent to it.
type printQueue struct{}

func (printQueue) Requeue(_ context.Context, n sumu.Notification, _ time.Duration) error {
	fmt.Println("requeued:", n.Key(), n.Connections)
	return nil
}

// busyPhone takes nothing; other connections print what they get.
type busyPhone struct{ printer }

func (s busyPhone) Post(ctx context.Context, c sumu.Connection, p *sumu.Payload) error {
	if c.ID == "phone" {
		return sumu.ErrThrottled
	}
	return s.printer.Post(ctx, c, p)
}

func ExampleNewWorker() {
	ctx := context.Background()
	store := new(memstore.Store)
	_ = store.Put(ctx, sumu.Connection{UserID: "ann", ID: "laptop"})
	_ = store.Put(ctx, sumu.Connection{UserID: "ann", ID: "phone"})

	push, err := pusher.New(store, busyPhone{}, func(o *pusher.Options) {
		o.Concurrency, o.Tries = 1, 1
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	worker, err := pusher.NewWorker(push, printQueue{}, func(o *pusher.WorkerOptions) {
		o.Records = store
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	batch := []sumu.Delivery{
		{MessageID: "m1", Body: []byte(`{"id":"n1","users":["ann"],"data":{"order":7}}`)},
		{MessageID: "m2", Body: []byte(`{"users":`)},
	}
	for range 2 { // The queue delivers everything twice.
		for i, out := range worker.Handle(ctx, batch...) {
			fmt.Printf("%s: %d delivered, rejected: %t\n", batch[i].MessageID, out.Result.Delivered, out.Rejected)
		}
	}
	// Output:
	// laptop: {"order":7}
	// requeued: n1/r [{ann phone}]
	// m1: 1 delivered, rejected: false
	// m2: 0 delivered, rejected: true
	// m1: 0 delivered, rejected: false
	// m2: 0 delivered, rejected: true
}
