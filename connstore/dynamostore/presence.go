package dynamostore

import (
	"context"
	"iter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/sumu-live/sumu"
)

// The attributes of a presence row. Some are reserved words of DynamoDB's: in
// expressions they are "#name".
const (
	attrStatus      = "status"
	attrVersion     = "version"
	attrAt          = "at" // N, ms
	attrAnnounced   = "announced"
	attrSeq         = "seq"
	attrAbsentSince = "absent_since" // N, ms
)

func newPresence(row sumu.PresenceRow) item {
	it := stateKey(row.UserID, presenceSK)
	it[attrStatus] = str(string(row.Status))
	it[attrVersion] = num(row.Version)
	it[attrAnnounced] = num(row.Announced)
	it[attrSeq] = num(row.Seq)
	setTime(it, attrAt, row.At, time.Time.UnixMilli)
	setTime(it, attrAbsentSince, row.AbsentSince, time.Time.UnixMilli)
	return it
}

func presence(it item) sumu.PresenceRow {
	return sumu.PresenceRow{
		UserID:      stringOf(it[attrPK]),
		Status:      sumu.Status(stringOf(it[attrStatus])),
		Version:     intOf(it[attrVersion]),
		At:          timeOf(it[attrAt], time.UnixMilli),
		Announced:   intOf(it[attrAnnounced]),
		Seq:         intOf(it[attrSeq]),
		AbsentSince: timeOf(it[attrAbsentSince], time.UnixMilli),
	}
}

// Presence returns a user's row: the zero row with UserID and status Offline
// when there is none. It is strongly consistent and costs 1 RCU.
func (s *StateStore) Presence(ctx context.Context, userID string) (sumu.PresenceRow, error) {
	const op = "presence"
	if err := checkUser(ctx, op, userID); err != nil {
		return sumu.PresenceRow{}, err
	}
	it, err := s.load(ctx, userID, presenceSK)
	switch {
	case err != nil:
		return sumu.PresenceRow{}, classified(ctx, op, userID, s.state, err)
	case len(it) == 0:
		return sumu.PresenceRow{UserID: userID, Status: sumu.Offline}, nil
	}
	return presence(it), nil
}

// SavePresence writes a row on the condition that the stored Seq (0 when there
// is no row) is row.Seq-1: 1 WCU, or more for a user's id of some 800 bytes.
// ErrConflict is returned when it is not.
func (s *StateStore) SavePresence(ctx context.Context, row sumu.PresenceRow) error {
	const op = "save presence"
	if err := checkUser(ctx, op, row.UserID); err != nil {
		return err
	}
	condition := "attribute_not_exists(pk)"
	var values item
	if row.Seq != 1 {
		condition, values = "seq = :before", item{":before": num(row.Seq - 1)}
	}
	saved, err := s.save(ctx, newPresence(row), condition, values)
	switch {
	case err != nil:
		return classified(ctx, op, row.UserID, s.state, err)
	case !saved:
		return failed(op, row.UserID, sumu.ErrConflict)
	}
	return nil
}

// MarkAnnounced sets Announced to version on the condition that the stored
// Version is version: 1 WCU. ErrConflict is returned when it is not, or there
// is no row.
func (s *StateStore) MarkAnnounced(ctx context.Context, userID string, version int64) error {
	const op = "mark announced"
	if err := checkUser(ctx, op, userID); err != nil {
		return err
	}
	in := &dynamodb.UpdateItemInput{
		TableName:                 &s.state,
		Key:                       stateKey(userID, presenceSK),
		UpdateExpression:          aws.String("SET #announced = :version"),
		ConditionExpression:       aws.String("#version = :version"),
		ExpressionAttributeNames:  map[string]string{"#announced": attrAnnounced, "#version": attrVersion},
		ExpressionAttributeValues: item{":version": num(version)},
	}
	_, err := write(ctx, func() (*dynamodb.UpdateItemOutput, error) { return s.client.UpdateItem(ctx, in) })
	switch {
	case conditionFailed(err) != nil:
		return failed(op, userID, sumu.ErrConflict)
	case err != nil:
		return classified(ctx, op, userID, s.state, err)
	}
	return nil
}

// PresenceRows yields the rows of a segment, read page by page and strongly
// consistent: 1 RCU for each 4 KB of the whole state table, whatever else it
// holds. Segment.After names a row by its UserID alone. After an error it
// yields nothing more.
func (s *StateStore) PresenceRows(ctx context.Context, seg sumu.Segment) iter.Seq2[sumu.PresenceRow, error] {
	const op = "presence rows"
	return func(yield func(sumu.PresenceRow, error) bool) {
		if err := checkSegment(ctx, op, seg, sumu.ValidateUserID(seg.After.UserID)); err != nil {
			yield(sumu.PresenceRow{}, err)
			return
		}
		var start item
		if seg.After != (sumu.ConnectionRef{}) {
			start = stateKey(seg.After.UserID, presenceSK)
		}
		pages := s.scanPages(ctx, seg, dynamodb.ScanInput{
			TableName:                 &s.state,
			ConsistentRead:            consistently,
			FilterExpression:          aws.String("sk = :presence"),
			ExpressionAttributeValues: item{":presence": str(presenceSK)},
		})
		for it, err := range items(ctx, start, pages) {
			if err != nil {
				yield(sumu.PresenceRow{}, classified(ctx, op, "", s.state, err))
				return
			}
			if !yield(presence(it), nil) {
				return
			}
		}
	}
}
