package notify_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/notify"
)

// delivering is a pusher to so many connections that take everything.
type delivering int

func (d delivering) Push(_ context.Context, batch ...sumu.Notification) ([]sumu.Result, error) {
	results := make([]sumu.Result, len(batch))
	for i := range batch {
		results[i] = sumu.Result{ID: batch[i].ID, Targets: int(d), Delivered: int(d)}
	}
	return results, nil
}

// BenchmarkLocal is what the queue costs beside the pushes.
func BenchmarkLocal(b *testing.B) {
	for _, senders := range []int{1, 32} {
		b.Run(fmt.Sprint("senders_", senders), func(b *testing.B) {
			l, err := notify.NewLocal(delivering(1000))
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			b.SetParallelism(senders)
			b.RunParallel(func(pb *testing.PB) {
				n := note("n")
				for pb.Next() {
					if err := l.Send(context.Background(), n); err != nil {
						b.Fatal(err)
					}
				}
			})
			if err := l.Close(context.Background()); err != nil {
				b.Fatal(err)
			}
		})
	}
}
