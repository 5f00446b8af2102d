package dynamostore

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/sumu-live/sumu"
)

// Put writes a row, replacing one with the same user and id. It costs 1 WCU,
// unless Endpoint takes the row over 1 KB.
func (s *Store) Put(ctx context.Context, c sumu.Connection) error {
	const op = "put"
	if err := check(ctx, op, c.Ref()); err != nil {
		return err
	}
	_, err := write(ctx, func() (*dynamodb.PutItemOutput, error) {
		return s.client.PutItem(ctx, &dynamodb.PutItemInput{TableName: &s.connections, Item: newItem(c)})
	})
	if err != nil {
		return classified(ctx, op, c.ID, s.connections, err)
	}
	return nil
}

// Get returns one row: strongly consistent, 1 RCU. ErrGone is returned when it
// is absent.
func (s *Store) Get(ctx context.Context, ref sumu.ConnectionRef) (sumu.Connection, error) {
	const op = "get"
	if err := check(ctx, op, ref); err != nil {
		return sumu.Connection{}, err
	}
	out, err := s.client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName:      &s.connections,
		Key:            connectionKey(ref.UserID, ref.ConnectionID),
		ConsistentRead: consistently,
	})
	if err != nil {
		return sumu.Connection{}, classified(ctx, op, ref.ConnectionID, s.connections, err)
	}
	c := connection(out.Item)
	if len(out.Item) == 0 || !c.Live(s.now()) {
		return sumu.Connection{}, failed(op, ref.ConnectionID, sumu.ErrGone)
	}
	return c, nil
}

// Delete removes a row: 1 WCU. An absent row is no error, and no change in the
// table's stream.
func (s *Store) Delete(ctx context.Context, ref sumu.ConnectionRef) error {
	const op = "delete"
	if err := check(ctx, op, ref); err != nil {
		return err
	}
	_, err := s.remove(ctx, &dynamodb.DeleteItemInput{Key: connectionKey(ref.UserID, ref.ConnectionID)})
	if err != nil {
		return classified(ctx, op, ref.ConnectionID, s.connections, err)
	}
	return nil
}

// Prune removes a row unless its connection was accepted at or after notAfter,
// compared in ms, in one conditional write: 1 WCU. An expired row is removed
// too. When an answer of DynamoDB was lost, and its client tried again, a row
// that was removed is reported as if it had been absent.
func (s *Store) Prune(ctx context.Context, ref sumu.ConnectionRef, notAfter time.Time) (removed bool, err error) {
	const op = "prune"
	if err := check(ctx, op, ref); err != nil {
		return false, err
	}
	removed, err = s.remove(ctx, &dynamodb.DeleteItemInput{
		Key: connectionKey(ref.UserID, ref.ConnectionID),
		// A row without a number counts as old.
		ConditionExpression: aws.String(
			"attribute_exists(user_id) AND (NOT attribute_type(connected_at, :number) OR connected_at < :notAfter)"),
		ExpressionAttributeValues: item{":number": typeN(), ":notAfter": num(notAfter.UnixMilli())},
	})
	if err != nil {
		return false, classified(ctx, op, ref.ConnectionID, s.connections, err)
	}
	return removed, nil
}

// remove deletes from the connections table and reports whether the condition
// has held. Its error is DynamoDB's.
func (s *Store) remove(ctx context.Context, in *dynamodb.DeleteItemInput) (removed bool, err error) {
	in.TableName = &s.connections
	_, err = write(ctx, func() (*dynamodb.DeleteItemOutput, error) { return s.client.DeleteItem(ctx, in) })
	if conditionFailed(err) != nil {
		return false, nil
	}
	return err == nil, err
}

// Touch moves DeleteAt of a live row in one conditional write: 1 WCU. ErrGone
// is returned when there is none.
func (s *Store) Touch(ctx context.Context, ref sumu.ConnectionRef, deleteAt time.Time) error {
	return s.setSeconds(ctx, "touch", ref, attrDeleteAt, deleteAt)
}

// Refresh moves AuthExpiresAt of a live row in one conditional write: 1 WCU;
// the zero time takes it away. ErrGone is returned when there is none.
func (s *Store) Refresh(ctx context.Context, ref sumu.ConnectionRef, authExpiresAt time.Time) error {
	return s.setSeconds(ctx, "refresh", ref, attrExpiresAt, authExpiresAt)
}

// setSeconds sets one attribute of a live row, or takes it away.
func (s *Store) setSeconds(ctx context.Context, op string, ref sumu.ConnectionRef, name string, t time.Time) error {
	if err := check(ctx, op, ref); err != nil {
		return err
	}
	in := &dynamodb.UpdateItemInput{
		TableName:                 &s.connections,
		Key:                       connectionKey(ref.UserID, ref.ConnectionID),
		UpdateExpression:          aws.String("REMOVE " + name),
		ConditionExpression:       aws.String(liveCondition),
		ExpressionAttributeValues: liveValues(s.nowSeconds()),
	}
	if !t.IsZero() {
		in.UpdateExpression = aws.String("SET " + name + " = :t")
		in.ExpressionAttributeValues[":t"] = num(t.Unix())
	}
	_, err := write(ctx, func() (*dynamodb.UpdateItemOutput, error) { return s.client.UpdateItem(ctx, in) })
	switch {
	case conditionFailed(err) != nil:
		return failed(op, ref.ConnectionID, sumu.ErrGone)
	case err != nil:
		return classified(ctx, op, ref.ConnectionID, s.connections, err)
	}
	return nil
}
