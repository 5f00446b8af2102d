package dynamostore

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"iter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/eventindex"
)

// usesPrefix is before the pk of the registry: which uses there are of a type.
const usesPrefix = "events/"

// useKeep is how long the registry keeps a use at least. It is written again
// when less than half of it is left.
const useKeep = 30 * 24 * time.Hour

// maxUses is how many uses of a type there may be, more or less: clients make
// up fields, and an event reads all uses of its type, about 6 RCU for so many.
const maxUses = 500

var errUses = &sumu.Error{Op: "too many different filters are in use for events of this type", Kind: sumu.ErrThrottled}

func hashed(text string) string {
	sum := sha256.Sum256([]byte(text))
	return encoding.EncodeToString(sum[:])
}

func eventKey(eventType string, u eventindex.Use, text string) string {
	return eventPrefix + hashed(eventindex.Partition(eventType, u, text))
}

// newSubscriptions are attachments of normalized subscriptions with their ids.
func newSubscriptions(h handle, subs []sumu.Subscription, ids []string) ([]attachment, error) {
	list := make([]attachment, len(subs))
	for i := range subs {
		text, err := json.Marshal(subs[i])
		if err != nil {
			return nil, err
		}
		u, value := eventindex.Of(&subs[i])
		pk, id := eventKey(subs[i].EventType, u, value), encoding.EncodeToString([]byte(ids[i]))
		list[i] = attachment{
			sk:   eventPrefix + id,
			key:  func(int64) item { return stateKey(pk, subPrefix+h.name+"/"+id) },
			both: item{attrSub: str(string(text)), attrPartition: str(pk)},
		}
	}
	return list, nil
}

// Subscribe adds subscriptions to a connection, until its row expires. One that
// it has already is no error. ErrGone is returned when there is no live row,
// ErrLimit when it would have more than most subscriptions (0 or less: no
// limit), ErrInvalid for one that cannot be, ErrConflict when others removed and
// added the same without end, ErrThrottled when connections filter events of a
// type by 500 different fields and lengths of prefixes, all of the last weeks
// counted, and this would be one more. Nothing is left behind then, unless another call
// for the connection asked for the same at the same time.
//
// Each costs 2 WCU, or 2 for each KB of a long one, and 0.5 RCU; the call costs
// 3 RCU or more: 1 for each 4 KB of what the connection has, about 15.
func (s *StateStore) Subscribe(ctx context.Context, c sumu.Connection, most int, subs ...sumu.Subscription) error {
	const op = "subscribe"
	each, ids, err := checkSubscriptions(ctx, op, c.Ref(), subs)
	if err != nil {
		return err
	}
	list, err := newSubscriptions(newHandle(c.Ref()), each, ids)
	if err == nil {
		err = s.keepUses(ctx, each, c.DeleteAt, maxUses) // First: who finds no use looks no further.
	}
	if err == nil {
		err = s.attach(ctx, c, eventPrefix, most, list)
	}
	if err != nil {
		return classified(ctx, op, c.ID, s.state, err)
	}
	return nil
}

// Unsubscribe removes subscriptions of a connection: 2 WCU and 2 RCU for each.
// One that never was is no error; ErrInvalid is returned for one that cannot be.
func (s *StateStore) Unsubscribe(ctx context.Context, ref sumu.ConnectionRef, subs ...sumu.Subscription) error {
	const op = "unsubscribe"
	each, ids, err := checkSubscriptions(ctx, op, ref, subs)
	if err != nil {
		return err
	}
	h := newHandle(ref)
	list, err := newSubscriptions(h, each, ids)
	if err == nil {
		err = s.each(len(list), func(i int) error {
			return s.detach(ctx, h, list[i].sk, func() ([]item, error) { return []item{list[i].key(0)}, nil })
		})
	}
	if err != nil {
		return classified(ctx, op, ref.ConnectionID, s.state, err)
	}
	return nil
}

// Subscriptions yields those of a connection: strongly consistent, 1 RCU for
// each 4 KB, about 15 of them.
func (s *StateStore) Subscriptions(ctx context.Context, ref sumu.ConnectionRef) iter.Seq2[sumu.Subscription, error] {
	const op = "subscriptions"
	return func(yield func(sumu.Subscription, error) bool) {
		if err := check(ctx, op, ref); err != nil {
			yield(sumu.Subscription{}, err)
			return
		}
		h := newHandle(ref)
		for it, err := range s.partition(ctx, attachedPrefix+h.name, eventPrefix, nil, consistently) {
			if err != nil {
				yield(sumu.Subscription{}, classified(ctx, op, ref.ConnectionID, s.state, err))
				return
			}
			sub, ok := subscription(it)
			if ok && (reverse{it, h.name}).live(s.now()) && !yield(sub, nil) {
				return
			}
		}
	}
}

// subscription reads the subscription of a row; ok is false where there is none
// that could be ours.
func subscription(it item) (sub sumu.Subscription, ok bool) {
	if json.Unmarshal([]byte(stringOf(it[attrSub])), &sub) != nil {
		return sumu.Subscription{}, false
	}
	sub, err := sub.Normalize()
	return sub, err == nil
}

// keepUses has the registry tell of what subscriptions use, for as long as they
// last. It costs 0.5 RCU for each, and now and then 1 WCU; for one that is new
// it reads the registry of the type too. errUses is returned when it has most
// of them already; 0: no limit.
func (s *StateStore) keepUses(ctx context.Context, subs []sumu.Subscription, deleteAt time.Time, most int) error {
	keys := make(map[[2]string]bool, len(subs))
	for i := range subs {
		u, _ := eventindex.Of(&subs[i])
		keys[[2]string{usesPrefix + hashed(subs[i].EventType), u.String()}] = true
	}
	each := make([][2]string, 0, len(keys))
	for key := range keys {
		each = append(each, key)
	}
	return s.each(len(each), func(i int) error { return s.keepUse(ctx, stateKey(each[i][0], each[i][1]), deleteAt, most) })
}

func (s *StateStore) keepUse(ctx context.Context, key item, deleteAt time.Time, most int) error {
	// Eventually consistent: a use lasts for weeks, and what is seen of it was
	// so a moment ago. One that is missed is written once more.
	it, err := s.peek(ctx, key, eventually)
	if err != nil {
		return err
	}
	until, needed := expiryOf(it[attrDeleteAt]), s.now().Add(useKeep/2)
	if deleteAt.After(needed) {
		needed = deleteAt
	}
	if len(it) > 0 && (until.IsZero() || !deleteAt.IsZero() && !until.Before(needed)) {
		return nil
	}
	if len(it) == 0 && most > 0 {
		uses := 0
		// The number is a rough limit.
		for _, err := range s.partition(ctx, stringOf(key[attrPK]), "", nil, eventually) {
			if err != nil {
				return err
			}
			if uses++; uses >= most {
				return errUses
			}
		}
	}
	in := &dynamodb.PutItemInput{TableName: &s.state, Item: key}
	if !deleteAt.IsZero() {
		until := num(needed.Add(useKeep / 2).Unix())
		in.Item[attrDeleteAt] = until
		// Another may just have written one that lasts longer, or for ever.
		in.ConditionExpression = aws.String("attribute_not_exists(pk) OR delete_at < :until")
		in.ExpressionAttributeValues = item{":until": until}
	}
	_, err = write(ctx, func() (*dynamodb.PutItemOutput, error) { return s.client.PutItem(ctx, in) })
	if conditionFailed(err) != nil {
		return nil
	}
	return err
}

// prolongUses is keepUses for what reverse rows tell of: none is refused, as
// they are attached already.
func (s *StateStore) prolongUses(ctx context.Context, rows []reverse, deleteAt time.Time) error {
	var subs []sumu.Subscription
	for _, r := range rows {
		if sub, ok := subscription(r.item); ok {
			subs = append(subs, sub)
		}
	}
	return s.keepUses(ctx, subs, deleteAt, 0)
}

// checkSubscriptions is the entry of every call that names subscriptions.
func checkSubscriptions(
	ctx context.Context, op string, ref sumu.ConnectionRef, subs []sumu.Subscription,
) (each []sumu.Subscription, ids []string, err error) {
	err = ref.Validate()
	if err == nil {
		each, ids, err = eventindex.Normalized(subs)
	}
	return each, ids, enter(ctx, op, ref.ConnectionID, err)
}
