package dynamostore_test

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/dynamostore"
	"github.com/sumu-live/sumu/internal/components"
)

func TestCreateTables(t *testing.T) {
	for name, start := range map[string]func(testing.TB) string{
		"dynoxide":       components.Dynoxide,
		"DynamoDB Local": components.DynamoDBLocal,
	} {
		t.Run(name, func(t *testing.T) { testCreateTables(t, newClient(t, start(t))) })
	}
}

func testCreateTables(t *testing.T, client *dynamodb.Client) {
	ctx := t.Context()
	named := newTables(t, client)
	if err := dynamostore.CreateTables(ctx, client, named); err != nil {
		t.Fatalf("a second time: %v", err)
	}
	var names dynamostore.Options
	named(&names)
	for table, keys := range map[string][2]string{
		names.Connections: {"user_id", "connection_id"},
		names.State:       {"pk", "sk"},
	} {
		out, err := client.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &table})
		if err != nil {
			t.Fatal(err)
		}
		d := out.Table
		if k := d.KeySchema; len(k) != 2 || *k[0].AttributeName != keys[0] || *k[1].AttributeName != keys[1] {
			t.Errorf("%s: the keys are not %v", table, keys)
		}
		if d.BillingModeSummary == nil || d.BillingModeSummary.BillingMode != types.BillingModePayPerRequest {
			t.Errorf("%s is not billed on demand", table)
		}
		stream := d.StreamSpecification != nil && aws.ToBool(d.StreamSpecification.StreamEnabled)
		if want := table == names.Connections; stream != want ||
			want && d.StreamSpecification.StreamViewType != types.StreamViewTypeKeysOnly {
			t.Errorf("%s: the stream is %+v", table, d.StreamSpecification)
		}
		ttl, err := client.DescribeTimeToLive(ctx, &dynamodb.DescribeTimeToLiveInput{TableName: &table})
		if err != nil || aws.ToString(ttl.TimeToLiveDescription.AttributeName) != "delete_at" {
			t.Errorf("%s does not expire by delete_at: %+v, %v", table, ttl, err)
		}
	}
}

// ttlElsewhere is a table that expires by another attribute.
type ttlElsewhere struct{ *dynamodb.Client }

func (ttlElsewhere) DescribeTimeToLive(
	context.Context, *dynamodb.DescribeTimeToLiveInput, ...func(*dynamodb.Options),
) (*dynamodb.DescribeTimeToLiveOutput, error) {
	return &dynamodb.DescribeTimeToLiveOutput{TimeToLiveDescription: &types.TimeToLiveDescription{
		AttributeName: aws.String("expires"), TimeToLiveStatus: types.TimeToLiveStatusEnabled,
	}}, nil
}

func TestCreateTablesLeavesAnotherExpiryAlone(t *testing.T) {
	client := newClient(t, components.Dynoxide(t))
	err := dynamostore.CreateTables(t.Context(), ttlElsewhere{client}, newTables(t, client))
	if !errors.Is(err, sumu.ErrConflict) {
		t.Errorf("error is %v, want ErrConflict", err)
	}
}

// The rows that expire are removed by DynamoDB itself: what a String in
// delete_at, as the original stack writes it, does not achieve.
func TestTTLRemovesExpiredRows(t *testing.T) {
	if os.Getenv("SUMU_SLOW") != "1" {
		t.Skip("takes minutes; run it with: make test-slow")
	}
	client, ctx := newClient(t, components.DynamoDBLocal(t)), t.Context()
	named := newTables(t, client)
	var names dynamostore.Options
	named(&names)
	store, err := dynamostore.NewWithState(client, named)
	if err != nil {
		t.Fatal(err)
	}
	past := time.Now().Add(-time.Minute)
	for id, deleteAt := range map[string]time.Time{"past": past, "live": time.Now().Add(time.Hour), "forever": {}} {
		if err := store.Put(ctx, sumu.Connection{UserID: "ann", ID: id, DeleteAt: deleteAt}); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.SaveRecord(ctx, sumu.Record{Kind: "ticket", Key: "k", Rev: 1, DeleteAt: past}); err != nil {
		t.Fatal(err)
	}
	if err := store.SavePresence(ctx, sumu.PresenceRow{UserID: "ann", Status: sumu.Online, Version: 1, Seq: 1}); err != nil {
		t.Fatal(err)
	}
	_, err = client.PutItem(ctx, &dynamodb.PutItemInput{TableName: &names.Connections, Item: attributes{
		"user_id": s("ann"), "connection_id": s("string"), "delete_at": s("1575929040"),
	}})
	if err != nil {
		t.Fatal(err)
	}
	count := func(table string) int {
		out, err := client.Scan(ctx, &dynamodb.ScanInput{TableName: &table, ConsistentRead: aws.Bool(true)})
		if err != nil {
			t.Fatal(err)
		}
		return len(out.Items)
	}
	// 3 of 4 rows stay, and the presence row.
	for deadline := time.Now().Add(10 * time.Minute); count(names.Connections) > 3 || count(names.State) > 1; {
		if time.Now().After(deadline) {
			t.Fatalf("after 10 minutes there are %d rows and %d of state", count(names.Connections), count(names.State))
		}
		time.Sleep(time.Second) // DynamoDB tells nobody but its stream.
	}
	if c, s := count(names.Connections), count(names.State); c != 3 || s != 1 {
		t.Errorf("%d rows and %d of state are left, want 3 and 1", c, s)
	}
	if removed, err := store.SweepExpired(ctx, 0); removed != 1 || err != nil {
		t.Errorf("SweepExpired: %d, %v; want the row whose delete_at is a String", removed, err)
	}
}
