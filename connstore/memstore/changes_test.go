package memstore_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/internal/leak"
)

func put(t testing.TB, s *memstore.Store, rows ...sumu.Connection) {
	t.Helper()
	for _, c := range rows {
		if err := s.Put(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
}

// drain returns the changes that are pending.
func drain(ctx context.Context, s *memstore.Store, write func()) []sumu.Change {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	feed := s.Changes(ctx)
	write()
	var changes []sumu.Change
	synctest.Wait()
	// Nothing else writes: once the feed blocks, it is empty.
	go func() {
		synctest.Wait()
		cancel()
	}()
	for c := range feed {
		changes = append(changes, c)
	}
	return changes
}

func TestChangesAreJoinedByUserInOrder(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		s := new(memstore.Store)
		got := drain(t.Context(), s, func() {
			put(t, s,
				sumu.Connection{UserID: "u1", ID: "a"},
				sumu.Connection{UserID: "u2", ID: "a"},
				sumu.Connection{UserID: "u1", ID: "b"},
				sumu.Connection{UserID: "u3", ID: "a"},
				sumu.Connection{UserID: "u3", ID: "a"},
				sumu.Connection{UserID: "u1", ID: "a"},
			)
		})
		want := []sumu.Change{{UserID: "u1"}, {UserID: "u2", ConnectionID: "a"}, {UserID: "u3", ConnectionID: "a"}}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("changes are %v, want %v", got, want)
		}
	})
}

func TestWhatIsNoChange(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		s := new(memstore.Store)
		c := sumu.Connection{UserID: "u1", ID: "c1", ConnectedAt: time.Now()}
		put(t, s, c)
		absent := sumu.ConnectionRef{UserID: "u1", ConnectionID: "c2"}
		got := drain(ctx, s, func() {
			if err := s.Touch(ctx, c.Ref(), time.Now().Add(time.Hour)); err != nil {
				t.Error(err)
			}
			if err := s.Delete(ctx, absent); err != nil {
				t.Error(err)
			}
			if _, err := s.Prune(ctx, absent, time.Now()); err != nil {
				t.Error(err)
			}
			if removed, err := s.Prune(ctx, c.Ref(), c.ConnectedAt); removed || err != nil {
				t.Error(removed, err)
			}
			if n, err := s.SweepExpired(ctx, 0); n != 0 || err != nil {
				t.Error(n, err)
			}
			if err := s.SavePresence(ctx, sumu.PresenceRow{UserID: "u1", Seq: 1}); err != nil {
				t.Error(err)
			}
			if err := s.Refresh(ctx, c.Ref(), time.Now().Add(time.Hour)); err != nil {
				t.Error(err)
			}
			if _, err := s.PutCapped(ctx, sumu.Connection{UserID: "u1", ID: "c2"}, 1, false); !errors.Is(err, sumu.ErrLimit) {
				t.Error(err)
			}
			past := sumu.Record{Kind: "lease", Key: "u1", Rev: 1, DeleteAt: time.Unix(1, 0)}
			if err := s.SaveRecord(ctx, past); err != nil {
				t.Error(err)
			}
			if n, err := s.SweepExpired(ctx, 0); n != 1 || err != nil {
				t.Error(n, err)
			}
		})
		if len(got) != 0 {
			t.Errorf("changes are %v, want none", got)
		}
	})
}

func TestPruneLeavesAnExpiredRowToTheSweep(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		s := new(memstore.Store)
		c := sumu.Connection{UserID: "u1", ID: "c1", DeleteAt: time.Now().Add(-time.Second)}
		put(t, s, c)
		got := drain(t.Context(), s, func() {
			if removed, err := s.Prune(t.Context(), c.Ref(), time.Now()); removed || err != nil {
				t.Errorf("Prune reports %t, %v", removed, err)
			}
			if n, err := s.SweepExpired(t.Context(), 0); n != 1 || err != nil {
				t.Errorf("SweepExpired removes %d, %v", n, err)
			}
		})
		if len(got) != 1 || got[0].ConnectionID != "c1" {
			t.Errorf("changes are %v, want one of c1", got)
		}
	})
}

func TestPruneComparesToTheMillisecond(t *testing.T) {
	s := new(memstore.Store)
	// The row was accepted after notAfter, but in the same millisecond.
	at := time.UnixMilli(1_700_000_000_000).Add(800 * time.Microsecond)
	c := sumu.Connection{UserID: "u1", ID: "c1", ConnectedAt: at}
	put(t, s, c)
	if removed, err := s.Prune(t.Context(), c.Ref(), at.Add(-time.Microsecond)); removed || err != nil {
		t.Errorf("Prune reports %t, %v", removed, err)
	}
}
