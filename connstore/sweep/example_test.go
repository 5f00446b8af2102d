package sweep_test

import (
	"context"
	"fmt"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/connstore/sweep"
)

func ExampleNew() {
	ctx := context.Background()
	store := new(memstore.Store)
	for _, id := range []string{"open", "died", "refused"} {
		err := store.Put(ctx, sumu.Connection{UserID: "ann", ID: id, ConnectedAt: time.Now().Add(-time.Hour)})
		if err != nil {
			fmt.Println(err)
		}
	}
	sweeper, err := sweep.New(store, func(o *sweep.Options) {
		// With API Gateway: _, err := sender.Get(ctx, c), of an *apigw.Sender.
		o.Check = sweep.CheckerFunc(func(_ context.Context, c sumu.Connection) error {
			return map[string]error{"died": sumu.ErrGone, "refused": sumu.ErrUnavailable}[c.ID]
		})
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	report, _, err := sweeper.Run(ctx, sumu.Segment{}) // On a schedule: sweeper.Sweep.
	fmt.Println(report.Scanned, "scanned,", report.Gone, "gone,", report.Kept, "kept,", report.Failed, "failed")
	fmt.Println(err)
	for c := range store.ByUser(ctx, "ann") {
		fmt.Println(c.ID)
	}
	// Output:
	// 3 scanned, 1 gone, 1 kept, 1 failed
	// sweep: check refused: unavailable
	// open
	// refused
}

func ExampleNodesBelow() {
	leased := sweep.NodesBelow("https://nodes.example.com/prod")
	fmt.Println(leased("https://nodes.example.com/prod/node-1-q4xj2mzc7ahtk"))
	fmt.Println(leased("https://nodes.example.com/prod"))
	fmt.Println(leased("https://abc.execute-api.eu-west-1.amazonaws.com/prod"))
	// Output:
	// true
	// false
	// false
}
