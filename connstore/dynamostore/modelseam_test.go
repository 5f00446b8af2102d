package dynamostore_test

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"maps"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

var (
	errCrashed = errors.New("crashed")
	errFault   = errors.New("fault")
)

// rule is one that a test takes out, to see that the model misses it.
type rule int

const (
	none             rule = iota
	reverseRowFirst       // a join writes the reverse row after the forward row
	looksAtRow            // a join does not look at the connection's row in the end
	looksAtReverse        // a join does not look at the reverse row in the end
	shardIsKept           // the reverse row does not tell the shard
	forwardLeaves         // a leave removes the reverse row before the forward row
	leaveLooksBack        // a leave does not look for what a join wrote meanwhile
	writesThenCounts      // a join counts before it has written
	lastWriterUndoes      // a join that is refused removes another's reverse row
	established           // a join that is refused takes away what was joined before
	rowDecidesExpiry      // a join believes its caller when the row expires
)

// seam stands between one call of a store and memDB. Every call through it waits
// for its turn and is one step.
type seam struct {
	*memDB
	w     *walk
	p     *proc
	yield func(struct{}) bool

	deferred func() // a write that a broken rule puts off
	counted  *dynamodb.QueryOutput
}

// turn waits until the scheduler goes on with this call. One that has crashed
// gets nothing done any more.
func (s *seam) turn() error {
	if s.p.crashed || !s.yield(struct{}{}) {
		s.p.crashed = true
		return errCrashed
	}
	return nil
}

// step does one thing in one step. It may fail before, lose its answer, or be
// done twice because the first answer was lost.
func step[Out any](s *seam, do func() (Out, error)) (out Out, err error) {
	if err := s.turn(); err != nil {
		return out, err
	}
	if !s.w.chance(s.w.faults) {
		return do()
	}
	s.w.stats.faults++
	switch s.w.rnd.IntN(3) {
	case 0:
		s.p.faulted = true
		return out, errFault
	case 1:
		_, _ = do()
		s.p.faulted = true
		return out, errFault
	}
	_, _ = do()
	s.p.twice = true
	return do()
}

func prefixed(it row, attr, prefix string) bool { return strings.HasPrefix(textOf(it[attr]), prefix) }

func isReverse(key row) bool { return prefixed(key, "pk", "attached/") }
func isForward(key row) bool { return prefixed(key, "sk", "member/") || prefixed(key, "sk", "sub/") }

func (s *seam) GetItem(ctx context.Context, in *dynamodb.GetItemInput, o ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	s.belate(in)
	out, err := step(s, func() (*dynamodb.GetItemOutput, error) { return s.memDB.GetItem(ctx, in, o...) })
	if err != nil {
		return out, err
	}
	switch {
	case s.w.broken == looksAtRow && s.p.adds && *in.TableName == "connections":
		out.Item = s.p.row
	case s.w.broken == rowDecidesExpiry && s.p.adds && *in.TableName == "connections" && len(out.Item) > 0:
		out.Item["delete_at"] = s.p.row["delete_at"]
	case s.w.broken == looksAtReverse && s.p.adds && isReverse(in.Key) && s.p.reverse != nil:
		out.Item = s.p.reverse
	case s.w.broken == leaveLooksBack && !s.p.adds && isForward(in.Key):
		out.Item = nil
	}
	s.reshard(out.Item)
	return out, nil
}

// reshard makes a reverse row tell the shard that a join would choose now.
func (s *seam) reshard(it row) {
	if s.w.broken != shardIsKept || it["shard"] == nil {
		return
	}
	hash, _ := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(textOf(it["pk"]), "attached/"))
	channel := strings.TrimPrefix(textOf(it["sk"]), "channel/")
	n := max(s.w.shards[channel], 1)
	it["shard"] = &types.AttributeValueMemberN{Value: itoa(int(binary.BigEndian.Uint64(hash) % uint64(n)))}
}

func (s *seam) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, o ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	joins := s.p.adds && isReverse(in.Key) && in.ReturnValues == types.ReturnValueAllOld
	if joins && s.w.broken == writesThenCounts {
		s.counted, _ = s.memDB.Query(ctx, &dynamodb.QueryInput{
			TableName: in.TableName, KeyConditionExpression: aws.String("pk = :pk AND begins_with(sk, :prefix)"),
			ExpressionAttributeValues: row{":pk": in.Key["pk"], ":prefix": &types.AttributeValueMemberS{Value: textOf(in.Key["sk"])[:6]}},
			ConsistentRead:            aws.Bool(true),
		})
	}
	out, err := step(s, func() (*dynamodb.UpdateItemOutput, error) {
		if joins && s.w.broken == reverseRowFirst {
			old := s.Row(*in.TableName, keyOf(in.Key))
			s.deferred = func() { _, _ = s.memDB.UpdateItem(ctx, in) }
			return &dynamodb.UpdateItemOutput{Attributes: old}, nil
		}
		return s.memDB.UpdateItem(ctx, in, o...)
	})
	if err == nil && joins {
		s.p.reverse = s.Row(*in.TableName, keyOf(in.Key))
		s.reshard(out.Attributes)
		if s.w.broken == established {
			if out.Attributes = maps.Clone(s.p.reverse); out.Attributes != nil {
				out.Attributes["first"] = out.Attributes["write"] // As if it had made it.
			}
		}
	}
	return out, err
}

func (s *seam) PutItem(ctx context.Context, in *dynamodb.PutItemInput, o ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	out, err := step(s, func() (*dynamodb.PutItemOutput, error) {
		if isForward(in.Item) {
			s.w.expose(s.p, in.Item)
		}
		return s.memDB.PutItem(ctx, in, o...)
	})
	if s.deferred != nil && isForward(in.Item) {
		if err := s.turn(); err != nil {
			return nil, err
		}
		s.deferred()
		s.deferred = nil
	}
	return out, err
}

func (s *seam) DeleteItem(ctx context.Context, in *dynamodb.DeleteItemInput, o ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error) {
	if s.w.broken == forwardLeaves && s.p.leaves && isForward(in.Key) && in.ConditionExpression == nil {
		s.deferred = func() { _, _ = s.memDB.DeleteItem(ctx, in) }
		return &dynamodb.DeleteItemOutput{}, nil
	}
	if s.p.adds && isReverse(in.Key) && s.w.broken == lastWriterUndoes {
		in.ConditionExpression = nil
	}
	out, err := step(s, func() (*dynamodb.DeleteItemOutput, error) {
		out, err := s.memDB.DeleteItem(ctx, in, o...)
		if err == nil && s.p.leaves && isReverse(in.Key) && s.w.broken != forwardLeaves {
			s.w.expose(s.p, in.Key)
		}
		return out, err
	})
	if s.deferred != nil && isReverse(in.Key) {
		if err := s.turn(); err != nil {
			return nil, err
		}
		s.deferred()
		s.deferred = nil
	}
	return out, err
}

func (s *seam) Query(ctx context.Context, in *dynamodb.QueryInput, o ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	s.belate(in)
	out, err := step(s, func() (*dynamodb.QueryOutput, error) { return s.memDB.Query(ctx, in, o...) })
	if err != nil {
		return out, err
	}
	if s.counted != nil {
		out, s.counted = s.counted, nil
		if s.p.reverse != nil && !holdsRow(out.Items, s.p.reverse) {
			out.Items = append(out.Items, s.p.reverse)
		}
	}
	for _, it := range out.Items {
		s.reshard(it)
	}
	return out, nil
}

func holdsRow(items []row, it row) bool {
	for _, other := range items {
		if keyOf(other) == keyOf(it) {
			return true
		}
	}
	return false
}
