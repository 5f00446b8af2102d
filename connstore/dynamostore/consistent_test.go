package dynamostore_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/dynamostore"
)

// consistency is what a read asks for; ok is false for what is no read.
func consistency(in any) (what string, consistent, ok bool) {
	switch in := in.(type) {
	case *dynamodb.GetItemInput:
		return fmt.Sprint("GetItem of ", keyOf(in.Key)), aws.ToBool(in.ConsistentRead), true
	case *dynamodb.QueryInput:
		return fmt.Sprint("Query of ", *in.TableName), aws.ToBool(in.ConsistentRead), true
	case *dynamodb.ScanInput:
		return fmt.Sprint("Scan of ", *in.TableName), aws.ToBool(in.ConsistentRead), true
	}
	return "", false, false
}

// recipients are the reads that find to whom something is sent. What was
// answered before one of them began, it sees: a connect, a join, a subscribe.
var recipients = map[string]func(ctx context.Context, s *dynamostore.StateStore) error{
	"ByUser":  calls["ByUser"],
	"Members": func(ctx context.Context, s *dynamostore.StateStore) error { return drain(s.Members(ctx, "room", "")) },
	"IsMember": func(ctx context.Context, s *dynamostore.StateStore) error {
		_, err := s.IsMember(ctx, ann, "room")
		return err
	},
	"CountMembers": func(ctx context.Context, s *dynamostore.StateStore) error {
		_, err := s.CountMembers(ctx, "room")
		return err
	},
	"Subscribers": func(ctx context.Context, s *dynamostore.StateStore) error {
		return drain(s.Subscribers(ctx, event("T", `{"f":1}`), ""))
	},
}

func drain[R any](seq func(func(R, error) bool)) (err error) {
	for _, err = range seq {
		if err != nil {
			return err
		}
	}
	return nil
}

func TestRecipientsAreReadConsistently(t *testing.T) {
	for name, call := range recipients {
		s, d := newAttached(t)
		if err := call(t.Context(), s); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, in := range d.calls {
			if what, consistent, ok := consistency(in); ok && !consistent {
				t.Errorf("%s: the %s may miss what was answered before", name, what)
			}
		}
		if len(d.calls) == 0 {
			t.Errorf("%s reads nothing", name)
		}
	}
}

// newAttached returns a store in which ann has joined and subscribed, and what
// records its calls from now on.
func newAttached(t *testing.T, optFns ...func(*dynamostore.Options)) (*dynamostore.StateStore, *double) {
	t.Helper()
	d := &double{next: newMemDB()}
	s, err := dynamostore.NewWithState(d, append(optFns, func(o *dynamostore.Options) { o.SweepConcurrency = 1 })...)
	if err != nil {
		t.Fatal(err)
	}
	c := sumu.Connection{UserID: ann.UserID, ID: ann.ConnectionID}
	for _, err := range []error{
		s.Put(t.Context(), c),
		s.Join(t.Context(), c, "room", 9),
		s.Subscribe(t.Context(), c, 9, sumu.Subscription{EventType: "T"}, sumu.Subscription{EventType: "T", Field: "f", Filter: "1"}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	d.calls = nil
	return s, d
}
