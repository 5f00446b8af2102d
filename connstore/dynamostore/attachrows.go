package dynamostore

import (
	"context"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/sumu-live/sumu"
)

// putReverse writes the reverse row: 1 WCU. It keeps the shard of one that is
// there.
func (s *StateStore) putReverse(ctx context.Context, c sumu.Connection, name string, a *adding) error {
	values := item{
		":write": str(name), ":shard": num(a.attachment.shard), ":now": num(s.nowSeconds()),
		":user": str(c.UserID), ":connection": str(c.ID),
	}
	names := map[string]string{
		"#write": attrWrite, "#first": attrFirst, "#shard": attrShard,
		"#user": attrUser, "#connection": attrID, "#expiry": attrDeleteAt,
	}
	set := "SET #write = :write, #first = if_not_exists(#first, :write), #shard = if_not_exists(#shard, :shard), " +
		"#user = :user, #connection = :connection"
	if !c.DeleteAt.IsZero() {
		// What is there may have been prolonged, unknown to the caller.
		set, values[":expiry"] = set+", #expiry = if_not_exists(#expiry, :expiry)", num(c.DeleteAt.Unix())
	}
	for attr, v := range a.both {
		names["#"+attr], values[":"+attr] = attr, v
		set = "SET #" + attr + " = :" + attr + ", " + set[len("SET "):]
	}
	in := &dynamodb.UpdateItemInput{
		TableName:                 &s.state,
		Key:                       stateKey(attachedPrefix+a.handle.name, a.sk),
		UpdateExpression:          &set,
		ConditionExpression:       aws.String("attribute_not_exists(#expiry) OR #expiry > :now"),
		ExpressionAttributeNames:  names,
		ExpressionAttributeValues: values,
		ReturnValues:              types.ReturnValueAllOld,

		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}
	for {
		out, err := write(ctx, func() (*dynamodb.UpdateItemOutput, error) { return s.client.UpdateItem(ctx, in) })
		if expired := conditionFailed(err); expired != nil {
			// One that has expired is another's: its shard and its forward row
			// go before this begins.
			if err := s.removeExpired(ctx, reverse{expired.Item, a.handle.name}); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		old := reverse{out.Attributes, a.handle.name}
		made := a.created
		a.shard, a.created, a.before = a.attachment.shard, true, ""
		a.first, a.until = name, c.DeleteAt
		if old.write() == "" { // Of a row that was absent an emulator returns the key.
			return nil
		}
		a.shard, a.first, a.until = old.shard(), stringOf(old.item[attrFirst]), expiryOf(old.item[attrDeleteAt])
		switch last := old.write(); {
		case last == name: // An answer was lost, and the client has written twice.
			a.created = a.first == name
		case made && strings.HasPrefix(last, a.call):
			a.before = last
		default:
			a.created = false
		}
		return nil
	}
}

// putForward writes the forward row: 1 WCU.
func (s *StateStore) putForward(ctx context.Context, c sumu.Connection, name string, a *adding) error {
	c.DeleteAt, c.AuthExpiresAt = a.until, time.Time{}
	it := newItem(c)
	it[attrWrite], it[attrFirst] = str(name), str(a.first)
	for attr, v := range a.forward() {
		it[attr] = v
	}
	for attr, v := range a.both {
		if attr != attrPartition { // It is the key.
			it[attr] = v
		}
	}
	_, err := write(ctx, func() (*dynamodb.PutItemOutput, error) {
		return s.client.PutItem(ctx, &dynamodb.PutItemInput{TableName: &s.state, Item: it})
	})
	return err
}
