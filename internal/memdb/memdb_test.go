package memdb_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"github.com/sumu-live/sumu/internal/memdb"
)

func s(v string) types.AttributeValue { return &types.AttributeValueMemberS{Value: v} }
func n(v any) types.AttributeValue    { return &types.AttributeValueMemberN{Value: fmt.Sprint(v)} }

// rowOf is a row of the state table.
func rowOf(pk, sk string, more memdb.Row) memdb.Row {
	row := memdb.Row{"pk": s(pk), "sk": s(sk)}
	for name, v := range more {
		row[name] = v
	}
	return row
}

// holdsTable are conditions, and whether they hold of the row a=5, b="x", c=null.
var holdsTable = map[string]bool{
	"attribute_exists(a)":                   true,
	"attribute_exists(z)":                   false,
	"attribute_not_exists(z)":               true,
	"NOT attribute_exists(a)":               false,
	"a = :five":                             true,
	"a <> :five":                            false,
	"a < :six":                              true,
	"a <= :five":                            true,
	"a > :six":                              false,
	"a >= :five":                            true,
	"b < :six":                              false, // Of another type.
	"b <> :six":                             true,
	"z <> :six":                             true,
	"z < :six":                              false,
	"a = :fraction":                         false,
	"a < :fraction":                         true,
	"b = :x":                                true,
	"begins_with(b, :x)":                    true,
	"attribute_type(a, :N)":                 true,
	"attribute_type(b, :N)":                 false,
	"attribute_type(z, :N)":                 false,
	"c = :null":                             true,
	"#a = :five AND b = :x":                 true,
	"a = :six OR b = :x":                    true,
	"a = :six AND b = :x OR a = :five":      true, // AND binds more tightly.
	"a = :six AND (b = :x OR a = :five)":    false,
	"NOT (a = :six OR attribute_exists(z))": true,

	"attribute_exists(pk) AND (NOT a = :six)":      true,
	"attribute_not_exists(a) OR (a>:x AND b = :x)": false,
}

var someValues = memdb.Row{
	":five": n(5), ":six": n(6), ":fraction": n("5.5"), ":x": s("x"), ":N": s("N"),
	":null": &types.AttributeValueMemberNULL{Value: true},
}

// used are those of the values that an expression uses: others are refused.
func used(condition string) memdb.Row {
	values := make(memdb.Row)
	for name, v := range someValues {
		for at := range condition {
			end := at + len(name)
			if end <= len(condition) && condition[at:end] == name && (end == len(condition) || condition[end] == ' ' || condition[end] == ')') {
				values[name] = v
			}
		}
	}
	if len(values) == 0 {
		return nil
	}
	return values
}

func TestConditions(t *testing.T) {
	over(t, func(t *testing.T, client client) {
		row := rowOf("p", "s", memdb.Row{"a": n(5), "b": s("x"), "c": someValues[":null"]})
		for condition, want := range holdsTable {
			in := &dynamodb.PutItemInput{TableName: aws.String("state"), Item: row}
			if _, err := client.PutItem(t.Context(), in); err != nil {
				t.Fatal(err)
			}
			in.ConditionExpression, in.ExpressionAttributeValues = &condition, used(condition)
			if condition[0] == '#' {
				in.ExpressionAttributeNames = map[string]string{"#a": "a"}
			}
			in.ReturnValuesOnConditionCheckFailure = types.ReturnValuesOnConditionCheckFailureAllOld
			_, err := client.PutItem(t.Context(), in)
			var failed *types.ConditionalCheckFailedException
			if err != nil && !errors.As(err, &failed) || (err == nil) != want {
				t.Errorf("%s: %v, want it to hold: %t", condition, err, want)
			}
			if failed != nil && memdb.TextOf(failed.Item["a"]) != "5" {
				t.Errorf("%s: the row is not returned: %v", condition, failed.Item)
			}
		}
	})
}

func TestWhatIsRefused(t *testing.T) {
	over(t, func(t *testing.T, client client) {
		for name, in := range map[string]*dynamodb.PutItemInput{
			"a key that is empty":     {Item: rowOf("", "s", nil)},
			"a key that is missing":   {Item: memdb.Row{"pk": s("p")}},
			"a value that is unused":  {Item: rowOf("p", "s", nil), ConditionExpression: aws.String("attribute_exists(a)"), ExpressionAttributeValues: memdb.Row{":x": s("x")}},
			"a value that is missing": {Item: rowOf("p", "s", nil), ConditionExpression: aws.String("a = :x")},
			"a reserved word":         {Item: rowOf("p", "s", nil), ConditionExpression: aws.String("attribute_exists(status)")},
		} {
			in.TableName = aws.String("state")
			_, err := client.PutItem(t.Context(), in)
			var api smithy.APIError
			if !errors.As(err, &api) || api.ErrorCode() != "ValidationException" {
				t.Errorf("%s: %v, want a ValidationException", name, err)
			}
		}
	}, "dynoxide") // 1.2.1 lets values be that are not used.
}

func TestUpdates(t *testing.T) {
	over(t, func(t *testing.T, client client) {
		for i, tt := range []struct {
			expression string
			values     memdb.Row
			want       memdb.Row
		}{
			{"SET a = :v", memdb.Row{":v": n(1)}, memdb.Row{"a": n(1)}},
			{"SET a = if_not_exists(a, :v), b = :w", memdb.Row{":v": n(2), ":w": s("w")}, memdb.Row{"a": n(1), "b": s("w")}},
			{"SET c = if_not_exists(c, :v)", memdb.Row{":v": n(3)}, memdb.Row{"a": n(1), "b": s("w"), "c": n(3)}},
			{"REMOVE a", nil, memdb.Row{"b": s("w"), "c": n(3)}},
		} {
			_, err := client.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
				TableName: aws.String("state"), Key: rowOf("updated", "s", nil),
				UpdateExpression: &tt.expression, ExpressionAttributeValues: tt.values,
			})
			if err != nil {
				t.Fatalf("%s: %v", tt.expression, err)
			}
			out, err := client.GetItem(t.Context(), &dynamodb.GetItemInput{
				TableName: aws.String("state"), Key: rowOf("updated", "s", nil), ConsistentRead: aws.Bool(true),
			})
			if err != nil || len(out.Item) != len(tt.want)+2 {
				t.Errorf("%d: the row is %v, %v", i, out.Item, err)
			}
			for name, v := range tt.want {
				if memdb.TextOf(out.Item[name]) != memdb.TextOf(v) {
					t.Errorf("%d: %s is %v", i, name, out.Item[name])
				}
			}
		}
	})
}

// Pages end behind as many rows as the limit says, before a filter.
func TestPages(t *testing.T) {
	over(t, func(t *testing.T, client client) {
		for i := range 7 {
			row := rowOf("paged", fmt.Sprint("a", i), memdb.Row{"v": n(i)})
			if _, err := client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String("state"), Item: row}); err != nil {
				t.Fatal(err)
			}
		}
		var seen []string
		var pages []int32
		in := &dynamodb.QueryInput{
			TableName: aws.String("state"), Limit: aws.Int32(3), ConsistentRead: aws.Bool(true),
			KeyConditionExpression:    aws.String("pk = :pk AND begins_with(sk, :prefix)"),
			FilterExpression:          aws.String("v <> :three"),
			ExpressionAttributeValues: memdb.Row{":pk": s("paged"), ":prefix": s("a"), ":three": n(3)},
		}
		for {
			out, err := client.Query(t.Context(), in)
			if err != nil {
				t.Fatal(err)
			}
			pages = append(pages, out.ScannedCount)
			for _, row := range out.Items {
				seen = append(seen, memdb.TextOf(row["sk"]))
			}
			if in.ExclusiveStartKey = out.LastEvaluatedKey; in.ExclusiveStartKey == nil {
				break
			}
		}
		if !slices.Equal(seen, []string{"a0", "a1", "a2", "a4", "a5", "a6"}) || !slices.Equal(pages, []int32{3, 3, 1}) {
			t.Errorf("%q in pages of %d", seen, pages)
		}
	})
}

// What is behind misses the last writes; what is strongly consistent misses none.
func TestReadsThatAreBehind(t *testing.T) {
	db := memdb.New()
	missed := 0
	db.Behind = func(any, int) int { return missed }
	put := func(sk string, v int) { db.Set("state", memdb.Key{"p", sk}, rowOf("p", sk, memdb.Row{"v": n(v)})) }
	read := func(consistent bool) (seen string) {
		query, err := db.Query(t.Context(), &dynamodb.QueryInput{
			TableName: aws.String("state"), ConsistentRead: &consistent, KeyConditionExpression: aws.String("pk = :pk"),
			ExpressionAttributeValues: memdb.Row{":pk": s("p")},
		})
		if err != nil {
			t.Fatal(err)
		}
		scan, err := db.Scan(t.Context(), &dynamodb.ScanInput{TableName: aws.String("state"), ConsistentRead: &consistent})
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range query.Items {
			get, err := db.GetItem(t.Context(), &dynamodb.GetItemInput{
				TableName: aws.String("state"), ConsistentRead: &consistent, Key: memdb.Row{"pk": row["pk"], "sk": row["sk"]},
			})
			if err != nil || memdb.TextOf(get.Item["v"]) != memdb.TextOf(row["v"]) {
				t.Errorf("GetItem sees %v, Query %v", get.Item, row)
			}
			seen += memdb.TextOf(row["sk"]) + memdb.TextOf(row["v"]) + " "
		}
		if len(scan.Items) != len(query.Items) {
			t.Errorf("Scan sees %d rows, Query %d", len(scan.Items), len(query.Items))
		}
		return seen
	}
	put("a", 1)
	put("b", 1)
	put("a", 2)
	db.Set("state", memdb.Key{"p", "b"}, nil)
	put("c", 1)
	for behind, want := range []string{"a2 c1 ", "a2 ", "a2 b1 ", "a1 b1 ", "a1 ", "", ""} {
		missed = behind
		if got := read(false); got != want {
			t.Errorf("%d writes behind: %q, want %q", behind, got, want)
		}
		if got := read(true); got != "a2 c1 " {
			t.Errorf("a consistent read sees %q", got)
		}
	}
}
