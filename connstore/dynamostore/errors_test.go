package dynamostore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/dynamostore"
)

var (
	ann  = sumu.ConnectionRef{UserID: "ann", ConnectionID: "c1"}
	soon = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
)

// calls are all calls of a store with a state table; each makes one or more of
// the client.
var calls = map[string]func(ctx context.Context, s *dynamostore.StateStore) error{
	"Put": func(ctx context.Context, s *dynamostore.StateStore) error {
		return s.Put(ctx, sumu.Connection{UserID: "ann", ID: "c1"})
	},
	"Get": func(ctx context.Context, s *dynamostore.StateStore) error {
		_, err := s.Get(ctx, ann)
		return err
	},
	"Delete": func(ctx context.Context, s *dynamostore.StateStore) error { return s.Delete(ctx, ann) },
	"Prune": func(ctx context.Context, s *dynamostore.StateStore) error {
		_, err := s.Prune(ctx, ann, soon)
		return err
	},
	"ByUser": func(ctx context.Context, s *dynamostore.StateStore) (failed error) {
		for _, err := range s.ByUser(ctx, "ann") {
			failed = errors.Join(failed, err)
		}
		return failed
	},
	"HasLive": func(ctx context.Context, s *dynamostore.StateStore) error {
		_, err := s.HasLive(ctx, "ann")
		return err
	},
	"All": func(ctx context.Context, s *dynamostore.StateStore) (failed error) {
		for _, err := range s.All(ctx, sumu.Segment{Index: 1, Count: 3}) {
			failed = errors.Join(failed, err)
		}
		return failed
	},
	"Touch":   func(ctx context.Context, s *dynamostore.StateStore) error { return s.Touch(ctx, ann, soon) },
	"Refresh": func(ctx context.Context, s *dynamostore.StateStore) error { return s.Refresh(ctx, ann, soon) },
	"SweepExpired": func(ctx context.Context, s *dynamostore.StateStore) error {
		_, err := s.SweepExpired(ctx, 0)
		return err
	},
	"Presence": func(ctx context.Context, s *dynamostore.StateStore) error {
		_, err := s.Presence(ctx, "ann")
		return err
	},
	"SavePresence": func(ctx context.Context, s *dynamostore.StateStore) error {
		return s.SavePresence(ctx, sumu.PresenceRow{UserID: "ann", Seq: 7})
	},
	"MarkAnnounced": func(ctx context.Context, s *dynamostore.StateStore) error {
		return s.MarkAnnounced(ctx, "ann", 7)
	},
	"PresenceRows": func(ctx context.Context, s *dynamostore.StateStore) (failed error) {
		for _, err := range s.PresenceRows(ctx, sumu.Segment{}) {
			failed = errors.Join(failed, err)
		}
		return failed
	},
	"LoadRecord": func(ctx context.Context, s *dynamostore.StateStore) error {
		_, err := s.LoadRecord(ctx, "ticket", "secret-key")
		return err
	},
	"SaveRecord": func(ctx context.Context, s *dynamostore.StateStore) error {
		return s.SaveRecord(ctx, sumu.Record{
			Kind: "ticket", Key: "secret-key", Value: []byte("secret-value"), Rev: 7, DeleteAt: soon,
		})
	},
	"DeleteRecord": func(ctx context.Context, s *dynamostore.StateStore) error {
		return s.DeleteRecord(ctx, "ticket", "secret-key", 7)
	},
	"PutCapped": func(ctx context.Context, s *dynamostore.StateStore) error {
		_, err := s.PutCapped(ctx, sumu.Connection{UserID: "ann", ID: "c1"}, 1, true)
		return err
	},
}

func TestErrorsAreTyped(t *testing.T) {
	for name, tt := range map[string]struct {
		cause error
		kind  error
	}{
		"too much for the table":   {&types.ProvisionedThroughputExceededException{}, sumu.ErrThrottled},
		"throttled":                {&types.ThrottlingException{}, sumu.ErrThrottled},
		"too much for the account": {&types.RequestLimitExceeded{}, sumu.ErrThrottled},
		"a fault of the server":    {&types.InternalServerError{}, sumu.ErrUnavailable},
		"a reset connection":       {errors.New("connection reset by peer"), sumu.ErrUnavailable},
		"not valid":                {&smithy.GenericAPIError{Code: "ValidationException"}, sumu.ErrInvalid},
		"not allowed":              {&smithy.GenericAPIError{Code: "AccessDeniedException"}, sumu.ErrForbidden},
		"another Region's write":   {&types.ReplicatedWriteConflictException{}, sumu.ErrConflict},
		"a code of tomorrow":       {&smithy.GenericAPIError{Code: "NewException"}, sumu.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			// A conflict is waited out.
			synctest.Test(t, func(t *testing.T) { testErrorIsTyped(t, tt.cause, tt.kind) })
		})
	}
}

func testErrorIsTyped(t *testing.T, cause, kind error) {
	for what, call := range calls {
		s, _ := newDouble(t, func(any) (any, error) { return nil, fmt.Errorf("operation error: %w", cause) })
		err := call(t.Context(), s)
		var typed *sumu.Error
		if !errors.Is(err, kind) || !errors.As(err, &typed) {
			t.Errorf("%s: error is %v, want a *sumu.Error that is %v", what, err, kind)
		}
		if !errors.Is(err, cause) {
			t.Errorf("%s: the cause is lost: %v", what, err)
		}
		permanent := kind == sumu.ErrInvalid || kind == sumu.ErrForbidden
		if sumu.Retryable(err) == permanent {
			t.Errorf("%s: Retryable of %v is %t", what, err, !permanent)
		}
		if strings.Contains(fmt.Sprint(err), "secret") {
			t.Errorf("%s: the error tells a secret: %v", what, err)
		}
	}
}

func TestTableThatDoesNotExistIsNamed(t *testing.T) {
	state := map[string]bool{
		"Presence": true, "SavePresence": true, "MarkAnnounced": true, "PresenceRows": true,
		"LoadRecord": true, "SaveRecord": true, "DeleteRecord": true,
	}
	for what, call := range calls {
		s, _ := newDouble(t, func(any) (any, error) { return nil, &types.ResourceNotFoundException{} },
			func(o *dynamostore.Options) { o.Connections, o.State = "conns", "rest" })
		table := "conns"
		if state[what] {
			table = "rest"
		}
		if what == "PutCapped" {
			table = "conns or rest"
		}
		err := call(t.Context(), s)
		want := "table " + table + " does not exist; create it with CreateTables or your infrastructure code"
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error is %v, want %q in it", what, err, want)
		}
		// A queue must not drop what it holds for it.
		if !errors.Is(err, sumu.ErrUnavailable) || !sumu.Retryable(err) {
			t.Errorf("%s: %v is not ErrUnavailable", what, err)
		}
		var missing *types.ResourceNotFoundException
		if !errors.As(err, &missing) {
			t.Errorf("%s: the cause is lost: %v", what, err)
		}
	}
}

func TestErrorOfTheContextStays(t *testing.T) {
	for what, call := range calls {
		ctx, cancel := context.WithCancel(t.Context())
		s, d := newDouble(t, func(any) (any, error) {
			cancel() // While the call is under way.
			return nil, &aws.RequestCanceledError{Err: errors.New("canceled")}
		})
		err := call(ctx, s)
		var typed *sumu.Error
		if !errors.Is(err, context.Canceled) || !errors.As(err, &typed) {
			t.Errorf("%s: error is %v, want a *sumu.Error that is context.Canceled", what, err)
		}
		if len(d.calls) != 1 {
			t.Errorf("%s: %d calls are made though the first was cancelled", what, len(d.calls))
		}
		if err = call(ctx, s); !errors.Is(err, context.Canceled) || len(d.calls) != 1 {
			t.Errorf("%s: with a context that has ended: %v, %d calls", what, err, len(d.calls))
		}
	}
}

func TestScanEndsWithItsFirstError(t *testing.T) {
	page := []map[string]types.AttributeValue{{
		"user_id":       &types.AttributeValueMemberS{Value: "ann"},
		"connection_id": &types.AttributeValueMemberS{Value: "c1"},
	}}
	n := 0
	s, _ := newDouble(t, func(any) (any, error) {
		if n++; n == 1 {
			return &dynamodb.ScanOutput{Items: page, LastEvaluatedKey: page[0]}, nil
		}
		return nil, &types.ThrottlingException{}
	})
	var got []string
	for c, err := range s.All(t.Context(), sumu.Segment{}) {
		got = append(got, fmt.Sprint(c.ID, errors.Is(err, sumu.ErrThrottled)))
	}
	if want := "[c1false true]"; fmt.Sprint(got) != want || n != 2 {
		t.Errorf("the scan yields %v in %d calls, want %v in 2", got, n, want)
	}
}

// A sweep that is cut short tells how far it has come.
func TestSweepThatIsThrottled(t *testing.T) {
	var rows []attributes
	for i := range 100 {
		rows = append(rows, attributes{"user_id": s("ann"), "connection_id": s(fmt.Sprint("c", i)), "delete_at": n(1)})
	}
	for _, good := range []int{0, 1, 50, 99} {
		var deletes atomic.Int64
		s, _ := newDouble(t, func(in any) (any, error) {
			if _, ok := in.(*dynamodb.ScanInput); ok {
				return &dynamodb.ScanOutput{Items: rows}, nil
			}
			if deletes.Add(1) > int64(good) {
				return nil, &types.ThrottlingException{}
			}
			return &dynamodb.DeleteItemOutput{}, nil
		})
		removed, err := s.SweepExpired(t.Context(), 0)
		if removed != good || !errors.Is(err, sumu.ErrThrottled) {
			t.Errorf("SweepExpired: %d, %v; want %d and ErrThrottled", removed, err, good)
		}
		if tried := deletes.Load(); tried > int64(good)+32 {
			t.Errorf("%d rows are tried though the first %d only succeed", tried, good)
		}
	}
}
