package pusher_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/internal/leak"
	"github.com/sumu-live/sumu/pusher"
)

// A post gets all of its time, and at most a sixteenth more, whatever its
// worker did before: also after a pause, and after another that hung.
func TestPostTimeout(t *testing.T) {
	leak.Check(t)
	const timeout = 1600 * time.Millisecond
	for _, before := range []time.Duration{0, 1, 99, 100, 101, 250, 1599, 5_000} {
		synctest.Test(t, func(t *testing.T) {
			store := new(memstore.Store)
			fill(t, store, 1, 6)
			var given []time.Duration
			s := &sender{respond: func(ctx context.Context, c sumu.Connection, _ int) error {
				if c.ID == "c0" || c.ID == "c3" {
					time.Sleep(before * time.Millisecond) // It does not look at its context.
					return nil
				}
				begin := time.Now()
				<-ctx.Done()
				given = append(given, time.Since(begin))
				return ctx.Err()
			}}
			p := newPusher(t, store, s, func(o *pusher.Options) {
				o.PostTimeout, o.Concurrency, o.Tries = timeout, 1, 1
			})
			r := push(t, p, sumu.Notification{ID: "n", Users: []string{"u0"}, Data: everyone.Data})
			if r.Delivered != 2 || r.Requeued != 4 {
				t.Errorf("%d ms before: result %+v", before, r)
			}
			for _, d := range given {
				if d < timeout || d > timeout+timeout/16 {
					t.Errorf("%d ms before: a post got %v of %v", before, d, timeout)
				}
			}
		})
	}
}

// Each connection of a user gets it once, however many there are, and also when
// a push has to stop between any two.
func TestUserWithManyConnections(t *testing.T) {
	leak.Check(t)
	for _, n := range []int{1, 63, 64, 65, 200} {
		for _, seconds := range []int{10, 70, 1_000} {
			t.Run(fmt.Sprintf("%d in %d s", n, seconds), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					store := new(memstore.Store)
					fill(t, store, 1, n)
					s := &sender{respond: func(context.Context, sumu.Connection, int) error {
						time.Sleep(time.Second)
						return nil
					}}
					p := newPusher(t, store, s, inTurn)
					queue := []sumu.Notification{{ID: "n", Users: []string{"u0"}, Data: everyone.Data}}
					targets := 0
					for len(queue) > 0 {
						ctx, cancel := context.WithTimeout(t.Context(), time.Duration(seconds)*time.Second)
						results, _ := p.Push(ctx, queue[0])
						cancel()
						checkCounts(t, results[0])
						targets += results[0].Delivered
						if seconds == 1_000 && len(results[0].Remainder) > 0 {
							t.Errorf("result %+v; there was time for all", results[0])
						}
						queue = slices.Concat(queue[1:], results[0].Remainder)
					}
					if targets != n || s.total() != n || s.posts() != n {
						t.Errorf("%d delivered, %d posts; want %d", targets, s.posts(), n)
					}
				})
			})
		}
	}
}
