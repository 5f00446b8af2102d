package dynamostore_test

import (
	"context"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/sumu-live/sumu/connstore/dynamostore"
)

// double is a client that stands before another, or before nothing. What
// before returns for a call is its outcome; nil, nil hands the call on.
type double struct {
	next   dynamostore.Client
	before func(in any) (out any, err error)

	mu    sync.Mutex
	calls []any             // the inputs, in their order
	spent map[string]uint64 // tenths of a unit, by the name of the operation
}

func call[In, Out any](
	d *double, ctx context.Context, in *In, opts []func(*dynamodb.Options),
	next func(context.Context, *In, ...func(*dynamodb.Options)) (*Out, error),
) (*Out, error) {
	d.mu.Lock()
	d.calls = append(d.calls, in)
	d.mu.Unlock()
	if d.before != nil {
		if out, err := d.before(in); out != nil || err != nil {
			typed, _ := out.(*Out)
			return typed, err
		}
	}
	return next(ctx, in, opts...)
}

func (d *double) GetItem(ctx context.Context, in *dynamodb.GetItemInput, o ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	in.ReturnConsumedCapacity = types.ReturnConsumedCapacityTotal
	out, err := call(d, ctx, in, o, d.next.GetItem)
	if err == nil {
		d.spend("read", out.ConsumedCapacity)
	}
	return out, err
}

func (d *double) PutItem(ctx context.Context, in *dynamodb.PutItemInput, o ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	in.ReturnConsumedCapacity = types.ReturnConsumedCapacityTotal
	out, err := call(d, ctx, in, o, d.next.PutItem)
	if err == nil {
		d.spend("write", out.ConsumedCapacity)
	}
	return out, err
}

func (d *double) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, o ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	in.ReturnConsumedCapacity = types.ReturnConsumedCapacityTotal
	out, err := call(d, ctx, in, o, d.next.UpdateItem)
	if err == nil {
		d.spend("write", out.ConsumedCapacity)
	}
	return out, err
}

func (d *double) DeleteItem(ctx context.Context, in *dynamodb.DeleteItemInput, o ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error) {
	in.ReturnConsumedCapacity = types.ReturnConsumedCapacityTotal
	out, err := call(d, ctx, in, o, d.next.DeleteItem)
	if err == nil {
		d.spend("write", out.ConsumedCapacity)
	}
	return out, err
}

func (d *double) Query(ctx context.Context, in *dynamodb.QueryInput, o ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	in.ReturnConsumedCapacity = types.ReturnConsumedCapacityTotal
	out, err := call(d, ctx, in, o, d.next.Query)
	if err == nil {
		d.spend("read", out.ConsumedCapacity)
	}
	return out, err
}

func (d *double) Scan(ctx context.Context, in *dynamodb.ScanInput, o ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error) {
	in.ReturnConsumedCapacity = types.ReturnConsumedCapacityTotal
	out, err := call(d, ctx, in, o, d.next.Scan)
	if err == nil {
		d.spend("read", out.ConsumedCapacity)
	}
	return out, err
}

func (d *double) TransactWriteItems(ctx context.Context, in *dynamodb.TransactWriteItemsInput, o ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error) {
	in.ReturnConsumedCapacity = types.ReturnConsumedCapacityTotal
	out, err := call(d, ctx, in, o, d.next.TransactWriteItems)
	if err == nil {
		for _, c := range out.ConsumedCapacity {
			d.spend("write", &c)
		}
	}
	return out, err
}

func (d *double) spend(kind string, c *types.ConsumedCapacity) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.spent == nil {
		d.spent = make(map[string]uint64)
	}
	if c == nil || c.CapacityUnits == nil {
		d.spent["unreported"]++
		return
	}
	d.spent[kind] += uint64(*c.CapacityUnits*10 + 0.5)
}

// costs returns what the calls of f have cost, in tenths of a unit.
func (d *double) costs(t *testing.T, f func() error) (reads, writes uint64) {
	t.Helper()
	d.mu.Lock()
	d.spent = nil
	d.mu.Unlock()
	if err := f(); err != nil {
		t.Fatal(err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.spent["unreported"] > 0 || len(d.spent) == 0 {
		t.Fatal("the emulator does not report what is consumed")
	}
	return d.spent["read"], d.spent["write"]
}

// nowhere is what a double stands before when it answers all calls itself.
var nowhere dynamostore.Client = dynamodb.New(dynamodb.Options{Region: "nowhere"})

// newDouble returns a store whose calls all are answered by before.
func newDouble(t *testing.T, before func(in any) (any, error), optFns ...func(*dynamostore.Options)) (*dynamostore.StateStore, *double) {
	t.Helper()
	d := &double{next: nowhere, before: before}
	s, err := dynamostore.NewWithState(d, optFns...)
	if err != nil {
		t.Fatal(err)
	}
	return s, d
}
