package presence

import (
	"context"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/dynamostore"
	"github.com/sumu-live/sumu/internal/components"
	"github.com/sumu-live/sumu/presence"
)

// meter counts what DynamoDB says that calls have consumed.
type meter struct {
	dynamostore.Client
	mu sync.Mutex
	bill
}

type bill struct {
	readCalls, writeCalls int
	reads, writes         float64 // units
}

func (m *meter) read(c *types.ConsumedCapacity) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.readCalls++; c != nil && c.CapacityUnits != nil {
		m.reads += *c.CapacityUnits
	}
}

func (m *meter) write(c *types.ConsumedCapacity) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.writeCalls++; c != nil && c.CapacityUnits != nil {
		m.writes += *c.CapacityUnits
	}
}

func (m *meter) GetItem(ctx context.Context, in *dynamodb.GetItemInput, o ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	in.ReturnConsumedCapacity = types.ReturnConsumedCapacityTotal
	out, err := m.Client.GetItem(ctx, in, o...)
	if err == nil {
		m.read(out.ConsumedCapacity)
	}
	return out, err
}

func (m *meter) Query(ctx context.Context, in *dynamodb.QueryInput, o ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	in.ReturnConsumedCapacity = types.ReturnConsumedCapacityTotal
	out, err := m.Client.Query(ctx, in, o...)
	if err == nil {
		m.read(out.ConsumedCapacity)
	}
	return out, err
}

func (m *meter) Scan(ctx context.Context, in *dynamodb.ScanInput, o ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error) {
	in.ReturnConsumedCapacity = types.ReturnConsumedCapacityTotal
	out, err := m.Client.Scan(ctx, in, o...)
	if err == nil {
		m.read(out.ConsumedCapacity)
	}
	return out, err
}

func (m *meter) PutItem(ctx context.Context, in *dynamodb.PutItemInput, o ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	in.ReturnConsumedCapacity = types.ReturnConsumedCapacityTotal
	out, err := m.Client.PutItem(ctx, in, o...)
	if err == nil {
		m.write(out.ConsumedCapacity)
	}
	return out, err
}

func (m *meter) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, o ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	in.ReturnConsumedCapacity = types.ReturnConsumedCapacityTotal
	out, err := m.Client.UpdateItem(ctx, in, o...)
	if err == nil {
		m.write(out.ConsumedCapacity)
	}
	return out, err
}

// of returns what do has cost.
func (m *meter) of(t *testing.T, do func() error) bill {
	t.Helper()
	m.mu.Lock()
	m.bill = bill{}
	m.mu.Unlock()
	if err := do(); err != nil {
		t.Fatal(err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.bill
}

// TestCost: what an evaluation and a query cost, by what DynamoDB reports.
func TestCost(t *testing.T) {
	for name, start := range map[string]func(testing.TB) string{
		"dynoxide":       components.Dynoxide,
		"DynamoDB Local": components.DynamoDBLocal,
	} {
		t.Run(name, func(t *testing.T) { testCost(t, start(t)) })
	}
}

func testCost(t *testing.T, dynamo string) {
	w := newWorld(t, dynamo)
	m := &meter{Client: w.client}
	store, err := dynamostore.NewWithState(m, tables(w.number))
	if err != nil {
		t.Fatal(err)
	}
	watcher, err := presence.New(store, w)
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	observe := func() error { _, err := watcher.Observe(ctx, sumu.Change{UserID: "ann"}); return err }
	same, flip := bill{2, 1, 2, 1}, bill{2, 2, 2, 2}
	want := func(what string, want bill, do func() error) {
		t.Helper()
		got := m.of(t, do)
		// DynamoDB Local gives away what it finds nothing with.
		if got.readCalls != want.readCalls || got.writes != want.writes || got.writeCalls != want.writeCalls ||
			got.reads > want.reads || got.reads == 0 {
			t.Errorf("%s: %+v, want %+v", what, got, want)
		}
	}
	put := func(id string) {
		if err := w.store.Put(ctx, sumu.Connection{UserID: "ann", ID: id}); err != nil {
			t.Fatal(err)
		}
	}
	remove := func(id string) {
		if err := w.store.Delete(ctx, sumu.ConnectionRef{UserID: "ann", ConnectionID: id}); err != nil {
			t.Fatal(err)
		}
	}
	want("nobody was ever there", same, observe)
	put("c1")
	want("she comes", flip, observe)
	want("the same record again", same, observe)
	put("c2")
	want("a second device", same, observe)
	remove("c1")
	want("one of two goes", same, observe)
	remove("c2")
	want("she goes", flip, observe)
	want("a late duplicate", same, observe)
	want("is she online?", bill{1, 0, 1, 0}, func() error { _, err := presence.Online(ctx, store, "ann", "ann"); return err })
	want("who is online?", bill{1, 0, 1, 0}, func() (err error) {
		for _, err = range presence.WhoIsOnline(ctx, store, sumu.Segment{}) {
		}
		return err
	})
	w.want("ann", "+-")
}
