package presence_test

import (
	"context"
	"strconv"
	"testing"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/presence"
)

// BenchmarkEvaluate reports evaluations per second over memstore: of users for
// whom nothing changes, of users who come and go, and of batches on all cores.
func BenchmarkEvaluate(b *testing.B) {
	accept := sumu.PresencePublisherFunc(func(context.Context, sumu.PresenceEvent) error { return nil })
	const users = 1000
	setUp := func(b *testing.B) (*memstore.Store, func(...sumu.Change), []sumu.Change) {
		s := new(memstore.Store)
		w, err := presence.New(s, accept)
		if err != nil {
			b.Fatal(err)
		}
		changes := make([]sumu.Change, users)
		for i := range changes {
			changes[i].UserID = "user-" + strconv.Itoa(i)
			if err := s.Put(b.Context(), sumu.Connection{UserID: changes[i].UserID, ID: "c"}); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportAllocs()
		return s, func(c ...sumu.Change) {
			if _, err := w.Observe(b.Context(), c...); err != nil {
				b.Fatal(err)
			}
		}, changes
	}
	perSecond := func(b *testing.B, n int) {
		b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "evaluations/s")
	}
	b.Run("unchanged", func(b *testing.B) {
		_, observe, changes := setUp(b)
		for i := 0; b.Loop(); i++ {
			observe(changes[i%users])
		}
		perSecond(b, b.N)
	})
	b.Run("flip", func(b *testing.B) {
		s, observe, changes := setUp(b)
		observe(changes[0])
		ref := sumu.ConnectionRef{UserID: changes[0].UserID, ConnectionID: "c"}
		for i := 0; b.Loop(); i++ {
			if i%2 == 0 {
				_ = s.Delete(b.Context(), ref)
			} else {
				_ = s.Put(b.Context(), sumu.Connection{UserID: ref.UserID, ID: "c"})
			}
			observe(changes[0])
		}
		perSecond(b, b.N)
	})
	b.Run("batch", func(b *testing.B) {
		_, observe, changes := setUp(b)
		for b.Loop() {
			observe(changes...)
		}
		perSecond(b, b.N*users)
	})
}
