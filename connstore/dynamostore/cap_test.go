package dynamostore_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/dynamostore"
)

// Nodes share nothing but the tables. While connections come and go, by every
// way that there is, no look at the table finds more than the cap, and a row is
// returned as evicted once at most.
func TestCapHoldsAmongNodes(t *testing.T) { over(t, testCapHoldsAmongNodes) }

func testCapHoldsAmongNodes(t *testing.T, db database) {
	const nodes, most, each = 4, 5, 25
	stores := make([]*dynamostore.StateStore, nodes)
	for i := range stores {
		var err error
		stores[i], err = dynamostore.NewWithState(db.client, db.named)
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx := t.Context()
	var (
		mu      sync.Mutex
		evicted = make(map[string]bool)
		limited int
	)
	connect := func(s *dynamostore.StateStore, id string, evict bool) error {
		gone, err := s.PutCapped(ctx, sumu.Connection{
			UserID: "ann", ID: id, ConnectedAt: time.Now(), DeleteAt: time.Now().Add(time.Hour),
		}, most, evict)
		mu.Lock()
		defer mu.Unlock()
		for _, c := range gone {
			if evicted[c.ID] {
				t.Errorf("%s is evicted twice", c.ID)
			}
			evicted[c.ID] = true
		}
		if errors.Is(err, sumu.ErrLimit) {
			limited++
			err = nil
		}
		return err
	}
	var writers, reader sync.WaitGroup
	done := make(chan struct{})
	reader.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			n := 0
			for _, err := range stores[0].ByUser(ctx, "ann") {
				if err != nil {
					t.Error(err)
					return
				}
				n++
			}
			if n > most {
				t.Errorf("there are %d connections, at most %d are allowed", n, most)
			}
		}
	})
	for node, s := range stores {
		writers.Go(func() {
			for i := range each {
				id := fmt.Sprint("n", node, "-", i)
				ref := sumu.ConnectionRef{UserID: "ann", ConnectionID: id}
				err := connect(s, id, i%3 == 0)
				switch i % 5 {
				case 1:
					err = errors.Join(err, s.Delete(ctx, ref))
				case 2:
					_, pruned := s.Prune(ctx, ref, time.Now().Add(time.Hour))
					err = errors.Join(err, pruned)
				case 3:
					touched := s.Touch(ctx, ref, time.Now().Add(-time.Hour))
					if !errors.Is(touched, sumu.ErrGone) {
						err = errors.Join(err, touched)
					}
				}
				if err != nil {
					t.Errorf("%s: %v", id, err)
				}
			}
		})
	}
	writers.Wait()
	close(done)
	reader.Wait()
	if len(evicted) == 0 || limited == 0 {
		t.Errorf("%d rows are evicted and %d refused: the cap was not reached", len(evicted), limited)
	}
	for c, err := range stores[0].ByUser(ctx, "ann") {
		if err != nil || evicted[c.ID] {
			t.Errorf("%s was evicted and is there: %v", c.ID, err)
		}
	}
}

// More than a transaction holds.
func TestPutCappedEvictsHundreds(t *testing.T) { over(t, testPutCappedEvictsHundreds) }

func testPutCappedEvictsHundreds(t *testing.T, db database) {
	ctx := t.Context()
	var transactions int
	refuse := errors.New("refused")
	d := &double{next: db.client}
	s, err := dynamostore.NewWithState(d, db.named)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Now()
	for i := range 250 {
		c := sumu.Connection{UserID: "ann", ID: fmt.Sprintf("c%03d", i), ConnectedAt: at.Add(time.Duration(i) * time.Millisecond)}
		if err := s.Put(ctx, c); err != nil {
			t.Fatal(err)
		}
	}
	d.before = func(in any) (any, error) {
		if _, ok := in.(*dynamodb.TransactWriteItemsInput); ok {
			if transactions++; transactions == 2 {
				return nil, refuse
			}
		}
		return nil, nil
	}
	// One that fails midway tells of what it has done.
	z := sumu.Connection{UserID: "ann", ID: "z", ConnectedAt: at.Add(time.Hour)}
	first, err := s.PutCapped(ctx, z, 10, true)
	if !errors.Is(err, refuse) || len(first) != 99 || first[0].ID != "c000" || first[98].ID != "c098" {
		t.Fatalf("%d rows are evicted, %v; want 99 and the refusal", len(first), err)
	}
	rest, err := s.PutCapped(ctx, z, 10, true)
	if err != nil || len(rest) != 142 || rest[0].ID != "c099" || rest[141].ID != "c240" {
		t.Errorf("%d rows are evicted, %v; want the other 142", len(rest), err)
	}
	left := 0
	for _, err := range s.ByUser(ctx, "ann") {
		if err != nil {
			t.Fatal(err)
		}
		left++
	}
	if left != 10 {
		t.Errorf("%d rows are left, want 10", left)
	}
}

// The pages of a count are not of one moment. What looks too many because rows
// came and went meanwhile is counted again.
func TestRefusalIsCertain(t *testing.T) {
	row := attributes{"user_id": s("ann"), "connection_id": s("old")}
	writes, queries := []string{"a", "b", "b", "b"}, 0 // The cap row changes under the first count.
	store, d := newDouble(t, func(in any) (any, error) {
		switch in.(type) {
		case *dynamodb.GetItemInput:
			out := &dynamodb.GetItemOutput{Item: map[string]types.AttributeValue{"write": s(writes[0])}}
			writes = writes[1:]
			return out, nil
		case *dynamodb.QueryInput:
			if queries++; queries == 1 {
				return &dynamodb.QueryOutput{Items: []attributes{row}}, nil
			}
			return &dynamodb.QueryOutput{}, nil
		}
		return &dynamodb.TransactWriteItemsOutput{}, nil
	})
	_, err := store.PutCapped(context.Background(), sumu.Connection{UserID: "ann", ID: "new"}, 1, false)
	if err != nil || queries != 2 {
		t.Errorf("PutCapped: %v after %d counts, want success after 2", err, queries)
	}
	if _, ok := d.calls[len(d.calls)-1].(*dynamodb.TransactWriteItemsInput); !ok {
		t.Errorf("the last call is a %T", d.calls[len(d.calls)-1])
	}
}

// A caller whose turn does not come leaves with its context.
func TestPutCappedWaitsForItsTurnNoLongerThanItsContext(t *testing.T) {
	under, release := make(chan struct{}), make(chan struct{})
	store, d := newDouble(t, func(any) (any, error) {
		close(under)
		<-release
		return nil, errors.New("reset")
	})
	first := make(chan error)
	put := func(ctx context.Context) error {
		_, err := store.PutCapped(ctx, sumu.Connection{UserID: "ann", ID: "c1"}, 1, false)
		return err
	}
	go func() { first <- put(t.Context()) }()
	<-under
	ctx, cancel := context.WithCancel(t.Context())
	second := make(chan error)
	go func() { second <- put(ctx) }()
	cancel()
	if err := <-second; !errors.Is(err, context.Canceled) {
		t.Errorf("the second: %v, want context.Canceled", err)
	}
	close(release)
	if err := <-first; !errors.Is(err, sumu.ErrUnavailable) || len(d.calls) != 1 {
		t.Errorf("the first: %v after %d calls", err, len(d.calls))
	}
}
