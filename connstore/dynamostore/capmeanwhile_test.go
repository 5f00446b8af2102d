package dynamostore_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/dynamostore"
)

// Between the count and the write of PutCapped another node may do anything: the
// cap holds all the same, and nobody is told of an eviction that was not his.
func TestPutCappedMeetsAnotherNode(t *testing.T) {
	at := time.Unix(1_800_000_000, 0)
	oldest := sumu.Connection{UserID: "ann", ID: "a", ConnectedAt: at}
	for name, tt := range map[string]struct {
		oldest  sumu.Connection
		most    int
		between func(ctx context.Context, s *dynamostore.StateStore) error
		evicted []string
		left    []string
	}{
		"another is first": {oldest, 2, func(ctx context.Context, s *dynamostore.StateStore) error {
			_, err := s.PutCapped(ctx, sumu.Connection{UserID: "ann", ID: "c", ConnectedAt: at.Add(2 * time.Second)}, 2, true)
			return err
		}, []string{"b"}, []string{"c", "new"}},
		"another takes the last place": {oldest, 3, func(ctx context.Context, s *dynamostore.StateStore) error {
			_, err := s.PutCapped(ctx, sumu.Connection{UserID: "ann", ID: "c", ConnectedAt: at.Add(2 * time.Second)}, 3, true)
			return err
		}, []string{"a"}, []string{"b", "c", "new"}},
		"the oldest is written anew": {oldest, 2, func(ctx context.Context, s *dynamostore.StateStore) error {
			return s.Put(ctx, sumu.Connection{UserID: "ann", ID: "a", ConnectedAt: at.Add(2 * time.Second)})
		}, []string{"b"}, []string{"a", "new"}},
		"one without a time is written anew": {
			sumu.Connection{UserID: "ann", ID: "a"}, 2, func(ctx context.Context, s *dynamostore.StateStore) error {
				return s.Put(ctx, sumu.Connection{UserID: "ann", ID: "a", ConnectedAt: at.Add(2 * time.Second)})
			}, []string{"b"}, []string{"a", "new"},
		},
		"the oldest is removed": {oldest, 2, func(ctx context.Context, s *dynamostore.StateStore) error {
			return s.Delete(ctx, ann1("a"))
		}, nil, []string{"b", "new"}},
		"one without a time is removed": {
			sumu.Connection{UserID: "ann", ID: "a"}, 2, func(ctx context.Context, s *dynamostore.StateStore) error {
				return s.Delete(ctx, ann1("a"))
			}, nil, []string{"b", "new"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			db, clock := newMemDB(), func(o *dynamostore.Options) { o.Now = func() time.Time { return at } }
			other, err := dynamostore.NewWithState(db, clock)
			if err != nil {
				t.Fatal(err)
			}
			d, met := &double{next: db}, false
			d.before = func(in any) (any, error) {
				if _, commits := in.(*dynamodb.TransactWriteItemsInput); commits && !met {
					met = true
					return nil, tt.between(t.Context(), other)
				}
				return nil, nil
			}
			s, err := dynamostore.NewWithState(d, clock)
			if err != nil {
				t.Fatal(err)
			}
			// The cap row is there already, as it is for all but the first.
			for _, c := range []sumu.Connection{tt.oldest, {UserID: "ann", ID: "b", ConnectedAt: at.Add(time.Second)}} {
				if _, err := other.PutCapped(t.Context(), c, 2, true); err != nil {
					t.Fatal(err)
				}
			}
			gone, err := s.PutCapped(t.Context(), sumu.Connection{UserID: "ann", ID: "new", ConnectedAt: at.Add(time.Minute)}, tt.most, true)
			if err != nil {
				t.Fatal(err)
			}
			var evicted, left []string
			for _, c := range gone {
				evicted = append(evicted, c.ID)
			}
			for c, err := range other.ByUser(t.Context(), "ann") {
				if err != nil {
					t.Fatal(err)
				}
				left = append(left, c.ID)
			}
			if !slices.Equal(evicted, tt.evicted) || !slices.Equal(left, tt.left) {
				t.Errorf("%q are evicted and %q left, want %q and %q", evicted, left, tt.evicted, tt.left)
			}
		})
	}
}

func ann1(id string) sumu.ConnectionRef { return sumu.ConnectionRef{UserID: "ann", ConnectionID: id} }
