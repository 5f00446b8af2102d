package dynamostore

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/sumu-live/sumu"
)

// MaxShards is the most shards of a channel.
const MaxShards = 1_000

const shardsSK = "shards"

func shardKey(channel string, shard int64) string { return channelPrefix + text(shard) + "/" + channel }

// RaiseShards divides the memberships of a channel among n partitions of the
// table, 1 to [MaxShards]: a partition takes 1,000 writes and 3,000 reads of 4 KB
// a second (DynamoDB's limit, read 2026-11), which is how fast connections can
// join a channel that has one, the default. Members stay where they are; new
// ones are spread over all. Every reading of the members costs at least 0.5 RCU
// for each shard. ErrInvalid is returned for a number that is out of range, or
// below what the channel has: shards that may hold members cannot be taken away.
func (s *StateStore) RaiseShards(ctx context.Context, channel string, n int) error {
	const op = "raise shards"
	err := sumu.ValidateChannel(channel)
	if err == nil && (n < 1 || n > MaxShards) {
		err = invalid("%d shards; 1 to %d are allowed", n, MaxShards)
	}
	if err := enter(ctx, op, "", err); err != nil {
		return err
	}
	_, err = write(ctx, func() (*dynamodb.UpdateItemOutput, error) {
		return s.client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
			TableName:                 &s.state,
			Key:                       stateKey(shardKey(channel, 0), shardsSK),
			UpdateExpression:          aws.String("SET #count = :n"),
			ConditionExpression:       aws.String("attribute_not_exists(pk) OR #count <= :n"),
			ExpressionAttributeNames:  map[string]string{"#count": attrCount},
			ExpressionAttributeValues: item{":n": num(int64(n))},
		})
	})
	switch {
	case conditionFailed(err) != nil:
		return failed(op, "", invalid("the channel has more than %d shards, and keeps them", n))
	case err != nil:
		return classified(ctx, op, "", s.state, err)
	}
	return nil
}

// shards returns how many shards a channel has: at least 1.
func (s *StateStore) shards(ctx context.Context, channel string, consistent *bool) (int64, error) {
	it, err := s.peek(ctx, stateKey(shardKey(channel, 0), shardsSK), consistent)
	return min(max(intOf(it[attrCount]), 1), MaxShards), err
}
