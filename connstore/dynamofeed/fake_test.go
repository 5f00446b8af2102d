package dynamofeed_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dynamodbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
	"github.com/aws/smithy-go"
)

// fake is a table's stream whose shards split when a test says so, and whose
// calls fail then: no emulator's do.
type fake struct {
	mu     sync.Mutex
	stream string
	shards []*fakeShard // of all streams
	number int          // of the last record
	pages  int          // records of a page
	fail   func(op, shard string) error
	calls  map[string]int
	age    int // iterators of a lower one have expired
}

type fakeShard struct {
	stream, id, parent string
	records            []types.Record
	trimmed            int // of records
	closed             bool
}

func newFake() *fake {
	f := &fake{stream: "arn:1", pages: 3, calls: make(map[string]int)}
	f.add("a", "")
	return f
}

func (f *fake) add(id, parent string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.shards = append(f.shards, &fakeShard{stream: f.stream, id: id, parent: parent})
}

func (f *fake) shard(stream, id string) *fakeShard {
	for _, s := range f.shards {
		if s.stream == stream && s.id == id {
			return s
		}
	}
	return nil
}

// write appends the removal of a user's row to a shard.
func (f *fake) write(id string, users ...string) { f.event(id, types.OperationTypeRemove, users...) }

func (f *fake) event(id string, what types.OperationType, users ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.shard(f.stream, id)
	for _, user := range users {
		f.number++
		keys := map[string]types.AttributeValue{"connection_id": &types.AttributeValueMemberS{Value: "c"}}
		if user != "" {
			keys["user_id"] = &types.AttributeValueMemberS{Value: user}
		}
		s.records = append(s.records, types.Record{EventName: what, Dynamodb: &types.StreamRecord{
			Keys: keys, SequenceNumber: aws.String(strconv.Itoa(f.number)),
		}})
	}
}

// split closes a shard and opens its children.
func (f *fake) split(id string, children ...string) {
	f.mu.Lock()
	f.shard(f.stream, id).closed = true
	f.mu.Unlock()
	for _, child := range children {
		f.add(child, id)
	}
}

func (f *fake) with(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
}

func (f *fake) failure(op, shard string) error {
	f.calls[op]++
	if f.fail != nil {
		return f.fail(op, shard)
	}
	return nil
}

func (f *fake) DescribeTable(context.Context, *dynamodb.DescribeTableInput, ...func(*dynamodb.Options)) (*dynamodb.DescribeTableOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return &dynamodb.DescribeTableOutput{Table: &dynamodbtypes.TableDescription{LatestStreamArn: aws.String(f.stream)}}, f.failure("table", "")
}

// DescribeStream has one shard on a page.
func (f *fake) DescribeStream(_ context.Context, in *dynamodbstreams.DescribeStreamInput, _ ...func(*dynamodbstreams.Options)) (*dynamodbstreams.DescribeStreamOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.failure("describe", ""); err != nil {
		return nil, err
	}
	d := new(types.StreamDescription)
	after := aws.ToString(in.ExclusiveStartShardId)
	for _, s := range f.shards {
		switch {
		case s.stream != *in.StreamArn:
		case after != "":
			if s.id == after {
				after = ""
			}
		case len(d.Shards) == 1:
			d.LastEvaluatedShardId = d.Shards[0].ShardId
		default:
			described := types.Shard{ShardId: &s.id, SequenceNumberRange: new(types.SequenceNumberRange)}
			if s.parent != "" {
				described.ParentShardId = &s.parent
			}
			d.Shards = append(d.Shards, described)
		}
	}
	return &dynamodbstreams.DescribeStreamOutput{StreamDescription: d}, nil
}

func (f *fake) GetShardIterator(_ context.Context, in *dynamodbstreams.GetShardIteratorInput, _ ...func(*dynamodbstreams.Options)) (*dynamodbstreams.GetShardIteratorOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.failure("iterator "+string(in.ShardIteratorType), *in.ShardId); err != nil {
		return nil, err
	}
	s := f.shard(*in.StreamArn, *in.ShardId)
	at := s.trimmed
	switch in.ShardIteratorType {
	case types.ShardIteratorTypeLatest:
		at = len(s.records)
	case types.ShardIteratorTypeAfterSequenceNumber:
		if _, err := strconv.Atoi(*in.SequenceNumber); err != nil {
			return nil, &smithy.GenericAPIError{Code: "ValidationException"}
		}
		for at = 0; at < len(s.records); at++ {
			if seqOf(s.records[at]) > atoi(*in.SequenceNumber) {
				break
			}
		}
		if at < s.trimmed {
			return nil, &types.TrimmedDataAccessException{}
		}
	}
	return &dynamodbstreams.GetShardIteratorOutput{ShardIterator: f.iterator(s, at)}, nil
}

func (f *fake) iterator(s *fakeShard, at int) *string {
	return aws.String(fmt.Sprintf("%s|%s|%d|%d", s.stream, s.id, at, f.age))
}

func (f *fake) GetRecords(_ context.Context, in *dynamodbstreams.GetRecordsInput, _ ...func(*dynamodbstreams.Options)) (*dynamodbstreams.GetRecordsOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	parts := strings.Split(*in.ShardIterator, "|")
	if err := f.failure("records", parts[1]); err != nil {
		return nil, err
	}
	if atoi(parts[3]) < f.age {
		return nil, &types.ExpiredIteratorException{}
	}
	s, at := f.shard(parts[0], parts[1]), atoi(parts[2])
	end := min(at+f.pages, len(s.records))
	out := &dynamodbstreams.GetRecordsOutput{Records: s.records[at:end], NextShardIterator: f.iterator(s, end)}
	if s.closed && end == len(s.records) {
		out.NextShardIterator = nil
	}
	return out, nil
}

func seqOf(r types.Record) int { return atoi(*r.Dynamodb.SequenceNumber) }

func atoi(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		panic(err)
	}
	return n
}
