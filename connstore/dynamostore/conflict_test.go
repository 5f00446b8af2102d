package dynamostore_test

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/sumu-live/sumu"
)

func TestWriteWaitsForTransaction(t *testing.T) {
	for _, tt := range []struct {
		conflicts int
		want      error
		calls     int
	}{
		{0, nil, 1},
		{3, nil, 4},
		{1000, sumu.ErrConflict, 10},
	} {
		synctest.Test(t, func(t *testing.T) {
			n := 0
			s, d := newDouble(t, func(any) (any, error) {
				if n++; n <= tt.conflicts {
					return nil, &types.TransactionConflictException{}
				}
				return &dynamodb.PutItemOutput{}, nil
			})
			err := s.Put(t.Context(), sumu.Connection{UserID: "ann", ID: "c1"})
			if !errors.Is(err, tt.want) || len(d.calls) != tt.calls {
				t.Errorf("after %d conflicts: %v in %d calls, want %v in %d", tt.conflicts, err, len(d.calls), tt.want, tt.calls)
			}
			if tt.want != nil && !sumu.Retryable(err) {
				t.Errorf("%v is not retryable", err)
			}
		})
	}
}

// cancelled is the answer to a transaction, by the codes of its reasons.
func cancelled(codes ...string) error {
	err := &types.TransactionCanceledException{}
	for _, code := range codes {
		err.CancellationReasons = append(err.CancellationReasons, types.CancellationReason{Code: aws.String(code)})
	}
	return err
}

func TestPutCappedBeginsAnewAfterAConflict(t *testing.T) {
	for _, tt := range []struct {
		name    string
		answers []error // the last one stays
		want    error
		tries   int
	}{
		{"none", []error{nil}, nil, 1},
		{"another was first", []error{cancelled("ConditionalCheckFailed", "None"), nil}, nil, 2},
		{"another is under way", []error{cancelled("TransactionConflict", "None"), nil}, nil, 2},
		{"an evicted row has gone", []error{cancelled("None", "None", "ConditionalCheckFailed"), nil}, nil, 2},
		{"others are always first", []error{cancelled("TransactionConflict")}, sumu.ErrConflict, 100},
		{"throttled", []error{cancelled("None", "ThrottlingError"), nil}, sumu.ErrThrottled, 1},
		{"too much for the table", []error{cancelled("ConditionalCheckFailed", "ProvisionedThroughputExceeded"), nil}, sumu.ErrThrottled, 1},
		{"not valid", []error{cancelled("ValidationError", "TransactionConflict"), nil}, sumu.ErrInvalid, 1},
		{"no reason", []error{cancelled("None"), nil}, sumu.ErrUnavailable, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tries := 0
				tokens := make(map[string]bool)
				s, _ := newDouble(t, func(in any) (any, error) {
					switch in := in.(type) {
					case *dynamodb.GetItemInput:
						return &dynamodb.GetItemOutput{}, nil
					case *dynamodb.QueryInput:
						return &dynamodb.QueryOutput{}, nil
					case *dynamodb.TransactWriteItemsInput:
						tokens[*in.ClientRequestToken] = true
					}
					err := tt.answers[min(tries, len(tt.answers)-1)]
					tries++
					return &dynamodb.TransactWriteItemsOutput{}, err
				})
				_, err := s.PutCapped(t.Context(), sumu.Connection{UserID: "ann", ID: "c1"}, 1, true)
				if !errors.Is(err, tt.want) || tries != tt.tries {
					t.Errorf("%v after %d transactions, want %v after %d", err, tries, tt.want, tt.tries)
				}
				if len(tokens) != tries {
					t.Errorf("%d transactions have %d tokens: one would be taken for another's repetition", tries, len(tokens))
				}
			})
		})
	}
}

// The client writes again when an answer is lost; the condition then fails
// because of the first time.
func TestLostAnswerIsNoConflict(t *testing.T) {
	for _, what := range []string{"SavePresence", "SaveRecord"} {
		s, _ := newDouble(t, func(in any) (any, error) {
			return nil, &types.ConditionalCheckFailedException{Item: in.(*dynamodb.PutItemInput).Item}
		})
		if err := calls[what](t.Context(), s); err != nil {
			t.Errorf("%s after a lost answer: %v", what, err)
		}
		// What another has written is a conflict, and so is an old row of ours.
		var last map[string]types.AttributeValue
		s, _ = newDouble(t, func(in any) (any, error) {
			err := &types.ConditionalCheckFailedException{Item: last}
			last = in.(*dynamodb.PutItemInput).Item
			return nil, err
		})
		for range 2 {
			if err := calls[what](t.Context(), s); !errors.Is(err, sumu.ErrConflict) {
				t.Errorf("%s after another's write: %v", what, err)
			}
		}
	}
}
