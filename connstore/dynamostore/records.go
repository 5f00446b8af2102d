package dynamostore

import (
	"context"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/sumu-live/sumu"
)

// The attributes of a record, beside delete_at.
const (
	attrValue = "value" // B
	attrRev   = "rev"
)

func newRecord(r sumu.Record) item {
	it := stateKey(r.Key, recordSKPrefix+r.Kind)
	it[attrRev] = num(r.Rev)
	setTime(it, attrDeleteAt, r.DeleteAt, time.Time.Unix)
	if len(r.Value) > 0 {
		it[attrValue] = bin(r.Value)
	}
	return it
}

// LoadRecord returns a record: one with its Kind and Key alone, and so Rev 0,
// when there is none or it has expired. It is strongly consistent and costs
// 1 RCU for each 4 KB.
func (s *StateStore) LoadRecord(ctx context.Context, kind, key string) (sumu.Record, error) {
	const op = "load record"
	if err := checkRecord(ctx, op, recordName(kind, key)); err != nil {
		return sumu.Record{}, err
	}
	it, err := s.load(ctx, key, recordSKPrefix+kind)
	if err != nil {
		return sumu.Record{}, classified(ctx, op, kind, s.state, err)
	}
	r := sumu.Record{Kind: kind, Key: key}
	if deleteAt := timeOf(it[attrDeleteAt], seconds); s.now().Before(deleteAt) {
		r.Rev, r.DeleteAt = intOf(it[attrRev]), deleteAt
		if b, ok := it[attrValue].(*types.AttributeValueMemberB); ok {
			r.Value = b.Value
		}
	}
	return r, nil
}

// SaveRecord writes a record on the condition that the stored Rev (0 when there
// is none, or it has expired) is r.Rev-1: 1 WCU for each KB. ErrConflict is
// returned when it is not.
func (s *StateStore) SaveRecord(ctx context.Context, r sumu.Record) error {
	const op = "save record"
	if err := checkRecord(ctx, op, r); err != nil {
		return err
	}
	// What has expired may be there for days yet.
	condition, values := "attribute_not_exists(pk) OR delete_at <= :now", item{":now": num(s.nowSeconds())}
	if r.Rev > 1 {
		condition = "rev = :before AND delete_at > :now"
		values[":before"] = num(r.Rev - 1)
	}
	saved, err := s.save(ctx, newRecord(r), condition, values)
	switch {
	case err != nil:
		return classified(ctx, op, r.Kind, s.state, err)
	case !saved:
		return failed(op, r.Kind, sumu.ErrConflict)
	}
	return nil
}

// DeleteRecord removes a record on the condition that it has this Rev and has
// not expired: 1 WCU for each KB. ErrConflict is returned when it does not, or
// is absent. When an answer of DynamoDB was lost, and its client tried again,
// nobody may be told of the removal; never are two.
func (s *StateStore) DeleteRecord(ctx context.Context, kind, key string, rev int64) error {
	const op = "delete record"
	if err := checkRecord(ctx, op, recordName(kind, key)); err != nil {
		return err
	}
	removed, err := s.removeState(ctx, key, recordSKPrefix+kind, "rev = :rev AND delete_at > :now",
		item{":rev": num(rev), ":now": num(s.nowSeconds())})
	switch {
	case err != nil:
		return classified(ctx, op, kind, s.state, err)
	case !removed:
		return failed(op, kind, sumu.ErrConflict)
	}
	return nil
}

// recordName is a record that validates when its kind and key do.
func recordName(kind, key string) sumu.Record {
	return sumu.Record{Kind: kind, Key: key, Rev: 1, DeleteAt: time.Unix(1, 0)}
}

// checkRecord is the entry of every call that names a record. The key stays out
// of its error, and of all others here: it may be a ticket, which is a secret.
func checkRecord(ctx context.Context, op string, r sumu.Record) error {
	err := r.Validate()
	if err == nil && !utf8.ValidString(r.Kind) { // JSON would turn it into another.
		err = invalid("record: kind is not valid UTF-8")
	}
	return enter(ctx, op, r.Kind, err)
}
