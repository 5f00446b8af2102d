package memstore

import (
	"context"
	"errors"
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

// TestASweepRemovesRecordsToo fills the store with as many records as rows, all
// expired, and some that are not.
func TestASweepRemovesRecordsToo(t *testing.T) {
	ctx := t.Context()
	s := new(Store)
	const n = 100
	for i := range n {
		id := fmt.Sprint("k", i)
		if err := s.Put(ctx, sumu.Connection{UserID: id, ID: "c", DeleteAt: time.Unix(1, 0)}); err != nil {
			t.Fatal(err)
		}
		r := sumu.Record{Kind: "past", Key: id, Rev: 1, DeleteAt: time.Unix(1, 0)}
		live := sumu.Record{Kind: "live", Key: id, Rev: 1, DeleteAt: time.Now().Add(time.Hour)}
		if err := errors.Join(s.SaveRecord(ctx, r), s.SaveRecord(ctx, live)); err != nil {
			t.Fatal(err)
		}
	}
	kept := func() (rows, records int) {
		for i := range s.records {
			s.connections[i].rows.page(key{}, 3*n, func(key, connection) bool { rows++; return true })
			s.records[i].rows.page(key{}, 3*n, func(key, record) bool { records++; return true })
		}
		return rows, records
	}
	// The rows go first: presence waits for them.
	for _, step := range []struct{ limit, removed, rows, records int }{
		{n / 2, n / 2, n / 2, 2 * n}, {n, n, 0, 3 * n / 2}, {0, n / 2, 0, n}, {0, 0, 0, n},
	} {
		removed, err := s.SweepExpired(ctx, step.limit)
		rows, records := kept()
		if err != nil || removed != step.removed || rows != step.rows || records != step.records {
			t.Errorf("with limit %d removed %d, %v; %d rows and %d records are left, want %+v",
				step.limit, removed, err, rows, records, step)
		}
	}
}
