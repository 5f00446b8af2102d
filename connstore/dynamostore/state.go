package dynamostore

import (
	"context"
	"crypto/rand"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// The attributes of the state table that are not of one kind of row only. The
// id, up to 2,048 bytes, is the partition key, because nothing can be put
// before it there.
const (
	attrPK    = "pk"    // user id, or a record's key
	attrSK    = "sk"    // what kind of row
	attrWrite = "write" // names the write that left the row so
)

// What stands in sk.
const (
	presenceSK     = "presence"
	capSK          = "cap"
	recordSKPrefix = "record/"
)

func stateKey(pk, sk string) item { return item{attrPK: str(pk), attrSK: str(sk)} }

// load reads a row of the state table: strongly consistent. It is empty when
// there is none.
func (s *StateStore) load(ctx context.Context, pk, sk string) (item, error) {
	out, err := s.client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName:      &s.state,
		Key:            stateKey(pk, sk),
		ConsistentRead: consistently,
	})
	if err != nil {
		return nil, err
	}
	return out.Item, nil
}

// save writes a row of the state table whole, on a condition, and reports
// whether it has held.
func (s *StateStore) save(ctx context.Context, row item, condition string, values item) (saved bool, err error) {
	// When the answer to a write is lost the client writes again, and the
	// condition fails because of the first time. The row tells.
	name := rand.Text()
	row[attrWrite] = str(name)
	in := &dynamodb.PutItemInput{
		TableName:                           &s.state,
		Item:                                row,
		ConditionExpression:                 &condition,
		ExpressionAttributeValues:           values,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}
	_, err = write(ctx, func() (*dynamodb.PutItemOutput, error) { return s.client.PutItem(ctx, in) })
	if failed := conditionFailed(err); failed != nil {
		return stringOf(failed.Item[attrWrite]) == name, nil
	}
	return err == nil, err
}

// removeState deletes a row of the state table on a condition, and reports
// whether it has held.
func (s *StateStore) removeState(ctx context.Context, pk, sk, condition string, values item) (removed bool, err error) {
	in := &dynamodb.DeleteItemInput{
		TableName:                 &s.state,
		Key:                       stateKey(pk, sk),
		ConditionExpression:       aws.String(condition),
		ExpressionAttributeValues: values,
	}
	_, err = write(ctx, func() (*dynamodb.DeleteItemOutput, error) { return s.client.DeleteItem(ctx, in) })
	if conditionFailed(err) != nil {
		return false, nil
	}
	return err == nil, err
}
