package memdb

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// maxPage is how much a page of a query or a scan holds, before filters.
const maxPage = 1 << 20

// reading is what queries and scans have in common.
type reading struct {
	limit      *int32
	filter     *expr
	projection []string
	count      bool
	scope      scope
}

// page goes over keys until the page is full.
func (d *DB) page(v view, keys []Key, r reading) (rows []Row, count, scanned int32, last Row, bytes int) {
	for i, key := range keys {
		row := v.row(key)
		d.read++
		scanned++
		bytes += size(row)
		if r.filter == nil || r.filter.eval(scope{row, r.scope.names, r.scope.values}) {
			count++
			if !r.count {
				rows = append(rows, project(row, r.projection))
			}
		}
		// DynamoDB does not look whether there is more.
		if full := bytes > maxPage && i < len(keys)-1; full || r.limit != nil && scanned == *r.limit {
			return rows, count, scanned, keyRow(row), bytes
		}
	}
	return rows, count, scanned, nil, bytes
}

func project(row Row, names []string) Row {
	if names == nil {
		return clone(row)
	}
	some := make(Row)
	for _, name := range names {
		if v := row[name]; v != nil {
			some[name] = v
		}
	}
	return some
}

func projected(expression *string) (names []string) {
	if expression == nil {
		return nil
	}
	for name := range strings.SplitSeq(*expression, ",") {
		names = append(names, strings.TrimSpace(name))
	}
	return names
}

// Query implements the client.
func (d *DB) Query(ctx context.Context, in *dynamodb.QueryInput, _ ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	end, err := d.begin(ctx, "Query")
	if err != nil {
		return nil, err
	}
	defer end()
	if in.IndexName != nil || in.ScanIndexForward != nil || in.ProjectionExpression != nil {
		panic("memdb: a query of an index, backwards, or of a projection")
	}
	exprs, err := parseAll(in.ExpressionAttributeNames, in.ExpressionAttributeValues, in.KeyConditionExpression, in.FilterExpression)
	if err != nil {
		return nil, err
	}
	pk := exprs[0].hashKey(in.ExpressionAttributeValues)
	if pk == "" {
		return nil, invalid("the condition names no partition")
	}
	consistent := in.ConsistentRead != nil && *in.ConsistentRead
	v := d.view(*in.TableName, consistent, in)
	var start Key
	if in.ExclusiveStartKey != nil {
		if start = KeyOf(in.ExclusiveStartKey); start[0] != pk {
			return nil, invalid("The provided starting key is outside query boundaries")
		}
	}
	s := scope{nil, in.ExpressionAttributeNames, in.ExpressionAttributeValues}
	keys := slices.DeleteFunc(v.query(pk, start[1]), func(key Key) bool {
		return !exprs[0].eval(scope{v.row(key), s.names, s.values})
	})
	out := &dynamodb.QueryOutput{}
	var bytes int
	out.Items, out.Count, out.ScannedCount, out.LastEvaluatedKey, bytes = d.page(v, keys, reading{
		limit: in.Limit, filter: exprs[1], count: in.Select == types.SelectCount, scope: s,
	})
	out.ConsumedCapacity = readUnits(bytes, consistent)
	return out, nil
}

// Scan implements the client.
func (d *DB) Scan(ctx context.Context, in *dynamodb.ScanInput, _ ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error) {
	end, err := d.begin(ctx, "Scan")
	if err != nil {
		return nil, err
	}
	defer end()
	exprs, err := parseAll(in.ExpressionAttributeNames, in.ExpressionAttributeValues, in.FilterExpression)
	if err != nil {
		return nil, err
	}
	segment, segments := uint64(0), uint64(1)
	if in.TotalSegments != nil {
		segment, segments = uint64(*in.Segment), uint64(*in.TotalSegments)
	}
	consistent := in.ConsistentRead != nil && *in.ConsistentRead
	v := d.view(*in.TableName, consistent, in)
	var start Key
	if in.ExclusiveStartKey != nil {
		start = KeyOf(in.ExclusiveStartKey)
		if segmentOf(start[0], segments) != segment {
			return nil, invalid("The provided starting key is outside of the segment")
		}
	}
	keys := v.scan(segment, segments, start)
	out := &dynamodb.ScanOutput{}
	var bytes int
	out.Items, out.Count, out.ScannedCount, out.LastEvaluatedKey, bytes = d.page(v, keys, reading{
		limit: in.Limit, filter: exprs[0], projection: projected(in.ProjectionExpression),
		scope: scope{nil, in.ExpressionAttributeNames, in.ExpressionAttributeValues},
	})
	out.ConsumedCapacity = readUnits(bytes, consistent)
	return out, nil
}
