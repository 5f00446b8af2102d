package dynamostore_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/dynamostore"
)

func TestNewReportsEveryBadOption(t *testing.T) {
	_, err := dynamostore.New((*dynamodb.Client)(nil), func(o *dynamostore.Options) {
		o.State, o.PageSize, o.SweepConcurrency = "state", 100_001, -1
	})
	if !errors.Is(err, sumu.ErrInvalid) {
		t.Errorf("error is %v, want ErrInvalid", err)
	}
	for _, want := range []string{"client", "State", "PageSize", "SweepConcurrency"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not tell of %s: %v", want, err)
		}
	}
	for name, bad := range map[string]func(*dynamostore.Options){
		"one table for both":  func(o *dynamostore.Options) { o.Connections, o.State = "x", "x" },
		"too large a page":    func(o *dynamostore.Options) { o.PageSize = 100_001 },
		"too many at a time":  func(o *dynamostore.Options) { o.SweepConcurrency = 1001 },
		"too few at a time":   func(o *dynamostore.Options) { o.SweepConcurrency = -1 },
		"the default's table": func(o *dynamostore.Options) { o.State = "connections" },
	} {
		if s, err := dynamostore.NewWithState(nowhere, bad); !errors.Is(err, sumu.ErrInvalid) || s != nil {
			t.Errorf("%s: %v, %v; want ErrInvalid", name, s, err)
		}
	}
	if _, err := dynamostore.NewWithState(nil); !errors.Is(err, sumu.ErrInvalid) {
		t.Errorf("without a client: %v, want ErrInvalid", err)
	}
}

func TestDefaults(t *testing.T) {
	s, d := newDouble(t, func(in any) (any, error) {
		switch in := in.(type) {
		case *dynamodb.QueryInput:
			if *in.TableName != "connections" || in.Limit != nil || !*in.ConsistentRead {
				t.Errorf("ByUser asks for %s, limit %v, consistent %t", *in.TableName, in.Limit, *in.ConsistentRead)
			}
			return &dynamodb.QueryOutput{}, nil
		case *dynamodb.GetItemInput:
			if *in.TableName != "state" || !*in.ConsistentRead {
				t.Errorf("Presence asks for %s, consistent %t", *in.TableName, *in.ConsistentRead)
			}
		}
		return &dynamodb.GetItemOutput{}, nil
	})
	if len(d.calls) != 0 {
		t.Errorf("%d calls are made before the first is asked for", len(d.calls))
	}
	for _, call := range []string{"ByUser", "Presence"} {
		if err := calls[call](t.Context(), s); err != nil {
			t.Errorf("%s: %v", call, err)
		}
	}
}

func TestBadCursorIsRefused(t *testing.T) {
	s, d := newDouble(t, nil)
	for _, seg := range []sumu.Segment{
		{After: sumu.ConnectionRef{UserID: "ann"}},
		{After: sumu.ConnectionRef{ConnectionID: "c1"}},
		{Count: 1_000_001},
	} {
		for _, err := range s.All(t.Context(), seg) {
			if !errors.Is(err, sumu.ErrInvalid) {
				t.Errorf("All of %+v: %v, want ErrInvalid", seg, err)
			}
		}
	}
	if len(d.calls) > 0 {
		t.Errorf("%d calls are made", len(d.calls))
	}
}

func TestKindThatIsNotUTF8IsRefused(t *testing.T) {
	s, _ := newDouble(t, nil)
	if _, err := s.LoadRecord(t.Context(), "\xff", "k"); !errors.Is(err, sumu.ErrInvalid) {
		t.Errorf("LoadRecord: %v, want ErrInvalid", err)
	}
}
