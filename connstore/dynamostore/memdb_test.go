package dynamostore_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/sumu-live/sumu/connstore/dynamostore"
)

type row = map[string]types.AttributeValue

// memDB is as much of DynamoDB as memberships and subscriptions need, in
// memory: tables by name, rows by their two keys. Every call is one atomic step
// and strongly consistent. It is not safe for concurrent use, and panics at what
// it does not know.
type memDB struct {
	dynamostore.Client
	tables map[string]map[[2]string]row
	byPK   map[[2]string]map[string]row // by the table and the first key, then the second
	// queried counts the rows that queries have read.
	queried int
	// calls counts them by the name of the operation.
	calls map[string]int
}

func newMemDB() *memDB {
	return &memDB{Client: nowhere, tables: make(map[string]map[[2]string]row), byPK: make(map[[2]string]map[string]row), calls: make(map[string]int)}
}

func textOf(v types.AttributeValue) string {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return v.Value
	case *types.AttributeValueMemberN:
		return v.Value
	}
	return ""
}

func keyOf(it row) [2]string {
	if it["user_id"] != nil && it["pk"] == nil {
		return [2]string{textOf(it["user_id"]), textOf(it["connection_id"])}
	}
	return [2]string{textOf(it["pk"]), textOf(it["sk"])}
}

func (m *memDB) table(name string) map[[2]string]row {
	if m.tables[name] == nil {
		m.tables[name] = make(map[[2]string]row)
	}
	return m.tables[name]
}

// set writes a row; nil removes it.
func (m *memDB) set(table string, key [2]string, it row) {
	pk := [2]string{table, key[0]}
	if it == nil {
		delete(m.table(table), key)
		if delete(m.byPK[pk], key[1]); len(m.byPK[pk]) == 0 {
			delete(m.byPK, pk)
		}
		return
	}
	if m.byPK[pk] == nil {
		m.byPK[pk] = make(map[string]row)
	}
	m.table(table)[key], m.byPK[pk][key[1]] = it, it
}

func (m *memDB) GetItem(_ context.Context, in *dynamodb.GetItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	m.calls["GetItem"]++
	return &dynamodb.GetItemOutput{Item: maps.Clone(m.table(*in.TableName)[keyOf(in.Key)])}, nil
}

func (m *memDB) PutItem(_ context.Context, in *dynamodb.PutItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	m.calls["PutItem"]++
	t, key := m.table(*in.TableName), keyOf(in.Item)
	if !holds(t[key], in.ConditionExpression, in.ExpressionAttributeNames, in.ExpressionAttributeValues) {
		return nil, &types.ConditionalCheckFailedException{Item: maps.Clone(t[key])}
	}
	m.set(*in.TableName, key, maps.Clone(in.Item))
	return &dynamodb.PutItemOutput{}, nil
}

func (m *memDB) DeleteItem(_ context.Context, in *dynamodb.DeleteItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error) {
	m.calls["DeleteItem"]++
	t, key := m.table(*in.TableName), keyOf(in.Key)
	if !holds(t[key], in.ConditionExpression, in.ExpressionAttributeNames, in.ExpressionAttributeValues) {
		return nil, &types.ConditionalCheckFailedException{Item: maps.Clone(t[key])}
	}
	m.set(*in.TableName, key, nil)
	return &dynamodb.DeleteItemOutput{}, nil
}

func (m *memDB) UpdateItem(_ context.Context, in *dynamodb.UpdateItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	m.calls["UpdateItem"]++
	t, key := m.table(*in.TableName), keyOf(in.Key)
	old := t[key]
	if !holds(old, in.ConditionExpression, in.ExpressionAttributeNames, in.ExpressionAttributeValues) {
		return nil, &types.ConditionalCheckFailedException{Item: maps.Clone(old)}
	}
	next := maps.Clone(in.Key)
	maps.Copy(next, old)
	named := func(name string) string { return cmp.Or(in.ExpressionAttributeNames[name], name) }
	set, remove, _ := strings.Cut(*in.UpdateExpression, "REMOVE ")
	if name := strings.TrimSpace(remove); name != "" {
		delete(next, named(name))
	}
	for assignment := range strings.SplitSeq(strings.ReplaceAll(strings.TrimPrefix(set, "SET "), ", :", ",:"), ", ") {
		name, value, ok := strings.Cut(strings.TrimSpace(assignment), " = ")
		if !ok {
			continue
		}
		value = strings.TrimSpace(value)
		if args, ok := strings.CutPrefix(value, "if_not_exists("); ok {
			_, value, _ = strings.Cut(strings.TrimSuffix(args, ")"), ",")
			if next[named(name)] != nil {
				continue
			}
		}
		v := in.ExpressionAttributeValues[value]
		if v == nil {
			panic("unknown value " + value)
		}
		next[named(name)] = v
	}
	m.set(*in.TableName, key, next)
	return &dynamodb.UpdateItemOutput{Attributes: maps.Clone(old)}, nil
}

func (m *memDB) Query(_ context.Context, in *dynamodb.QueryInput, _ ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	m.calls["Query"]++
	pk, after, prefix := textOf(in.ExpressionAttributeValues[":pk"]), "", textOf(in.ExpressionAttributeValues[":prefix"])
	if in.ExclusiveStartKey != nil {
		after = keyOf(in.ExclusiveStartKey)[1]
	}
	var keys [][2]string
	for sk := range m.byPK[[2]string{*in.TableName, pk}] {
		if strings.HasPrefix(sk, prefix) && (after == "" || sk > after) {
			keys = append(keys, [2]string{pk, sk})
		}
	}
	slices.SortFunc(keys, func(a, b [2]string) int { return cmp.Compare(a[1], b[1]) })
	out := &dynamodb.QueryOutput{}
	for i, key := range keys {
		if in.Limit != nil && i == int(*in.Limit) {
			out.LastEvaluatedKey = row{"pk": &types.AttributeValueMemberS{Value: pk}, "sk": &types.AttributeValueMemberS{Value: keys[i-1][1]}}
			break
		}
		m.queried++
		it := m.table(*in.TableName)[key]
		if !holds(it, in.FilterExpression, in.ExpressionAttributeNames, in.ExpressionAttributeValues) {
			continue
		}
		if out.Count++; in.Select != types.SelectCount {
			out.Items = append(out.Items, maps.Clone(it))
		}
	}
	return out, nil
}

// holds evaluates a condition: terms joined by OR, or by AND where one of them
// is in parentheses.
func holds(it row, condition *string, names map[string]string, values row) bool {
	if condition == nil {
		return true
	}
	text := *condition
	if head, tail, ok := strings.Cut(text, " AND ("); ok {
		tail = strings.TrimSuffix(tail, ")")
		return holds(it, &head, names, values) && holds(it, &tail, names, values)
	}
	if terms := strings.Split(text, " OR "); len(terms) > 1 {
		return slices.ContainsFunc(terms, func(term string) bool { return holds(it, &term, names, values) })
	}
	named := func(name string) string { return cmp.Or(names[name], name) }
	if name, ok := strings.CutPrefix(text, "attribute_not_exists("); ok {
		return it[named(strings.TrimSuffix(name, ")"))] == nil
	}
	if name, ok := strings.CutPrefix(text, "attribute_exists("); ok {
		return it[named(strings.TrimSuffix(name, ")"))] != nil
	}
	parts := strings.Fields(text)
	if len(parts) != 3 || values[parts[2]] == nil {
		panic("unknown condition " + text)
	}
	return compare(it[named(parts[0])], parts[1], values[parts[2]])
}

func compare(a types.AttributeValue, op string, b types.AttributeValue) bool {
	if fmt.Sprintf("%T", a) != fmt.Sprintf("%T", b) {
		return false
	}
	c := cmp.Compare(textOf(a), textOf(b))
	if n, ok := a.(*types.AttributeValueMemberN); ok {
		x, _ := strconv.ParseInt(n.Value, 10, 64)
		y, _ := strconv.ParseInt(textOf(b), 10, 64)
		c = cmp.Compare(x, y)
	}
	switch op {
	case "=":
		return c == 0
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	}
	panic("unknown operator " + op)
}
