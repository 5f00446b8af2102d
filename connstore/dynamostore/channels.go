package dynamostore

import (
	"context"
	"iter"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/sumu-live/sumu"
)

func memberKey(channel string, shard int64, handle string) item {
	return stateKey(shardKey(channel, shard), memberPrefix+handle)
}

// Join makes a connection a member of a channel, until its row expires. To join
// twice is to join once. ErrGone is returned when there is no live row, ErrLimit
// when the connection is in most channels already (0 or less: no limit),
// ErrConflict when others left and joined at the same time without end.
//
// It costs 2 WCU and 3 RCU, and with a limit 1 RCU for each 4 KB of what the
// connection is in, about 20 channels.
func (s *StateStore) Join(ctx context.Context, c sumu.Connection, channel string, most int) error {
	const op = "join"
	if err := checkMember(ctx, op, c.Ref(), channel); err != nil {
		return err
	}
	shards, err := s.shards(ctx, channel, consistently)
	if err == nil {
		err = s.attach(ctx, c, channelPrefix, most, []attachment{{
			sk:    channelPrefix + channel,
			key:   func(shard int64) item { return memberKey(channel, shard, newHandle(c.Ref()).name) },
			shard: int64(newHandle(c.Ref()).hash % uint64(shards)),
		}})
	}
	if err != nil {
		return classified(ctx, op, c.ID, s.state, err)
	}
	return nil
}

// Leave ends a membership: 2 WCU and 2 RCU. One that never was is no error, and
// costs 2 RCU and 1 more for each shard of the channel.
func (s *StateStore) Leave(ctx context.Context, ref sumu.ConnectionRef, channel string) error {
	const op = "leave"
	if err := checkMember(ctx, op, ref, channel); err != nil {
		return err
	}
	h := newHandle(ref)
	err := s.detach(ctx, h, channelPrefix+channel, func() ([]item, error) {
		shards, err := s.shards(ctx, channel, consistently)
		places := make([]item, shards)
		for i := range places {
			places[i] = memberKey(channel, int64(i), h.name)
		}
		return places, err
	})
	if err != nil {
		return classified(ctx, op, ref.ConnectionID, s.state, err)
	}
	return nil
}

// IsMember reports whether a connection is in a channel: strongly consistent,
// 2 RCU, or 1 RCU when it is not; see [Options].EventualRecipients.
func (s *StateStore) IsMember(ctx context.Context, ref sumu.ConnectionRef, channel string) (bool, error) {
	const op = "is member"
	if err := checkMember(ctx, op, ref, channel); err != nil {
		return false, err
	}
	h, now := newHandle(ref), s.now()
	it, err := s.peek(ctx, stateKey(attachedPrefix+h.name, channelPrefix+channel), s.recipients) // Exclusions rest on it.
	if r := (reverse{it, h.name}); err == nil && r.live(now) {
		it, err = s.peek(ctx, r.forward(), s.recipients)
		if err == nil {
			return reverse{it, h.name}.live(now), nil
		}
	}
	if err != nil {
		return false, classified(ctx, op, ref.ConnectionID, s.state, err)
	}
	return false, nil
}

// peek reads a row of the state table. It is empty when there is none.
func (s *StateStore) peek(ctx context.Context, key item, consistent *bool) (item, error) {
	out, err := s.client.GetItem(ctx, &dynamodb.GetItemInput{TableName: &s.state, Key: key, ConsistentRead: consistent})
	if err != nil {
		return nil, err
	}
	return out.Item, nil
}

// Members yields the members of a channel behind a cursor, shard by shard, read
// page by page: strongly consistent, 1 RCU for each 4 KB, about 15 members, and
// as much for each shard without any; see [Options].EventualRecipients.
// ErrInvalid is yielded for a cursor that cannot be. After an error it yields
// nothing more.
func (s *StateStore) Members(ctx context.Context, channel, after string) iter.Seq2[sumu.Member, error] {
	const op = "members"
	return func(yield func(sumu.Member, error) bool) {
		shard, start, err := memberCursor(channel, after)
		if err == nil {
			err = sumu.ValidateChannel(channel)
		}
		if err := enter(ctx, op, "", err); err != nil {
			yield(sumu.Member{}, err)
			return
		}
		// A join that was answered gets what is sent from then on: its row must
		// be seen, and so must the number of shards, or a shard would be left
		// out. The number stands behind the members of the first shard.
		shards := int64(1)
		if shard > 0 {
			shards, err = s.shards(ctx, channel, s.recipients)
		}
		for ; err == nil && shard < shards; shard, start = shard+1, nil {
			for it, err := range s.partition(ctx, shardKey(channel, shard), "", start, s.recipients) {
				if err != nil {
					yield(sumu.Member{}, classified(ctx, op, "", s.state, err))
					return
				}
				name, isMember := strings.CutPrefix(stringOf(it[attrSK]), memberPrefix)
				switch c := connection(it); {
				case !isMember:
					shards = max(shards, intOf(it[attrCount]))
				case c.Live(s.now()):
					m := sumu.Member{Connection: c, Cursor: strconv.FormatInt(shard, 10) + "/" + name}
					if !yield(m, nil) {
						return
					}
				}
			}
		}
		if err != nil {
			yield(sumu.Member{}, classified(ctx, op, "", s.state, err))
		}
	}
}

// memberCursor reads a cursor of Members: the shard and the key behind which it
// goes on.
func memberCursor(channel, cursor string) (shard int64, start item, err error) {
	if cursor == "" {
		return 0, nil, nil
	}
	number, name, _ := strings.Cut(cursor, "/")
	shard, err = strconv.ParseInt(number, 10, 64)
	hash, bad := encoding.DecodeString(name)
	if err != nil || bad != nil || len(hash) != handleSize || shard < 0 || shard >= MaxShards ||
		strconv.FormatInt(shard, 10) != number {
		return 0, nil, invalid("cursor is not one of this store's")
	}
	return shard, memberKey(channel, shard, name), nil
}

// CountMembers returns how many connections are in a channel: strongly
// consistent, 1 RCU for each 4 KB, about 15 members, of which none is
// transferred, and 1 RCU; see [Options].EventualRecipients.
func (s *StateStore) CountMembers(ctx context.Context, channel string) (int, error) {
	const op = "count members"
	if err := enter(ctx, op, "", sumu.ValidateChannel(channel)); err != nil {
		return 0, err
	}
	shards, err := s.shards(ctx, channel, s.recipients)
	counts := make([]int, shards)
	if err == nil {
		err = s.each(int(shards), func(i int) (err error) {
			counts[i], err = s.countShard(ctx, channel, int64(i))
			return err
		})
	}
	if err != nil {
		return 0, classified(ctx, op, "", s.state, err)
	}
	total := 0
	for _, n := range counts {
		total += n
	}
	return total, nil
}

func (s *StateStore) countShard(ctx context.Context, channel string, shard int64) (n int, err error) {
	in := &dynamodb.QueryInput{
		TableName:              &s.state,
		Select:                 types.SelectCount,
		KeyConditionExpression: aws.String("pk = :pk AND begins_with(sk, :prefix)"),
		FilterExpression:       aws.String("attribute_not_exists(delete_at) OR delete_at > :now"),
		ExpressionAttributeValues: item{
			":pk": str(shardKey(channel, shard)), ":prefix": str(memberPrefix), ":now": num(s.nowSeconds()),
		},
		ConsistentRead: s.recipients,
		Limit:          s.limit(),
	}
	for {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		out, err := s.client.Query(ctx, in)
		if err != nil {
			return 0, err
		}
		n += int(out.Count)
		if len(out.LastEvaluatedKey) == 0 {
			return n, nil
		}
		next := *in
		next.ExclusiveStartKey = out.LastEvaluatedKey
		in = &next
	}
}

// Channels yields the channels of a connection in ascending byte order: strongly
// consistent, 1 RCU for each 4 KB, about 20 of them.
func (s *StateStore) Channels(ctx context.Context, ref sumu.ConnectionRef) iter.Seq2[string, error] {
	const op = "channels"
	return func(yield func(string, error) bool) {
		if err := check(ctx, op, ref); err != nil {
			yield("", err)
			return
		}
		h := newHandle(ref)
		for it, err := range s.partition(ctx, attachedPrefix+h.name, channelPrefix, nil, consistently) {
			if err != nil {
				yield("", classified(ctx, op, ref.ConnectionID, s.state, err))
				return
			}
			r := reverse{it, h.name}
			if r.live(s.now()) && !yield(strings.TrimPrefix(r.sk(), channelPrefix), nil) {
				return
			}
		}
	}
}

// checkMember is the entry of every call that names a connection and a channel.
func checkMember(ctx context.Context, op string, ref sumu.ConnectionRef, channel string) error {
	err := sumu.ValidateChannel(channel)
	if err == nil {
		err = ref.Validate()
	}
	return enter(ctx, op, ref.ConnectionID, err)
}
