package dynamostore

import (
	"context"
	"errors"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/sumu-live/sumu"
)

// SweepExpired removes up to limit expired rows, or all of them when limit is 0
// or less, each by a write that is conditional on its DeleteAt being what was
// read. DynamoDB removes them by itself, up to days late; the sweep is what
// makes presence timely, and what removes rows of the original stack, whose
// delete_at DynamoDB does not understand. Records are left to DynamoDB.
//
// It scans the table, 0.5 RCU for each 4 KB, and pays 1 WCU for each removal: a
// table of 100,000 rows costs about $0.0003 a sweep (on demand, us-east-1,
// 2026-11). It stops early once limit rows are removed.
func (s *Store) SweepExpired(ctx context.Context, limit int) (removed int, err error) {
	const op = "sweep"
	if limit <= 0 {
		limit = int(^uint(0) >> 1)
	}
	now := s.now()
	pages := s.scanPages(ctx, sumu.Segment{}, dynamodb.ScanInput{
		TableName: &s.connections,
		// What this misses the next sweep finds, and each removal is
		// conditional on what was read.
		ConsistentRead:       eventually,
		ProjectionExpression: aws.String("user_id, connection_id, delete_at"),
		// The filter spares the transfer of rows, not their price.
		FilterExpression:          aws.String("delete_at <= :now OR attribute_type(delete_at, :string)"),
		ExpressionAttributeValues: item{":now": num(now.Unix()), ":string": typeS()},
	})
	// What is removed is counted only when the condition has held, so that
	// a batch may remove fewer than it has.
	var batch []item
	for it, err := range items(ctx, nil, pages) {
		if err == nil {
			if connection(it).Live(now) {
				continue
			}
			if batch = append(batch, it); len(batch) < min(limit-removed, 4*s.sweepConcurrency) {
				continue
			}
			var n int
			n, err = s.sweepBatch(ctx, batch)
			removed, batch = removed+n, batch[:0]
		}
		if err != nil {
			return removed, classified(ctx, op, "", s.connections, err)
		}
		if removed == limit {
			return removed, nil
		}
	}
	n, err := s.sweepBatch(ctx, batch)
	if err != nil {
		return removed + n, classified(ctx, op, "", s.connections, err)
	}
	return removed + n, nil
}

// sweepBatch removes the rows whose delete_at is still what was read. Not a
// BatchWriteItem: it knows no conditions, and a row may have been renewed.
func (s *Store) sweepBatch(ctx context.Context, batch []item) (removed int, err error) {
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		errs []error
		next = make(chan item)
	)
	for range min(len(batch), s.sweepConcurrency) {
		wg.Go(func() {
			for it := range next {
				gone, err := s.remove(ctx, &dynamodb.DeleteItemInput{
					Key:                       key(it),
					ConditionExpression:       aws.String("delete_at = :seen"),
					ExpressionAttributeValues: item{":seen": it[attrDeleteAt]},
				})
				mu.Lock()
				if gone {
					removed++
				}
				if err != nil {
					errs = append(errs, err)
				}
				mu.Unlock()
			}
		})
	}
	for _, it := range batch {
		next <- it
	}
	close(next)
	wg.Wait()
	return removed, errors.Join(errs...)
}
