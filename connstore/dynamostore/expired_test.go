package dynamostore_test

import (
	"errors"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/dynamostore"
)

// A membership that has expired and is still there was another's: who joins now
// begins anew, from the very second, and nothing is kept of the old rows.
func TestJoinBeginsAnewAfterAnExpiredMembership(t *testing.T) {
	for _, after := range []time.Duration{time.Hour, 2 * time.Hour} {
		db, clock := newMemDB(), newClock()
		store, err := dynamostore.NewWithState(db, func(o *dynamostore.Options) { o.Now = clock.now })
		if err != nil {
			t.Fatal(err)
		}
		join := func() (first string) {
			c := sumu.Connection{UserID: "ann", ID: "c1", DeleteAt: clock.now().Add(time.Hour).Truncate(time.Second)}
			if err := errors.Join(store.Put(t.Context(), c), store.Join(t.Context(), c, "room", 0)); err != nil {
				t.Fatal(err)
			}
			for key, it := range db.Rows("state") {
				if key[1] == "channel/room" {
					first = textOf(it["first"])
				}
			}
			return first
		}
		old := join()
		clock.advance(after.Truncate(time.Second))
		if first := join(); first == old || first == "" {
			t.Errorf("after %v the reverse row is still of the write %q", after, first)
		}
	}
}
