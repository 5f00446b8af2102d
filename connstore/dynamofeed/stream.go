package dynamofeed

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
	"github.com/aws/smithy-go"

	"github.com/sumu-live/sumu"
)

// streamOf returns the ARN of the table's stream.
func (f *Feed) streamOf(ctx context.Context) (string, error) {
	out, err := f.tables.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &f.opts.Table})
	if err != nil {
		return "", err
	}
	if out.Table == nil || aws.ToString(out.Table.LatestStreamArn) == "" {
		return "", fmt.Errorf("table %s has no stream", f.opts.Table)
	}
	return *out.Table.LatestStreamArn, nil
}

// listed is a shard of a stream's description.
type listed struct {
	shardID
	parent string
}

func (f *Feed) shardsOf(ctx context.Context, stream string) (shards []listed, err error) {
	in := &dynamodbstreams.DescribeStreamInput{StreamArn: &stream}
	for {
		out, err := f.streams.DescribeStream(ctx, in)
		if err != nil {
			return nil, err
		}
		d := out.StreamDescription
		if d == nil {
			return shards, nil
		}
		for _, s := range d.Shards {
			shards = append(shards, listed{
				shardID: shardID{stream, aws.ToString(s.ShardId)},
				parent:  aws.ToString(s.ParentShardId),
			})
		}
		if in.ExclusiveStartShardId = d.LastEvaluatedShardId; in.ExclusiveStartShardId == nil {
			return shards, nil
		}
	}
}

// record is what is read of a stream record. One that nobody is to be told of
// has no user.
type record struct {
	seq    string
	change sumu.Change
}

func (f *Feed) record(r types.Record) (rec record) {
	if r.Dynamodb == nil {
		return rec
	}
	rec.seq = aws.ToString(r.Dynamodb.SequenceNumber)
	if r.EventName == types.OperationTypeModify && !f.opts.Modified {
		return rec
	}
	user, _ := r.Dynamodb.Keys["user_id"].(*types.AttributeValueMemberS)
	id, _ := r.Dynamodb.Keys["connection_id"].(*types.AttributeValueMemberS)
	if user != nil {
		rec.change.UserID = user.Value
	}
	if id != nil {
		rec.change.ConnectionID = id.Value
	}
	return rec
}

// page reads one page of a shard and hands its changes over.
func (r *reader) page(ctx context.Context, s *shard) (read int, err error) {
	if s.iterator == nil {
		if err := r.place(ctx, s); err != nil || s.iterator == nil {
			return 0, err
		}
	}
	out, err := r.f.streams.GetRecords(ctx, &dynamodbstreams.GetRecordsInput{ShardIterator: s.iterator})
	if err != nil {
		return 0, r.misplaced(ctx, s, err)
	}
	page := make([]record, len(out.Records))
	for i, rec := range out.Records {
		page[i] = r.f.record(rec)
	}
	s.iterator = nil // Left in the middle of the page, the reader goes on by seq.
	if err := r.tell(ctx, s, page); err != nil {
		return 0, err
	}
	if s.iterator = out.NextShardIterator; s.iterator == nil {
		r.end(s)
	}
	return len(page), nil
}

// place gets an iterator for the place in the shard.
func (r *reader) place(ctx context.Context, s *shard) error {
	in := &dynamodbstreams.GetShardIteratorInput{StreamArn: &s.stream, ShardId: &s.id}
	switch {
	case s.latest:
		in.ShardIteratorType = types.ShardIteratorTypeLatest
	case s.seq != "":
		in.ShardIteratorType = types.ShardIteratorTypeAfterSequenceNumber
		in.SequenceNumber = &s.seq
	default:
		in.ShardIteratorType = types.ShardIteratorTypeTrimHorizon
	}
	out, err := r.f.streams.GetShardIterator(ctx, in)
	if err != nil {
		return r.misplaced(ctx, s, err)
	}
	s.iterator = out.ShardIterator
	// Should the iterator expire before it has told of anything, only the
	// beginning of the shard is certain to be before what comes.
	s.latest = false
	if s.iterator == nil {
		return errors.New("no iterator was returned")
	}
	return nil
}

// misplaced sees to errors that say that the place must be found anew; it
// returns the others.
func (r *reader) misplaced(ctx context.Context, s *shard, err error) error {
	s.iterator = nil
	var (
		expired *types.ExpiredIteratorException
		trimmed *types.TrimmedDataAccessException
		missing *types.ResourceNotFoundException
		api     smithy.APIError
	)
	switch {
	case errors.As(err, &expired):
		return nil // Iterators live for 15 minutes.
	case errors.As(err, &missing):
		r.end(s) // Older than the stream remembers, or the stream is no more.
		return nil
	case errors.As(err, &trimmed), s.seq != "" && errors.As(err, &api) && api.ErrorCode() == "ValidationException":
		r.f.opts.Logger.WarnContext(ctx, "records of the stream are lost; a reconciliation finds what they said",
			"table", r.f.opts.Table, "shard", s.id, "error", err)
		r.mu.Lock()
		s.seq = ""
		r.mu.Unlock()
		return nil
	}
	return err
}

// end notes that a shard was read to its end.
func (r *reader) end(s *shard) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s.done, s.iterator = true, nil
}
