package memstore_test

import (
	"context"
	"fmt"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
)

func ExampleStore() {
	ctx := context.Background()
	store := new(memstore.Store)
	for _, id := range []string{"phone", "laptop"} {
		err := store.Put(ctx, sumu.Connection{
			UserID:      "ann",
			ID:          id,
			ConnectedAt: time.Now(),
			DeleteAt:    time.Now().Add(2 * time.Hour),
		})
		if err != nil {
			fmt.Println(err)
		}
	}
	for c, err := range store.ByUser(ctx, "ann") {
		fmt.Println(c.ID, err)
	}
	// Output:
	// laptop <nil>
	// phone <nil>
}

func ExampleStore_Changes() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	store := new(memstore.Store)
	changes := store.Changes(ctx)
	_ = store.Put(ctx, sumu.Connection{UserID: "ann", ID: "phone"})
	_ = store.Put(ctx, sumu.Connection{UserID: "bob", ID: "phone"})
	_ = store.Put(ctx, sumu.Connection{UserID: "ann", ID: "laptop"})
	for c := range changes {
		fmt.Printf("%s %q\n", c.UserID, c.ConnectionID)
		if c.UserID == "bob" {
			break
		}
	}
	// Output:
	// ann ""
	// bob "phone"
}

func ExampleStore_All() {
	ctx := context.Background()
	store := new(memstore.Store)
	for i := range 10 {
		_ = store.Put(ctx, sumu.Connection{UserID: fmt.Sprint("user-", i), ID: "phone"})
	}
	// Two workers, one segment each.
	total := 0
	for i := range 2 {
		for _, err := range store.All(ctx, sumu.Segment{Index: i, Count: 2}) {
			if err != nil {
				fmt.Println(err)
				return
			}
			total++
		}
	}
	fmt.Println(total, "connections")
	// Output: 10 connections
}
