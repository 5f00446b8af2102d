package presence

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/dynamostore"
	"github.com/sumu-live/sumu/internal/components"
	"github.com/sumu-live/sumu/presence"
)

// BenchmarkWatcher reports how many changes a watcher evaluates per second over
// dynoxide, in batches as a stream has them: of users for whom nothing changes,
// and of users who come or go with each. It measures the emulator as well.
func BenchmarkWatcher(b *testing.B) {
	endpoint := components.Dynoxide(b)
	const batch = 256
	for _, concurrency := range []int{1, 16, 64} {
		transport := &http.Transport{MaxIdleConnsPerHost: concurrency}
		defer transport.CloseIdleConnections()
		client := dynamodb.NewFromConfig(config(endpoint, &http.Client{Transport: transport}))
		named := tables("bench-" + fmt.Sprint(concurrency))
		if err := dynamostore.CreateTables(b.Context(), client, named); err != nil {
			b.Fatal(err)
		}
		store, err := dynamostore.NewWithState(client, named)
		if err != nil {
			b.Fatal(err)
		}
		accept := sumu.PresencePublisherFunc(func(context.Context, sumu.PresenceEvent) error { return nil })
		w, err := presence.New(store, accept, func(o *presence.Options) { o.Concurrency = concurrency })
		if err != nil {
			b.Fatal(err)
		}
		changes := make([]sumu.Change, batch)
		for i := range changes {
			changes[i] = sumu.Change{UserID: fmt.Sprint("user-", i), ConnectionID: "c"}
		}
		observe := func(b *testing.B) {
			if _, err := w.Observe(b.Context(), changes...); err != nil {
				b.Fatal(err)
			}
		}
		write := func(b *testing.B, live bool) {
			for _, c := range changes {
				var err error
				if live {
					err = store.Put(b.Context(), sumu.Connection{UserID: c.UserID, ID: c.ConnectionID})
				} else {
					err = store.Delete(b.Context(), sumu.ConnectionRef(c))
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		}
		b.Run(fmt.Sprintf("unchanged/concurrency=%d", concurrency), func(b *testing.B) {
			for b.Loop() {
				observe(b)
			}
			b.ReportMetric(float64(b.N*batch)/b.Elapsed().Seconds(), "evaluations/s")
		})
		b.Run(fmt.Sprintf("flip/concurrency=%d", concurrency), func(b *testing.B) {
			live := false
			for b.Loop() {
				b.StopTimer()
				live = !live
				write(b, live)
				b.StartTimer()
				observe(b)
			}
			b.ReportMetric(float64(b.N*batch)/b.Elapsed().Seconds(), "evaluations/s")
		})
	}
}
