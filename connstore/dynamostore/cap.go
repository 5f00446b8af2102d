package dynamostore

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/sumu-live/sumu"
)

const (
	// maxActions is how many actions a transaction has at most (DynamoDB's
	// quota, read 2026-11).
	maxActions = 100

	// capTries bounds how often PutCapped begins anew because another was
	// first.
	capTries = 100

	// capKeep is how long a cap row stays after its last write. It must only
	// outlive the calls that have read it, and even that for no more than an
	// attempt that fails.
	capKeep = 24 * time.Hour
)

// PutCapped writes a row as [Store.Put] does, on the condition that the user
// has at most most live rows afterwards. When there are too many, ErrLimit is
// returned and nothing is written, or, with evict, as many of the oldest other
// rows are removed, and returned with the oldest first. ErrInvalid is returned
// when most is below 1, ErrConflict when others were first a hundred times.
//
// The rows are counted afresh each time, so that nothing has to be kept in step
// with rows that expire, are pruned or are removed by others. What makes the
// count and the write one step is a cap row for each user in the state table,
// which every PutCapped of the user replaces in the same transaction. Rows that
// [Store.Put] writes at the same time do not take part: let all connections of
// a user be capped, as [sumu.App] does. Where more than 98 rows are evicted, the
// first of them go in transactions of their own, and come back along with the
// error should a later one fail.
//
// It costs 1 RCU for the cap row, 1 RCU for each 4 KB of the user's rows, and
// 4 WCU, and 2 WCU more for each row that is evicted. A refusal costs the reads.
func (s *StateStore) PutCapped(
	ctx context.Context, c sumu.Connection, most int, evict bool,
) (evicted []sumu.Connection, err error) {
	const op = "put capped"
	err = c.Validate()
	if err == nil && most < 1 {
		err = invalid("most is %d; it must be at least 1", most)
	}
	if err := enter(ctx, op, c.ID, err); err != nil {
		return nil, err
	}
	leave, err := s.turns.enter(ctx, c.UserID)
	if err != nil {
		return nil, failed(op, c.ID, err)
	}
	defer leave()
	for try := 1; ; try++ {
		gone, done, err := s.tryCapped(ctx, c, most, evict)
		evicted = append(evicted, gone...)
		switch {
		case err == nil && done:
			return evicted, nil
		case err == nil:
			try = 0 // A part of the evictions is done.
			continue
		case errors.Is(err, sumu.ErrLimit):
			return evicted, failed(op, c.ID, err)
		case try == capTries || !isConflict(err):
			return evicted, classified(ctx, op, c.ID, s.connections+" or "+s.state, err)
		}
		if err := pause(ctx, try); err != nil {
			return evicted, failed(op, c.ID, err)
		}
	}
}

// isConflict reports whether a transaction failed for no other reason than that
// another was first.
func isConflict(err error) bool { return kindOf(err) == sumu.ErrConflict }

// errMoved: the cap row was replaced while the rows were counted.
var errMoved = &types.TransactionConflictException{Message: aws.String("another PutCapped was first")}

// tryCapped counts and writes once. Its errors are DynamoDB's, and ErrLimit;
// done is false when it has only removed some of the rows that are too many.
func (s *StateStore) tryCapped(
	ctx context.Context, c sumu.Connection, most int, evict bool,
) (evicted []sumu.Connection, done bool, err error) {
	// The cap row first: the count then has seen every write that the cap row
	// tells of, and a later one replaces the cap row.
	capRow, err := s.load(ctx, c.UserID, capSK)
	if err != nil {
		return nil, false, err
	}
	room := most
	if c.Live(s.now()) {
		room--
	}
	enough := 0 // A refusal needs no more than one row too many.
	if !evict {
		enough = room + 1
	}
	others, err := s.others(ctx, c, enough)
	if err != nil {
		return nil, false, err
	}
	tooMany := max(len(others)-room, 0)
	if tooMany > 0 && !evict {
		// The pages of a query are not of one moment: rows that came and rows
		// that were evicted for them may both have been counted.
		again, err := s.load(ctx, c.UserID, capSK)
		if err == nil && stringOf(again[attrWrite]) != stringOf(capRow[attrWrite]) {
			err = errMoved
		}
		if err == nil {
			err = sumu.ErrLimit
		}
		return nil, false, err
	}
	oldest := oldestOf(others, tooMany)
	put := []types.TransactWriteItem{{Put: &types.Put{TableName: &s.connections, Item: newItem(c)}}}
	if done = len(oldest) <= maxActions-2; !done {
		oldest, put = oldest[:maxActions-1], nil
	}
	if err := s.commit(ctx, c.UserID, capRow, oldest, put); err != nil {
		return nil, false, err
	}
	for _, old := range oldest {
		evicted = append(evicted, old.Connection)
	}
	return evicted, done, nil
}

// counted is a row, and its connected_at as it is stored: other programs write
// what does not survive being read and written.
type counted struct {
	sumu.Connection
	connectedAt types.AttributeValue
}

// others returns the user's live rows but c: all of them, or when enough is
// above 0 no more than that. It is strongly consistent: of the rows that the cap
// row tells of it must miss none.
func (s *StateStore) others(ctx context.Context, c sumu.Connection, enough int) (live []counted, err error) {
	for it, err := range items(ctx, nil, s.userPages(ctx, c.UserID, consistently, 0)) {
		if err != nil {
			return nil, err
		}
		other := counted{connection(it), it[attrConnectedAt]}
		if other.ID == c.ID || !other.Live(s.now()) {
			continue
		}
		if live = append(live, other); len(live) == enough {
			break
		}
	}
	return live, nil
}

// oldestOf returns the n oldest rows, the oldest first. A row without
// ConnectedAt is older than any: its time is the zero time.
func oldestOf(rows []counted, n int) []counted {
	slices.SortFunc(rows, func(a, b counted) int {
		return cmp.Or(a.ConnectedAt.Compare(b.ConnectedAt), strings.Compare(a.ID, b.ID))
	})
	return rows[:n]
}

// commit removes rows and writes others, on the condition that the cap row is
// still what it was and so are the rows.
func (s *StateStore) commit(
	ctx context.Context, user string, capRow item, remove []counted, put []types.TransactWriteItem,
) error {
	next := stateKey(user, capSK)
	next[attrWrite] = str(rand.Text()) // Not a counter: one that starts anew could look unchanged.
	setTime(next, attrDeleteAt, s.now().Add(capKeep), time.Time.Unix)
	capPut := &types.Put{TableName: &s.state, Item: next, ConditionExpression: aws.String("attribute_not_exists(pk)")}
	if len(capRow) > 0 {
		capPut.ConditionExpression = aws.String("#write = :seen")
		capPut.ExpressionAttributeNames = map[string]string{"#write": attrWrite}
		capPut.ExpressionAttributeValues = item{":seen": str(stringOf(capRow[attrWrite]))}
	}
	actions := append([]types.TransactWriteItem{{Put: capPut}}, put...)
	for _, c := range remove {
		// A row that somebody else removed makes room by itself, and is not
		// ours to return; one that was written anew is not the one counted.
		d := &types.Delete{TableName: &s.connections, Key: connectionKey(c.UserID, c.ID)}
		if c.connectedAt == nil {
			d.ConditionExpression = aws.String("attribute_exists(user_id) AND attribute_not_exists(connected_at)")
		} else {
			d.ConditionExpression = aws.String("connected_at = :seen")
			d.ExpressionAttributeValues = item{":seen": c.connectedAt}
		}
		actions = append(actions, types.TransactWriteItem{Delete: d})
	}
	// The token makes the client's own retries of this transaction one with it.
	in := &dynamodb.TransactWriteItemsInput{TransactItems: actions, ClientRequestToken: aws.String(rand.Text())}
	_, err := s.client.TransactWriteItems(ctx, in)
	return err
}
