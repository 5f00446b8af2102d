package dynamostore_test

import (
	"os"
	"sync/atomic"
	"testing"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/dynamostore"
	"github.com/sumu-live/sumu/connstore/storetest"
	"github.com/sumu-live/sumu/internal/components"
	"github.com/sumu-live/sumu/internal/leak"
)

// all are the powers of a StateStore.
func all(f storetest.Features) storetest.Features {
	f.Touch, f.Sweep, f.Refresh = true, true, true
	f.Presence, f.State, f.Cap = true, true, true
	f.Channels, f.Subscriptions = true, true
	return f
}

// runSuite runs the suite against stores with a state table, each with tables of
// its own.
func runSuite(t *testing.T, endpoint string, pageSize int, f storetest.Features) {
	leak.Check(t)
	client, clock := newClient(t, endpoint), newClock()
	f.Now, f.Advance = clock.now, clock.advance
	storetest.Run(t, func(t *testing.T) sumu.Store {
		s, err := dynamostore.NewWithState(client, newTables(t, client), func(o *dynamostore.Options) {
			o.Now, o.PageSize = clock.now, pageSize
		})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}, all(f))
}

// The suite without an emulator: a break of the contract dies in go test. Pages
// are small, so that nearly every read has more than one.
func TestStateStoreInMemory(t *testing.T) {
	leak.Check(t)
	clock := newClock()
	storetest.Run(t, func(t *testing.T) sumu.Store {
		s, err := dynamostore.NewWithState(newMemDB(), func(o *dynamostore.Options) { o.Now, o.PageSize = clock.now, 25 })
		if err != nil {
			t.Fatal(err)
		}
		return s
	}, all(storetest.Features{Now: clock.now, Advance: clock.advance, Crowd: 110, Rounds: 40}))
}

// The same over a DynamoDB that is behind: a read that is not strongly
// consistent misses what was written since the store last caught up. All and
// SweepExpired may, no other.
func TestStateStoreOnALaggingDatabase(t *testing.T) {
	leak.Check(t)
	clock := newClock()
	var caughtUp atomic.Int64
	var db *memDB
	storetest.Run(t, func(t *testing.T) sumu.Store {
		db = newMemDB()
		caughtUp.Store(0)
		db.Behind = func(_ any, written int) int { return written - int(caughtUp.Load()) }
		s, err := dynamostore.NewWithState(db, func(o *dynamostore.Options) { o.Now, o.PageSize = clock.now, 25 })
		if err != nil {
			t.Fatal(err)
		}
		return s
	}, all(storetest.Features{
		Now: clock.now, Advance: clock.advance, Crowd: 110, Rounds: 40,
		CatchUp: func(sumu.Store) { caughtUp.Store(int64(db.Written())) },
	}))
}

// A store of one table, with its default options.
func TestStoreInMemory(t *testing.T) {
	leak.Check(t)
	storetest.Run(t, func(t *testing.T) sumu.Store {
		s, err := dynamostore.New(newMemDB())
		if err != nil {
			t.Fatal(err)
		}
		return s
	}, storetest.Features{Touch: true, Sweep: true, Refresh: true, Crowd: 3_000, Rounds: 40})
}

// Pages of 150 hold all rows but a crowd's: dynoxide 1.2.1 ends the scan of a
// segment early when the row that it is to go on behind was deleted.
func TestStateStoreOnDynoxide(t *testing.T) {
	runSuite(t, components.Dynoxide(t), 150, storetest.Features{Crowd: 610, Rounds: 50})
}

func TestStateStoreOnDynamoDBLocal(t *testing.T) {
	runSuite(t, components.DynamoDBLocal(t), 25, storetest.Features{Crowd: 110, Rounds: 10})
}

// The same with pages as large as DynamoDB makes them.
func TestStateStoreWithLargePages(t *testing.T) {
	if os.Getenv("SUMU_SLOW") != "1" {
		t.Skip("takes minutes; run it with: make test-slow")
	}
	t.Run("dynoxide", func(t *testing.T) { runSuite(t, components.Dynoxide(t), 0, storetest.Features{}) })
	t.Run("DynamoDB Local", func(t *testing.T) { runSuite(t, components.DynamoDBLocal(t), 0, storetest.Features{}) })
}

// A store of one table has the powers of one table, and says so.
func TestStoreOnDynoxide(t *testing.T) {
	endpoint := components.Dynoxide(t)
	leak.Check(t)
	client := newClient(t, endpoint)
	newStore := func(t *testing.T) sumu.Store {
		s, err := dynamostore.New(client, newTables(t, client), func(o *dynamostore.Options) {
			o.State, o.PageSize = "", 150
		})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	if os.Getenv("SUMU_SLOW") == "1" { // Its code is that of a StateStore.
		storetest.Run(t, newStore, storetest.Features{Touch: true, Sweep: true, Refresh: true, Crowd: 610, Rounds: 50})
		return
	}
	s := newStore(t)
	_, presence := s.(sumu.PresenceStore)
	_, state := s.(sumu.StateStore)
	_, capper := s.(sumu.Capper)
	if presence || state || capper {
		t.Errorf("it is a PresenceStore: %t, a StateStore: %t, a Capper: %t", presence, state, capper)
	}
	c := sumu.Connection{UserID: "ann", ID: "c1"}
	if err := s.Put(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Get(t.Context(), c.Ref()); err != nil || got != c {
		t.Errorf("Get returns %+v, %v", got, err)
	}
}
