package memstore_test

import (
	"context"
	"errors"
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

func ExampleStore_PutCapped() {
	ctx := context.Background()
	store := new(memstore.Store)
	at := time.Now()
	for i, id := range []string{"phone", "laptop", "tablet"} {
		c := sumu.Connection{UserID: "ann", ID: id, ConnectedAt: at.Add(time.Duration(i) * time.Second)}
		evicted, err := store.PutCapped(ctx, c, 2, true)
		for _, old := range evicted {
			fmt.Println(id, "takes the place of", old.ID, err)
		}
	}
	_, err := store.PutCapped(ctx, sumu.Connection{UserID: "ann", ID: "watch"}, 2, false)
	fmt.Println(errors.Is(err, sumu.ErrLimit))
	// Output:
	// tablet takes the place of phone <nil>
	// true
}

func ExampleStore_DeleteRecord() {
	ctx := context.Background()
	store := new(memstore.Store)
	ticket := sumu.Record{
		Kind:     "ticket",
		Key:      "f3a1",
		Value:    []byte("ann"),
		Rev:      1,
		DeleteAt: time.Now().Add(30 * time.Second),
	}
	if err := store.SaveRecord(ctx, ticket); err != nil {
		fmt.Println(err)
	}
	// A ticket is good once: of two that redeem it the second is refused.
	for range 2 {
		r, err := store.LoadRecord(ctx, "ticket", "f3a1")
		if err == nil {
			err = store.DeleteRecord(ctx, r.Kind, r.Key, r.Rev)
		}
		fmt.Println(string(r.Value), err)
	}
	// Output:
	// ann <nil>
	//  delete record ticket: conflict
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
