package dynamostore

import (
	"context"
	"iter"
	"strings"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/eventindex"
)

// Subscribers yields the subscriptions that match an event, behind a cursor. It
// reads which uses there are of the type, 1 RCU for most, and then one
// partition for each use that may match: all without a filter, those of the
// event's own value or prefix, and all that compare a field that has a number.
// Each costs 1 RCU for each 4 KB, about 12 subscriptions, however many others
// there are. It is strongly consistent; see [Options].EventualRecipients.
// ErrInvalid is yielded for a cursor that cannot be. After an error it yields
// nothing more.
func (s *StateStore) Subscribers(ctx context.Context, e *sumu.EventReader, after string) iter.Seq2[sumu.Subscriber, error] {
	const op = "subscribers"
	return func(yield func(sumu.Subscriber, error) bool) {
		first, id, err := "", "", error(nil)
		if after != "" {
			var u eventindex.Use
			u, id, err = eventindex.ParseCursor(after)
			first = u.String()
		}
		if err := enter(ctx, op, "", err); err != nil {
			yield(sumu.Subscriber{}, err)
			return
		}
		uses, err := s.uses(ctx, e.Event.Type)
		if err != nil {
			yield(sumu.Subscriber{}, classified(ctx, op, "", s.state, err))
			return
		}
		for _, u := range uses {
			text, may := u.Text(e)
			if !may || u.String() < first {
				continue
			}
			cursor := eventindex.Cursors(u)
			pk, start := eventKey(e.Event.Type, u, text), item(nil)
			if u.String() == first {
				start = stateKey(pk, subPrefix+id)
			}
			for it, err := range s.partition(ctx, pk, "", start, s.recipients) {
				if err != nil {
					yield(sumu.Subscriber{}, classified(ctx, op, "", s.state, err))
					return
				}
				found := sumu.Subscriber{Connection: connection(it)}
				var ok bool
				if found.Subscription, ok = subscription(it); !ok || !found.Connection.Live(s.now()) || !e.Matches(&found.Subscription) {
					continue
				}
				found.Cursor = cursor(strings.TrimPrefix(stringOf(it[attrSK]), subPrefix))
				if !yield(found, nil) {
					return
				}
			}
		}
	}
}

// uses returns the uses of a type in the byte order of their text. One that is
// missed hides every subscription of that use, so that the promise of Subscribers
// rests on it too.
func (s *StateStore) uses(ctx context.Context, eventType string) (uses []eventindex.Use, err error) {
	for it, err := range s.partition(ctx, usesPrefix+hashed(eventType), "", nil, s.recipients) {
		if err != nil {
			return nil, err
		}
		if u, ok := eventindex.Parse(stringOf(it[attrSK])); ok {
			uses = append(uses, u)
		}
	}
	return uses, nil
}
