package defects_test

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/dynamostore"
	"github.com/sumu-live/sumu/connstore/memstore"
)

// items is a table that takes what is put, and answers queries with its rows,
// one to a page.
type items struct {
	dynamostore.Client // What is not needed here panics.
	put                map[string]types.AttributeValue
	rows               []map[string]types.AttributeValue // by their connection_id, as a table has them
}

func (i *items) PutItem(_ context.Context, in *dynamodb.PutItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	i.put = in.Item
	return new(dynamodb.PutItemOutput), nil
}

func (i *items) Query(_ context.Context, in *dynamodb.QueryInput, _ ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	at := 0
	for n, row := range i.rows {
		if after, ok := in.ExclusiveStartKey["connection_id"].(*types.AttributeValueMemberS); ok && textOf(row["connection_id"]) == after.Value {
			at = n + 1
		}
	}
	if at >= len(i.rows) {
		return new(dynamodb.QueryOutput), nil
	}
	key := map[string]types.AttributeValue{"user_id": i.rows[at]["user_id"], "connection_id": i.rows[at]["connection_id"]}
	return &dynamodb.QueryOutput{Items: i.rows[at : at+1], LastEvaluatedKey: key}, nil
}

func text(v string) types.AttributeValue { return &types.AttributeValueMemberS{Value: v} }

func textOf(v types.AttributeValue) string { return v.(*types.AttributeValueMemberS).Value }

// rowOf is a row of ann as the original stack writes it.
func rowOf(id string, lives time.Duration) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{
		"user_id": text("ann"), "connection_id": text(id), "delete_at": text(strconv.FormatInt(time.Now().Add(lives).Unix(), 10)),
	}
}

// delete_at was written as a String. DynamoDB's TTL takes a Number alone, so
// that no row ever expired. Rows of both kinds are there now.
func TestDefectExpiryAsText(t *testing.T) {
	table := &items{rows: []map[string]types.AttributeValue{rowOf("a-expired", -time.Minute), rowOf("b-lives", time.Hour)}}
	store := must(dynamostore.New(table))
	at := time.Now().Add(time.Hour)
	if err := store.Put(t.Context(), sumu.Connection{UserID: "ann", ID: "c", DeleteAt: at}); err != nil {
		t.Fatal(err)
	}
	if n, ok := table.put["delete_at"].(*types.AttributeValueMemberN); !ok || n.Value != strconv.FormatInt(at.Unix(), 10) {
		t.Errorf("delete_at is %#v", table.put["delete_at"])
	}
	var ids []string
	for c, err := range store.ByUser(t.Context(), "ann") {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, c.ID)
	}
	if fmt.Sprint(ids) != "[b-lives]" {
		t.Errorf("of the rows with text %q live", ids)
	}
}

// Of a user with many connections only the first page of them was pushed to.
func TestDefectManyConnectionsOfAUser(t *testing.T) {
	const n = 1000
	inMemory, table := new(memstore.Store), new(items)
	for i := range n {
		id := fmt.Sprintf("c%04d", i)
		put(t, inMemory, "ann", id)
		table.rows = append(table.rows, rowOf(id, time.Hour))
	}
	for name, store := range map[string]sumu.Store{"in memory": inMemory, "a table": must(dynamostore.New(table))} {
		sent := new(posts)
		if r := pushOne(t, newPusher(t, store, sent), sumu.Notification{Users: []string{"ann"}}); r.Delivered != n || r.Err != nil {
			t.Errorf("%s: %+v", name, r)
		}
		sent.wantOnce(t, n)
	}
}
