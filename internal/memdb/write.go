package memdb

import (
	"context"
	"maps"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
)

func invalid(message string) error {
	return &smithy.GenericAPIError{Code: "ValidationException", Message: message, Fault: smithy.FaultClient}
}

// Limits of DynamoDB (read 2026-11).
const (
	maxHashKey  = 2048
	maxRangeKey = 1024
	maxItem     = 400 << 10
	maxActions  = 100
)

// checkKey refuses what cannot be a key; whole: it must have no other attribute.
func checkKey(row Row, whole bool) error {
	key := KeyOf(row)
	switch {
	case whole && len(row) != 2:
		return invalid("The provided key element does not match the schema")
	case key[0] == "" || key[1] == "":
		return invalid("One or more parameter values are not valid: a key is missing or an empty string")
	case len(key[0]) > maxHashKey || len(key[1]) > maxRangeKey:
		return invalid("One or more parameter values were invalid: a key is too long")
	case size(row) > maxItem:
		return invalid("Item size has exceeded the maximum allowed size")
	}
	return nil
}

// conditional is the part of a write that says when it may be done.
type conditional struct {
	condition *string
	names     map[string]string
	values    Row
	onFailure types.ReturnValuesOnConditionCheckFailure
}

// check returns the failure of a condition.
func (c conditional) check(old Row, also ...*string) error {
	exprs, err := parseAll(c.names, c.values, append(also, c.condition)...)
	if err != nil {
		return err
	}
	if expr := exprs[len(exprs)-1]; expr != nil && !expr.eval(scope{old, c.names, c.values}) {
		failed := &types.ConditionalCheckFailedException{Message: aws.String("The conditional request failed")}
		if c.onFailure == types.ReturnValuesOnConditionCheckFailureAllOld {
			failed.Item = clone(old)
		}
		return failed
	}
	return nil
}

// PutItem implements the client.
func (d *DB) PutItem(ctx context.Context, in *dynamodb.PutItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	end, err := d.begin(ctx, "PutItem")
	if err != nil {
		return nil, err
	}
	defer end()
	if err := checkKey(in.Item, false); err != nil {
		return nil, err
	}
	key := KeyOf(in.Item)
	old := d.table(*in.TableName).rows[key]
	c := conditional{in.ConditionExpression, in.ExpressionAttributeNames, in.ExpressionAttributeValues, in.ReturnValuesOnConditionCheckFailure}
	if err := c.check(old); err != nil {
		return nil, err
	}
	d.write(*in.TableName, key, in.Item)
	return &dynamodb.PutItemOutput{ConsumedCapacity: writeUnits(1, old, in.Item)}, nil
}

// DeleteItem implements the client.
func (d *DB) DeleteItem(ctx context.Context, in *dynamodb.DeleteItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error) {
	end, err := d.begin(ctx, "DeleteItem")
	if err != nil {
		return nil, err
	}
	defer end()
	if err := checkKey(in.Key, true); err != nil {
		return nil, err
	}
	key := KeyOf(in.Key)
	old := d.table(*in.TableName).rows[key]
	c := conditional{in.ConditionExpression, in.ExpressionAttributeNames, in.ExpressionAttributeValues, in.ReturnValuesOnConditionCheckFailure}
	if err := c.check(old); err != nil {
		return nil, err
	}
	d.write(*in.TableName, key, nil)
	return &dynamodb.DeleteItemOutput{ConsumedCapacity: writeUnits(1, old)}, nil
}

// UpdateItem implements the client.
func (d *DB) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	end, err := d.begin(ctx, "UpdateItem")
	if err != nil {
		return nil, err
	}
	defer end()
	if err := checkKey(in.Key, true); err != nil {
		return nil, err
	}
	key := KeyOf(in.Key)
	old := d.table(*in.TableName).rows[key]
	c := conditional{in.ConditionExpression, in.ExpressionAttributeNames, in.ExpressionAttributeValues, in.ReturnValuesOnConditionCheckFailure}
	if err := c.check(old, in.UpdateExpression); err != nil {
		return nil, err
	}
	next := clone(in.Key)
	maps.Copy(next, old)
	if err := update(next, scope{old, in.ExpressionAttributeNames, in.ExpressionAttributeValues}, *in.UpdateExpression); err != nil {
		return nil, err
	}
	if err := checkKey(next, false); err != nil {
		return nil, err
	}
	d.write(*in.TableName, key, next)
	out := &dynamodb.UpdateItemOutput{ConsumedCapacity: writeUnits(1, old, next)}
	switch in.ReturnValues {
	case "", types.ReturnValueNone:
	case types.ReturnValueAllOld:
		out.Attributes = clone(old)
	default:
		panic("memdb: unknown ReturnValues " + in.ReturnValues)
	}
	return out, nil
}

// TransactWriteItems implements the client, for puts and deletes.
func (d *DB) TransactWriteItems(
	ctx context.Context, in *dynamodb.TransactWriteItemsInput, _ ...func(*dynamodb.Options),
) (*dynamodb.TransactWriteItemsOutput, error) {
	end, err := d.begin(ctx, "TransactWriteItems")
	if err != nil {
		return nil, err
	}
	defer end()
	if n := len(in.TransactItems); n < 1 || n > maxActions {
		return nil, invalid("a transaction has 1 to 100 actions")
	}
	if token := aws.ToString(in.ClientRequestToken); token != "" {
		if len(token) > 36 {
			return nil, invalid("ClientRequestToken is over 36 bytes")
		}
		if d.tokens[token] { // It was done already.
			return &dynamodb.TransactWriteItemsOutput{}, nil
		}
		defer func() { d.tokens[token] = err == nil }()
	}
	out := &dynamodb.TransactWriteItemsOutput{}
	actions := make([]action, len(in.TransactItems))
	reasons, failed, seen := make([]types.CancellationReason, len(actions)), false, make(map[action]bool)
	for i, item := range in.TransactItems {
		a, row, c := actionOf(item)
		if err := checkKey(row, item.Delete != nil); err != nil {
			return nil, err
		}
		if seen[a] {
			return nil, invalid("Transaction request cannot include multiple operations on one item")
		}
		actions[i], seen[a] = a, true
		old := d.table(a.table).rows[a.key]
		out.ConsumedCapacity = append(out.ConsumedCapacity, *writeUnits(2, old, row))
		reasons[i].Code = aws.String("None")
		switch err := c.check(old).(type) {
		case nil:
		case *types.ConditionalCheckFailedException:
			failed, reasons[i].Code = true, aws.String("ConditionalCheckFailed")
		default:
			return nil, err
		}
	}
	if failed {
		return nil, &types.TransactionCanceledException{CancellationReasons: reasons}
	}
	for i, a := range actions {
		if p := in.TransactItems[i].Put; p != nil {
			d.write(a.table, a.key, p.Item)
		} else {
			d.write(a.table, a.key, nil)
		}
	}
	return out, nil
}

// action is what one action of a transaction is about.
type action struct {
	table string
	key   Key
}

func actionOf(item types.TransactWriteItem) (action, Row, conditional) {
	switch {
	case item.Put != nil:
		p := item.Put
		return action{*p.TableName, KeyOf(p.Item)}, p.Item,
			conditional{p.ConditionExpression, p.ExpressionAttributeNames, p.ExpressionAttributeValues, ""}
	case item.Delete != nil:
		p := item.Delete
		return action{*p.TableName, KeyOf(p.Key)}, p.Key,
			conditional{p.ConditionExpression, p.ExpressionAttributeNames, p.ExpressionAttributeValues, ""}
	}
	panic("memdb: an action that is neither Put nor Delete")
}
