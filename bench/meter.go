package main

import (
	"context"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go/middleware"
)

// meter adds up what DynamoDB says that the requests of a client have consumed.
type meter struct {
	mu sync.Mutex
	bill
}

// bill is what some requests have consumed, in capacity units.
type bill struct {
	requests      int
	reads, writes float64
}

// of returns what do has consumed.
func (m *meter) of(do func() error) (bill, error) {
	m.mu.Lock()
	m.bill = bill{}
	m.mu.Unlock()
	err := do()
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.bill, err
}

// install makes a client report to the meter.
func (m *meter) install(stack *middleware.Stack) error {
	return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("meter", func(
		ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
	) (middleware.InitializeOutput, middleware.Metadata, error) {
		askForUnits(in.Parameters)
		out, meta, err := next.HandleInitialize(ctx, in)
		m.add(out.Result)
		return out, meta, err
	}), middleware.Before)
}

func askForUnits(in any) {
	const total = types.ReturnConsumedCapacityTotal
	switch in := in.(type) {
	case *dynamodb.GetItemInput:
		in.ReturnConsumedCapacity = total
	case *dynamodb.QueryInput:
		in.ReturnConsumedCapacity = total
	case *dynamodb.ScanInput:
		in.ReturnConsumedCapacity = total
	case *dynamodb.PutItemInput:
		in.ReturnConsumedCapacity = total
	case *dynamodb.UpdateItemInput:
		in.ReturnConsumedCapacity = total
	case *dynamodb.DeleteItemInput:
		in.ReturnConsumedCapacity = total
	case *dynamodb.TransactWriteItemsInput:
		in.ReturnConsumedCapacity = total
	}
}

func (m *meter) add(out any) {
	var read, write *types.ConsumedCapacity
	m.mu.Lock()
	defer m.mu.Unlock()
	m.requests++
	switch out := out.(type) {
	case *dynamodb.GetItemOutput:
		read = out.ConsumedCapacity
	case *dynamodb.QueryOutput:
		read = out.ConsumedCapacity
	case *dynamodb.ScanOutput:
		read = out.ConsumedCapacity
	case *dynamodb.PutItemOutput:
		write = out.ConsumedCapacity
	case *dynamodb.UpdateItemOutput:
		write = out.ConsumedCapacity
	case *dynamodb.DeleteItemOutput:
		write = out.ConsumedCapacity
	case *dynamodb.TransactWriteItemsOutput:
		for _, c := range out.ConsumedCapacity {
			m.writes += units(&c)
		}
	}
	m.reads += units(read)
	m.writes += units(write)
}

func units(c *types.ConsumedCapacity) float64 {
	if c == nil || c.CapacityUnits == nil {
		return 0
	}
	return *c.CapacityUnits
}
