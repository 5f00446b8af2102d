package dynamostore

import (
	"context"
	"iter"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/sumu-live/sumu"
)

// fetch reads the page behind start, and returns where the next one begins;
// next is empty when there is none.
type fetch func(start item) (items []item, next item, err error)

// items yields the items of all pages. After an error it yields nothing more.
// A page may be empty and not the last.
func items(ctx context.Context, start item, page fetch) iter.Seq2[item, error] {
	return func(yield func(item, error) bool) {
		for start := start; ; {
			found, next, err := []item(nil), item(nil), ctx.Err()
			if err == nil {
				found, next, err = page(start)
			}
			if err != nil {
				yield(nil, err)
				return
			}
			for _, it := range found {
				if !yield(it, nil) {
					return
				}
			}
			if len(next) == 0 {
				return
			}
			start = next
		}
	}
}

// userPages reads the rows of a user. The first page has first rows at most, if
// that is above 0.
func (s *Store) userPages(ctx context.Context, user string, consistent *bool, first int32) fetch {
	return func(start item) ([]item, item, error) {
		limit := s.limit()
		if first > 0 && start == nil {
			limit = &first
		}
		out, err := s.client.Query(ctx, &dynamodb.QueryInput{
			TableName:                 &s.connections,
			KeyConditionExpression:    aws.String("user_id = :user"),
			ExpressionAttributeValues: item{":user": str(user)},
			ConsistentRead:            consistent,
			ExclusiveStartKey:         start,
			Limit:                     limit,
		})
		if err != nil {
			return nil, nil, err
		}
		return out.Items, out.LastEvaluatedKey, nil
	}
}

// ByUser yields the live rows of a user in ascending byte order of their ids,
// read page by page: strongly consistent, 1 RCU for each 4 KB, about 25 rows;
// see [Options].EventualRecipients. After an error it yields nothing more.
func (s *Store) ByUser(ctx context.Context, userID string) iter.Seq2[sumu.Connection, error] {
	const op = "by user"
	return func(yield func(sumu.Connection, error) bool) {
		if err := checkUser(ctx, op, userID); err != nil {
			yield(sumu.Connection{}, err)
			return
		}
		// A notification reaches every connection that was accepted before it.
		s.yieldLive(ctx, op, userID, items(ctx, nil, s.userPages(ctx, userID, s.recipients, 0)), yield)
	}
}

// yieldLive yields the rows among items that are live when they are yielded.
func (s *Store) yieldLive(
	ctx context.Context, op, what string, items iter.Seq2[item, error], yield func(sumu.Connection, error) bool,
) {
	for it, err := range items {
		if err != nil {
			yield(sumu.Connection{}, classified(ctx, op, what, s.connections, err))
			return
		}
		if c := connection(it); c.Live(s.now()) && !yield(c, nil) {
			return
		}
	}
}

// firstPage is about what 4 KB hold, the unit of a read's price: most users
// are decided by it.
const firstPage = 25

// HasLive reports whether the user has at least one live row: strongly
// consistent, 1 RCU for most users. Expired rows that are not swept yet cost
// more: it reads on until it finds a live row or the end.
func (s *Store) HasLive(ctx context.Context, userID string) (bool, error) {
	const op = "has live"
	if err := checkUser(ctx, op, userID); err != nil {
		return false, err
	}
	// Expiry is not a filter of the query: a limit counts the rows before a
	// filter, and a page without a live row would look like none at all.
	// Consistent: on a replica that is behind, who has just come back would
	// become OFFLINE.
	for it, err := range items(ctx, nil, s.userPages(ctx, userID, consistently, firstPage)) {
		if err != nil {
			return false, classified(ctx, op, userID, s.connections, err)
		}
		if connection(it).Live(s.now()) {
			return true, nil
		}
	}
	return false, nil
}

// scanPages reads a segment of a table; in is the rest of the request.
func (s *Store) scanPages(ctx context.Context, seg sumu.Segment, in dynamodb.ScanInput) fetch {
	if seg.Count > 1 {
		in.Segment, in.TotalSegments = aws.Int32(int32(seg.Index)), aws.Int32(int32(seg.Count))
	}
	in.Limit = s.limit()
	return func(start item) ([]item, item, error) {
		in := in
		in.ExclusiveStartKey = start
		out, err := s.client.Scan(ctx, &in)
		if err != nil {
			return nil, nil, err
		}
		return out.Items, out.LastEvaluatedKey, nil
	}
}

// maxSegments is DynamoDB's limit (read 2026-11).
const maxSegments = 1_000_000

// checkSegment is the entry of every scan. A cursor must be whole: half of one
// would make the scan begin elsewhere, or anew.
func checkSegment(ctx context.Context, op string, seg sumu.Segment, after error) error {
	err := seg.Validate()
	if err == nil && seg.Count > maxSegments {
		err = invalid("%d segments; at most %d are allowed", seg.Count, maxSegments)
	}
	if err == nil && seg.After != (sumu.ConnectionRef{}) {
		err = after
	}
	return enter(ctx, op, "", err)
}

// All yields the live rows of a segment, read page by page: 0.5 RCU for each
// 4 KB of the table, expired rows included. It may lag a write by a moment,
// unless ConsistentAll is set. The order is that of DynamoDB's scan; a segment's
// After must be of a row of that segment. After an error it yields nothing more.
func (s *Store) All(ctx context.Context, seg sumu.Segment) iter.Seq2[sumu.Connection, error] {
	const op = "all"
	return func(yield func(sumu.Connection, error) bool) {
		if err := checkSegment(ctx, op, seg, seg.After.Validate()); err != nil {
			yield(sumu.Connection{}, err)
			return
		}
		var start item
		if seg.After != (sumu.ConnectionRef{}) {
			start = connectionKey(seg.After.UserID, seg.After.ConnectionID)
		}
		pages := s.scanPages(ctx, seg, dynamodb.ScanInput{TableName: &s.connections, ConsistentRead: s.all})
		s.yieldLive(ctx, op, "", items(ctx, start, pages), yield)
	}
}
