package memstore

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/leak"
)

// TestASweepOfManyStepsMissesNothing sweeps one user's rows, more than are
// looked at under one hold of the lock, while the others are written.
func TestASweepOfManyStepsMissesNothing(t *testing.T) {
	leak.Check(t)
	ctx := t.Context()
	now := time.Now()
	s := &Store{Now: func() time.Time { return now }}
	const n = 3 * sweepWork
	write := func(i int, expires time.Time) {
		c := sumu.Connection{UserID: "guest", ID: fmt.Sprint("c", i), DeleteAt: expires}
		if err := s.Put(ctx, c); err != nil {
			t.Error(err)
		}
	}
	for i := range n {
		// Runs of expired rows, so that whole blocks go, and single ones.
		expires := now.Add(time.Hour)
		if i%1000 < 500 || i%7 == 0 {
			expires = now.Add(-time.Hour)
		}
		write(i, expires)
	}
	var writer sync.WaitGroup
	writer.Go(func() {
		for i := n; i < n+2000; i++ {
			write(i, now.Add(time.Hour))
		}
	})
	expired := 0
	for i := range n {
		if i%1000 < 500 || i%7 == 0 {
			expired++
		}
	}
	removed, err := s.SweepExpired(ctx, 0)
	if err != nil || removed != expired {
		t.Errorf("removed %d rows, %v, want %d", removed, err, expired)
	}
	writer.Wait()
	left := 0
	for c, err := range s.ByUser(ctx, "guest") {
		if err != nil || !c.Live(now) {
			t.Fatalf("%+v, %v", c, err)
		}
		left++
	}
	if want := n - expired + 2000; left != want {
		t.Errorf("%d rows are left, want %d", left, want)
	}
	// Once it has been looked at, nothing is looked at again until the next expiry.
	sh := &s.connections[shardOf(s.key("guest", "").hash)]
	if at := now.Add(time.Hour).UnixMilli(); sh.rows.soonest != at {
		t.Errorf("the shard expects an expiry at %d, want %d", sh.rows.soonest, at)
	}
}

func TestASweepStopsWithItsContext(t *testing.T) {
	s := new(Store)
	for i := range 10 {
		c := sumu.Connection{UserID: fmt.Sprint("u", i), ID: "c", DeleteAt: time.Unix(1, 0)}
		if err := s.Put(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if n, err := s.SweepExpired(ctx, 0); n != 0 || err == nil {
		t.Errorf("removed %d rows, error %v", n, err)
	}
	if n, err := s.SweepExpired(t.Context(), 0); n != 10 || err != nil {
		t.Errorf("removed %d rows, error %v", n, err)
	}
}
