package presence_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/sumu-live/sumu/connstore/dynamostore"
	"github.com/sumu-live/sumu/internal/leak"
	"github.com/sumu-live/sumu/internal/memdb"
)

// lateWorld is a walk over dynamostore and a database whose replicas are behind:
// what is not read strongly consistent is read as it was some writes ago. wrap,
// if set, is between the two.
func lateWorld(seed uint64, st *stats, wrap func(dynamostore.Client) dynamostore.Client) *world {
	w := planWorld(seed, none, st)
	w.whole, w.start = true, time.UnixMilli(1_700_000_000_000).UTC()
	w.populate(func(now func() time.Time) (modelStore, error) {
		db := memdb.New()
		db.Behind = func(any, int) int {
			if w.calm { // In the end they catch up.
				return 0
			}
			return w.rng.IntN(8)
		}
		w.missed = func(c *conn) bool {
			return db.Row("connections", memdb.Key{c.ref.UserID, c.ref.ConnectionID}) != nil
		}
		client := dynamostore.Client(db)
		if wrap != nil {
			client = wrap(db)
		}
		return dynamostore.NewWithState(client, func(o *dynamostore.Options) { o.Now, o.SweepConcurrency = now, 1 })
	})
	return w
}

// TestModelOnALaggingDatabase is TestModel over dynamostore, without an emulator,
// which would never be late.
func TestModelOnALaggingDatabase(t *testing.T) {
	leak.Check(t)
	walks, seed, total := uint64(1_500), uint64(time.Now().UnixNano()>>8), stats{}
	if raceEnabled || testing.Short() {
		walks /= 15
	}
	if *walksFlag > 0 {
		walks = uint64(*walksFlag)
	}
	if *seedFlag != 0 {
		seed = *seedFlag
	}
	for i := range walks {
		if err := lateWorld(seed+i, &total, nil).walk(); err != nil {
			t.Fatalf("walk %d: %v\nrun it again: go test ./presence -run '^%s$' -presence.seed=%d -presence.walks=1",
				seed+i, err, t.Name(), seed+i)
		}
	}
	t.Logf("%d walks from seed %d, no violation: %+v", walks, seed, total)
	if walks >= 1000 && (total.events == 0 || total.conflicts == 0 || total.repaired == 0 || total.swept == 0) {
		t.Errorf("the walks prove little: %+v", total)
	}
}

// lateClient has HasLive be eventually consistent, as it is when nobody asks for
// more.
type lateClient struct{ dynamostore.Client }

func (c lateClient) Query(ctx context.Context, in *dynamodb.QueryInput, o ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	in.ConsistentRead = nil
	return c.Client.Query(ctx, in, o...)
}

// Presence rests on HasLive being strongly consistent: the model misses it. (Not
// so with the presence row: whoever read an old one loses to its Seq.)
func TestModelMissesAConsistentHasLive(t *testing.T) {
	for seed := uint64(1); seed <= 5_000; seed++ {
		w := lateWorld(seed, new(stats), func(db dynamostore.Client) dynamostore.Client { return lateClient{db} })
		w.trusting = true
		if err := w.walk(); err != nil {
			if strings.Contains(err.Error(), "failed by itself") {
				t.Fatal(err)
			}
			t.Logf("after %d walks: %v", seed, err)
			return
		}
	}
	t.Error("no violation in 5,000 walks")
}
