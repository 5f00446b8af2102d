package dynamostore_test

import (
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/dynamostore"
)

// newSwept returns a store with an expired row of ann's, and what runs between
// the scan of a sweep and its removals.
func newSwept(t *testing.T, between func(db *memDB, row sumu.Connection)) (*dynamostore.StateStore, sumu.Connection) {
	t.Helper()
	db, clock, once := newMemDB(), newClock(), false
	c := sumu.Connection{UserID: "ann", ID: "c1", DeleteAt: clock.now().Add(-time.Hour)}
	d := &double{next: db}
	d.before = func(in any) (any, error) {
		if _, removes := in.(*dynamodb.DeleteItemInput); removes && !once {
			once = true
			between(db, c)
		}
		return nil, nil
	}
	store, err := dynamostore.NewWithState(d, func(o *dynamostore.Options) { o.Now = clock.now })
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Put(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	return store, c
}

// A sweep removes on the condition that DeleteAt is what it read: another writer
// may just have written the row anew, or removed it.
func TestSweepLeavesWhatWasWrittenMeanwhile(t *testing.T) {
	for name, tt := range map[string]struct {
		deleteAt time.Duration // from the old one; 0: the row is removed
		left     bool
	}{
		"renewed":                  {2 * time.Hour, true},
		"written with another end": {-time.Minute, true}, // Expired as well: the next sweep's.
		"removed":                  {0, false},
	} {
		t.Run(name, func(t *testing.T) {
			var db *memDB
			store, c := newSwept(t, func(d *memDB, c sumu.Connection) {
				db = d
				key := keyOf(row{"user_id": s("ann"), "connection_id": s("c1")})
				if tt.deleteAt == 0 {
					d.Set("connections", key, nil)
					return
				}
				d.Set("connections", key, row{
					"user_id": s("ann"), "connection_id": s("c1"), "delete_at": n(c.DeleteAt.Add(tt.deleteAt).Unix()),
				})
			})
			removed, err := store.SweepExpired(t.Context(), 0)
			if removed != 0 || err != nil {
				t.Errorf("SweepExpired: %d, %v; want none", removed, err)
			}
			if left := len(db.Rows("connections")) == 1; left != tt.left {
				t.Errorf("the row is left: %t", left)
			}
			if _, err := store.Get(t.Context(), c.Ref()); tt.deleteAt > 0 && err != nil || tt.deleteAt <= 0 && !errors.Is(err, sumu.ErrGone) {
				t.Errorf("Get: %v", err)
			}
		})
	}
}

// A row of the original stack is expired from the second that its text spells.
func TestTextExpiresAtItsSecond(t *testing.T) {
	db, clock := newMemDB(), newClock()
	store, err := dynamostore.NewWithState(db, func(o *dynamostore.Options) { o.Now = clock.now })
	if err != nil {
		t.Fatal(err)
	}
	for after, live := range map[int64]bool{-1: false, 0: false, 1: true} {
		deleteAt := s(itoa(int(clock.now().Unix() + after)))
		db.Set("connections", keyOf(row{"user_id": s("ann"), "connection_id": s("c1")}),
			row{"user_id": s("ann"), "connection_id": s("c1"), "delete_at": deleteAt})
		if err := store.Touch(t.Context(), ann, soon); (err == nil) != live {
			t.Errorf("Touch of a row that expires in %d s: %v", after, err)
		}
	}
}
