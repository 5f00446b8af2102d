package dynamostore

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/sumu-live/sumu"
)

// detach ends one attachment. places are where the forward row is when no
// reverse row tells; it is asked only then.
//
// A join at the same time that has looked at the reverse row just before it was
// removed believes that it is attached, and may have written the forward row
// after it was removed: so there is a last look at it.
func (s *StateStore) detach(ctx context.Context, h handle, sk string, places func() ([]item, error)) error {
	for try := 1; ; try++ {
		r, err := s.reverseOf(ctx, h, sk)
		if err != nil {
			return err
		}
		var left []item
		done := true
		if len(r.item) > 0 {
			done, err = s.removeBoth(ctx, r)
			left = []item{r.forward()}
		} else {
			left, err = places()
		}
		if err == nil && done {
			err = s.each(len(left), func(i int) error {
				clear, err := s.removeUntold(ctx, h, sk, left[i])
				// Without a reverse row at first, one that is there now is of
				// somebody who joined meanwhile: which of the two came last is
				// anybody's guess.
				if !clear && err == nil && len(r.item) == 0 {
					done = false
				}
				return err
			})
		}
		if done || err != nil {
			return err
		}
		if err := turn(ctx, try); err != nil {
			return err
		}
	}
}

// removeBoth removes the forward row and then the reverse row, unless that was
// written again meanwhile, which it reports by done being false: 2 WCU.
func (s *StateStore) removeBoth(ctx context.Context, r reverse) (done bool, err error) {
	if forward := r.forward(); forward != nil {
		if err := s.removeForward(ctx, forward, ""); err != nil {
			return false, err
		}
	}
	return s.removeReverse(ctx, stateKey(stringOf(r.item[attrPK]), r.sk()), r.write())
}

// removeExpired removes both rows of an attachment that has expired, unless
// they were written again meanwhile.
func (s *StateStore) removeExpired(ctx context.Context, r reverse) error {
	if forward := r.forward(); forward != nil {
		_, err := s.removeState(ctx, stringOf(forward[attrPK]), stringOf(forward[attrSK]), "delete_at <= :now",
			item{":now": num(s.nowSeconds())})
		if err != nil {
			return err
		}
	}
	_, err := s.removeReverse(ctx, stateKey(stringOf(r.item[attrPK]), r.sk()), r.write())
	return err
}

// removeReverse removes a reverse row that a write has left so, and reports
// whether it is gone.
func (s *StateStore) removeReverse(ctx context.Context, key item, name string) (gone bool, err error) {
	_, err = write(ctx, func() (*dynamodb.DeleteItemOutput, error) {
		return s.client.DeleteItem(ctx, &dynamodb.DeleteItemInput{
			TableName: &s.state,
			Key:       key,
			// An absent row is what was wanted, and it is no change.
			ConditionExpression:       aws.String("attribute_not_exists(pk) OR #write = :write"),
			ExpressionAttributeNames:  map[string]string{"#write": attrWrite},
			ExpressionAttributeValues: item{":write": str(name)},
		})
	})
	if conditionFailed(err) != nil {
		return false, nil
	}
	return err == nil, err
}

// removeForward removes a forward row; with a name only one that this write has
// left.
func (s *StateStore) removeForward(ctx context.Context, key item, name string) error {
	in := &dynamodb.DeleteItemInput{TableName: &s.state, Key: key}
	if name != "" {
		in.ConditionExpression = aws.String("#write = :write")
		in.ExpressionAttributeNames = map[string]string{"#write": attrWrite}
		in.ExpressionAttributeValues = item{":write": str(name)}
	}
	_, err := write(ctx, func() (*dynamodb.DeleteItemOutput, error) { return s.client.DeleteItem(ctx, in) })
	if conditionFailed(err) != nil {
		return nil
	}
	return err
}

// removeUntold removes a forward row of which no reverse row tells. clear is
// false when there is one that does: somebody is adding it.
func (s *StateStore) removeUntold(ctx context.Context, h handle, sk string, forward item) (clear bool, err error) {
	it, err := s.load(ctx, stringOf(forward[attrPK]), stringOf(forward[attrSK]))
	if err != nil || len(it) == 0 {
		return true, err
	}
	r, err := s.reverseOf(ctx, h, sk)
	if err != nil {
		return false, err
	}
	if told := r.forward(); told != nil && stringOf(told[attrPK]) == stringOf(forward[attrPK]) {
		return false, nil
	}
	return true, s.removeForward(ctx, forward, stringOf(it[attrWrite]))
}

// forgetTries bounds how often what is being added meanwhile is looked for.
const forgetTries = 3

// Forget removes every attachment of a connection that has no row any more. It
// reads those of that connection alone: 1 RCU for each 4 KB, about 20, and 2 WCU
// for each attachment. What is being added at the same time undoes itself.
func (s *StateStore) Forget(ctx context.Context, ref sumu.ConnectionRef) error {
	const op = "forget"
	if err := check(ctx, op, ref); err != nil {
		return err
	}
	if err := s.forget(ctx, newHandle(ref)); err != nil {
		return classified(ctx, op, ref.ConnectionID, s.state, err)
	}
	return nil
}

func (s *StateStore) forget(ctx context.Context, h handle) error {
	for range forgetTries {
		rows, err := s.reverses(ctx, h, "")
		if err != nil {
			return err
		}
		gone := make([]bool, len(rows))
		err = s.each(len(rows), func(i int) error {
			var err error
			gone[i], err = s.removeBoth(ctx, rows[i])
			return err
		})
		if err != nil || !containsFalse(gone) {
			return err
		}
	}
	return nil
}

func containsFalse(flags []bool) bool {
	for _, f := range flags {
		if !f {
			return true
		}
	}
	return false
}

// Prolong moves the expiry of every attachment of a connection whose row was
// prolonged: 1 RCU for each 4 KB, about 20 of them, and 2 WCU for each.
func (s *StateStore) Prolong(ctx context.Context, ref sumu.ConnectionRef, deleteAt time.Time) error {
	const op = "prolong"
	if err := check(ctx, op, ref); err != nil {
		return err
	}
	rows, err := s.reverses(ctx, newHandle(ref), "")
	if err == nil {
		err = s.prolongUses(ctx, rows, deleteAt)
	}
	if err == nil {
		err = s.each(len(rows), func(i int) error {
			forward := rows[i].forward()
			if forward == nil || !rows[i].live(s.now()) {
				return nil
			}
			return s.prolong(ctx, rows[i], forward, deleteAt)
		})
	}
	if err != nil {
		return classified(ctx, op, ref.ConnectionID, s.state, err)
	}
	return nil
}

// prolong moves the expiry of the reverse row first: it must not expire before
// the forward row. A row that is not there stays so.
func (s *StateStore) prolong(ctx context.Context, r reverse, forward item, deleteAt time.Time) error {
	for _, key := range []item{stateKey(stringOf(r.item[attrPK]), r.sk()), forward} {
		in := &dynamodb.UpdateItemInput{
			TableName:                 &s.state,
			Key:                       key,
			UpdateExpression:          aws.String("REMOVE #expiry"),
			ConditionExpression:       aws.String("attribute_exists(pk)"),
			ExpressionAttributeNames:  map[string]string{"#expiry": attrDeleteAt},
			ExpressionAttributeValues: nil,
			ReturnValues:              types.ReturnValueNone,
		}
		if !deleteAt.IsZero() {
			in.UpdateExpression = aws.String("SET #expiry = :expiry")
			in.ExpressionAttributeValues = item{":expiry": num(deleteAt.Unix())}
		}
		_, err := write(ctx, func() (*dynamodb.UpdateItemOutput, error) { return s.client.UpdateItem(ctx, in) })
		if err != nil && conditionFailed(err) == nil {
			return err
		}
	}
	return nil
}
