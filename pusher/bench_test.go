package pusher_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/pusher"
)

type discard struct{}

func (discard) Post(context.Context, sumu.Connection, *sumu.Payload) error { return nil }

// What a push costs beside the store's and the sender's own work.
func BenchmarkPush(b *testing.B) {
	store := new(memstore.Store)
	fill(b, store, 10_000, 1)
	many := sumu.Notification{ID: "n", Data: everyone.Data}
	for i := range 10_000 {
		many.Users = append(many.Users, fmt.Sprintf("u%d", i))
	}
	one := sumu.Notification{ID: "n", Data: everyone.Data, Users: many.Users[:1]}
	ten := make([]sumu.Notification, 10)
	for i := range ten {
		ten[i] = sumu.Notification{ID: fmt.Sprint(i), Data: everyone.Data, Users: many.Users[i : i+1]}
	}
	for _, bc := range []struct {
		name    string
		batch   []sumu.Notification
		targets int
	}{
		{"one user", []sumu.Notification{one}, 1},
		{"ten notifications", ten, 10},
		{"10000 users", []sumu.Notification{many}, 10_000},
		{"everyone of 10000", []sumu.Notification{everyone}, 10_000},
	} {
		b.Run(bc.name, func(b *testing.B) {
			p := newPusher(b, store, discard{}, func(o *pusher.Options) { o.Tries = 1 })
			b.ReportAllocs()
			for b.Loop() {
				results, err := p.Push(b.Context(), bc.batch...)
				if err != nil || results[0].Delivered == 0 {
					b.Fatal(results, err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*bc.targets), "ns/target")
		})
	}
}

// What the records of a worker cost beside the push of the same message.
func BenchmarkWorker(b *testing.B) {
	for _, records := range []bool{false, true} {
		b.Run(fmt.Sprintf("records %t", records), func(b *testing.B) {
			// Of each run: records know the messages of the one before.
			store := new(memstore.Store)
			fill(b, store, 1, 1)
			p := newPusher(b, store, discard{}, func(o *pusher.Options) { o.Tries = 1 })
			w, err := pusher.NewWorker(p, new(line), func(o *pusher.WorkerOptions) {
				if records {
					o.Records = store
				}
			})
			if err != nil {
				b.Fatal(err)
			}
			i := 0
			b.ReportAllocs()
			for b.Loop() {
				i++
				body := fmt.Sprintf(`{"id":"n%d","users":["u0"],"data":{"type":"order","id":7}}`, i)
				out := w.Handle(b.Context(), sumu.Delivery{Body: []byte(body)})
				if out[0].Err != nil || out[0].Result.Delivered != 1 {
					b.Fatal(out)
				}
			}
		})
	}
}
