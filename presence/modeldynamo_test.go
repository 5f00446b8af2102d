package presence_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/sumu-live/sumu/connstore/dynamostore"
	"github.com/sumu-live/sumu/internal/components"
	"github.com/sumu-live/sumu/internal/leak"
)

// TestModelOnDynoxide is TestModel over the real dynamostore, and a DynamoDB.
// make test-slow runs it ten times: the program becomes slow with the streams
// of all the tables that it has had.
func TestModelOnDynoxide(t *testing.T) {
	modelOnDynamoDB(t, components.Dynoxide(t), 300, 1_000)
}

// TestModelOnDynamoDBLocal is the same over the DynamoDB that AWS gives away.
func TestModelOnDynamoDBLocal(t *testing.T) {
	if os.Getenv("SUMU_SLOW") != "1" {
		t.Skip("takes minutes; run it with: make test-slow")
	}
	modelOnDynamoDB(t, components.DynamoDBLocal(t), 2_000, 2_000)
}

func modelOnDynamoDB(t *testing.T, endpoint string, walks, slowWalks int) {
	leak.Check(t)
	if os.Getenv("SUMU_SLOW") == "1" {
		walks = slowWalks
	}
	if raceEnabled {
		walks = walks * 2 / 3
	}
	if *walksFlag > 0 {
		walks = *walksFlag
	}
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64() >> 16
	}
	began := time.Now()
	total, violated, first := walksOnDynamoDB(t, endpoint, none, seed, walks)
	if violated > 0 {
		t.Errorf("%d of %d walks violate an invariant, at first: %v", violated, walks, first)
	}
	t.Logf("%d walks from seed %d in %v, %d violations: %+v", walks, seed, time.Since(began).Round(time.Second), violated, total)

	const originals = 100
	_, theirs, first := walksOnDynamoDB(t, endpoint, original, seed, originals)
	t.Logf("the original's algorithm there: %d of %d walks violate an invariant, for one %v; ours: %d of %d",
		theirs, originals, first, violated, walks)
	if theirs == 0 {
		t.Error("the model test finds nothing wrong with the original's algorithm")
	}
}

// walksOnDynamoDB runs walks, some at a time, each in tables of their own. It
// stops early when the real algorithm fails.
func walksOnDynamoDB(t *testing.T, endpoint string, broken rule, seed uint64, walks int) (total stats, violated int, first error) {
	var (
		mu   sync.Mutex
		wg   sync.WaitGroup
		next atomic.Uint64
	)
	for range 2 {
		tables := newTables(t, endpoint)
		wg.Go(func() {
			var st stats
			for i, own := next.Add(1)-1, 1; i < uint64(walks); i, own = next.Add(1)-1, own+1 {
				if own%200 == 0 {
					if err := tables.renew(); err != nil {
						t.Error(err)
						return
					}
				}
				w := planWorld(seed+i, broken, &st)
				// Far ahead: DynamoDB Local removes what has expired by its own clock.
				w.whole, w.start = true, time.Date(2100, 11, 1, 12, 0, 0, 0, time.UTC)
				w.populate(tables.empty)
				err := w.walk()
				mu.Lock()
				if err != nil {
					violated++
					if first == nil {
						first = fmt.Errorf("walk %d: %w", seed+i, err)
					}
				}
				stop := violated > 0 && broken == none
				mu.Unlock()
				if stop {
					break
				}
			}
			mu.Lock()
			total.add(st)
			mu.Unlock()
		})
	}
	wg.Wait()
	return total, violated, first
}

// tables are a pair of tables that one walk after the other uses.
type tables struct {
	client *dynamodb.Client
	names  dynamostore.Options
}

var tableNumber atomic.Int64

func newTables(t *testing.T, endpoint string) *tables {
	t.Helper()
	transport := new(http.Transport)
	t.Cleanup(transport.CloseIdleConnections)
	tb := &tables{client: dynamodb.New(dynamodb.Options{
		BaseEndpoint: &endpoint, Region: "us-east-1", HTTPClient: &http.Client{Transport: transport},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
		}),
	})}
	if err := tb.renew(); err != nil {
		t.Fatal(err)
	}
	return tb
}

// renew creates tables, and deletes those before: the stream of a table that
// lives long makes an emulator slow.
func (tb *tables) renew() error {
	old := tb.names
	n := tableNumber.Add(1)
	tb.names.Connections, tb.names.State = fmt.Sprint("model-connections-", n), fmt.Sprint("model-state-", n)
	err := dynamostore.CreateTables(bg, tb.client, tb.named)
	for _, name := range []string{old.Connections, old.State} {
		if name != "" {
			_, deleted := tb.client.DeleteTable(bg, &dynamodb.DeleteTableInput{TableName: &name})
			err = errors.Join(err, deleted)
		}
	}
	return err
}

func (tb *tables) named(o *dynamostore.Options) {
	o.Connections, o.State = tb.names.Connections, tb.names.State
}

// empty removes what the last walk has left, and returns a store.
func (tb *tables) empty(now func() time.Time) (modelStore, error) {
	err := errors.Join(tb.clear(tb.names.Connections, "user_id", "connection_id"), tb.clear(tb.names.State, "pk", "sk"))
	if err != nil {
		return nil, err
	}
	return dynamostore.NewWithState(tb.client, tb.named, func(o *dynamostore.Options) { o.Now = now })
}

func (tb *tables) clear(table, hash, sort string) error {
	out, err := tb.client.Scan(bg, &dynamodb.ScanInput{TableName: &table, ConsistentRead: aws.Bool(true)})
	if err != nil {
		return err
	}
	for _, it := range out.Items {
		_, err := tb.client.DeleteItem(bg, &dynamodb.DeleteItemInput{
			TableName: &table, Key: map[string]types.AttributeValue{hash: it[hash], sort: it[sort]},
		})
		if err != nil {
			return err
		}
	}
	return nil
}
