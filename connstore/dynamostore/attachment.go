package dynamostore

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"iter"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/sumu-live/sumu"
)

// An attachment, a membership or a subscription, is two rows: the forward row,
// which a sender finds, and the reverse row, which tells what a connection has.
// The reverse row is written first and removed last, so that a forward row
// without one can only be left by a call that broke off at the same time as
// another removed what it was adding; it expires with the connection.

// The attributes of both rows. The forward row also has the connection's
// endpoint and connected_at.
const (
	attrShard     = "shard"     // of a channel, in its reverse row
	attrFirst     = "first"     // the write that made the reverse row, in both
	attrSub       = "sub"       // a subscription, as JSON
	attrPartition = "partition" // of an event's reverse row: pk of the forward row
	attrCount     = "count"     // of a channel's shards
)

// What stands in pk or sk before a name.
const (
	attachedPrefix = "attached/" // pk of reverse rows
	channelPrefix  = "channel/"  // pk of forward rows, and sk of reverse rows
	eventPrefix    = "event/"    // the same
	memberPrefix   = "member/"   // sk of forward rows
	subPrefix      = "sub/"      // the same
)

var encoding = base64.RawURLEncoding.Strict()

const handleSize = sha256.Size

// handle stands for a connection in keys: ids may be too long for them.
type handle struct {
	name string
	hash uint64
}

func newHandle(ref sumu.ConnectionRef) handle {
	// The length keeps ids apart that hold what would part them.
	text := binary.AppendUvarint(nil, uint64(len(ref.UserID)))
	sum := sha256.Sum256(append(append(text, ref.UserID...), ref.ConnectionID...))
	return handle{encoding.EncodeToString(sum[:]), binary.BigEndian.Uint64(sum[:])}
}

// attachment is one that is to be made or removed.
type attachment struct {
	sk    string                 // of the reverse row
	key   func(shard int64) item // of the forward row
	shard int64                  // where the forward row goes unless there is a reverse row already
	both  item                   // attributes of both rows
}

// reverse is a row that tells of an attachment.
type reverse struct {
	item
	handle string
}

func (r reverse) sk() string    { return stringOf(r.item[attrSK]) }
func (r reverse) write() string { return stringOf(r.item[attrWrite]) }
func (r reverse) shard() int64  { return intOf(r.item[attrShard]) }

func (r reverse) live(now time.Time) bool {
	deleteAt := expiryOf(r.item[attrDeleteAt])
	return len(r.item) > 0 && (deleteAt.IsZero() || now.Before(deleteAt))
}

// forward is the key of the forward row; nil when the row is none of ours.
func (r reverse) forward() item {
	if channel, ok := strings.CutPrefix(r.sk(), channelPrefix); ok {
		return memberKey(channel, r.shard(), r.handle)
	}
	if id, ok := strings.CutPrefix(r.sk(), eventPrefix); ok {
		return stateKey(stringOf(r.item[attrPartition]), subPrefix+r.handle+"/"+id)
	}
	return nil
}

// reverseOf reads one reverse row: strongly consistent. It is empty when there
// is none.
func (s *StateStore) reverseOf(ctx context.Context, h handle, sk string) (reverse, error) {
	it, err := s.load(ctx, attachedPrefix+h.name, sk)
	return reverse{it, h.name}, err
}

// reverses reads the reverse rows of a connection whose sk begins with prefix,
// expired ones included: strongly consistent.
func (s *StateStore) reverses(ctx context.Context, h handle, prefix string) (rows []reverse, err error) {
	for it, err := range s.partition(ctx, attachedPrefix+h.name, prefix, nil, consistently) {
		if err != nil {
			return nil, err
		}
		rows = append(rows, reverse{it, h.name})
	}
	return rows, nil
}

// partition yields the rows under pk whose sk begins with prefix, "" being all,
// behind the key start.
func (s *StateStore) partition(ctx context.Context, pk, prefix string, start item, consistent *bool) iter.Seq2[item, error] {
	condition, values := "pk = :pk", item{":pk": str(pk)}
	if prefix != "" {
		condition += " AND begins_with(sk, :prefix)"
		values[":prefix"] = str(prefix)
	}
	return items(ctx, start, func(start item) ([]item, item, error) {
		out, err := s.client.Query(ctx, &dynamodb.QueryInput{
			TableName:                 &s.state,
			KeyConditionExpression:    &condition,
			ExpressionAttributeValues: values,
			ConsistentRead:            consistent,
			ExclusiveStartKey:         start,
			Limit:                     s.limit(),
		})
		if err != nil {
			return nil, nil, err
		}
		return out.Items, out.LastEvaluatedKey, nil
	})
}

// each calls f for 0 to n-1, several at a time, and returns an error if
// there was one. It begins no more of them after an error.
func (s *StateStore) each(n int, f func(i int) error) error {
	workers := min(n, s.sweepConcurrency)
	if workers <= 1 {
		for i := range n {
			if err := f(i); err != nil {
				return err
			}
		}
		return nil
	}
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		next  int
		first error
	)
	for range workers {
		wg.Go(func() {
			for {
				mu.Lock()
				i := next
				if next++; i >= n || first != nil {
					mu.Unlock()
					return
				}
				mu.Unlock()
				if err := f(i); err != nil {
					mu.Lock()
					if first == nil {
						first = err
					}
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	return first
}
