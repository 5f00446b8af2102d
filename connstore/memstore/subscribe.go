package memstore

import (
	"context"
	"iter"
	"slices"
	"strings"
	"sync"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/eventindex"
)

// Subscribe adds subscriptions to a connection, as long as its row lives. One
// that it has already is no error. ErrGone is returned when there is no live
// row, ErrLimit when it would have more than most subscriptions (0 or less: no
// limit), ErrInvalid for one that cannot be. Nothing is added then.
func (s *Store) Subscribe(ctx context.Context, c sumu.Connection, most int, subs ...sumu.Subscription) error {
	const op = "subscribe"
	each, ids, err := checkSubscriptions(ctx, op, c.Ref(), subs)
	if err != nil {
		return err
	}
	return s.attach(op, c.Ref(), func(a *attached, deleteAt int64) error {
		added := 0
		for _, id := range ids {
			if _, found := a.find(id); !found {
				added++
			}
		}
		if most > 0 && added > 0 && len(a.subs)+added > most {
			return sumu.ErrLimit
		}
		for i, id := range ids {
			at, found := a.find(id)
			if found {
				continue
			}
			sub := subscribed{id, &each[i]}
			a.subs = slices.Insert(a.subs, at, sub)
			use, _ := eventindex.Of(sub.sub)
			s.uses.add(sub.sub.EventType, use) // First: who finds the row finds the use.
			set(s.events[:], s.eventKey(a.name, sub), subscription{a.peer, sub.sub, deleteAt})
		}
		return nil
	})
}

// Unsubscribe removes subscriptions of a connection. One that never was is no
// error; ErrInvalid is returned for one that cannot be.
func (s *Store) Unsubscribe(ctx context.Context, ref sumu.ConnectionRef, subs ...sumu.Subscription) error {
	_, ids, err := checkSubscriptions(ctx, "unsubscribe", ref, subs)
	if err != nil {
		return err
	}
	s.detach(ref, func(a *attached) {
		for _, id := range ids {
			if i, found := a.find(id); found {
				s.removeSubscription(a.name, a.subs[i])
				a.subs = slices.Delete(a.subs, i, i+1)
			}
		}
	})
	return nil
}

func (s *Store) removeSubscription(name string, sub subscribed) {
	if unset(s.events[:], s.eventKey(name, sub)) {
		use, _ := eventindex.Of(sub.sub)
		s.uses.remove(sub.sub.EventType, use)
	}
}

// Subscriptions yields those of a connection, as they were when the loop began.
func (s *Store) Subscriptions(ctx context.Context, ref sumu.ConnectionRef) iter.Seq2[sumu.Subscription, error] {
	const op = "subscriptions"
	return func(yield func(sumu.Subscription, error) bool) {
		var subs []sumu.Subscription
		err := s.read(ctx, op, ref, func(a *attached) {
			for _, sub := range a.subs {
				subs = append(subs, copied(sub.sub))
			}
		})
		yieldEach(ctx, op, subs, err, yield)
	}
}

// copied is a subscription that a caller may change.
func copied(s *sumu.Subscription) sumu.Subscription {
	c := *s
	c.Fields = slices.Clone(c.Fields)
	return c
}

// Subscribers yields the subscriptions that match an event, behind a cursor. It
// looks at those that may match alone: at all without a filter, at those of the
// event's own values and prefixes, and at all that compare a field that has a
// number. ErrInvalid is yielded for a cursor that cannot be. The loop's body may
// call the store; it must not change the Fields of what it gets, which others
// share.
func (s *Store) Subscribers(ctx context.Context, e *sumu.EventReader, after string) iter.Seq2[sumu.Subscriber, error] {
	const op = "subscribers"
	return func(yield func(sumu.Subscriber, error) bool) {
		first, id := "", ""
		if after != "" {
			use, row, err := eventindex.ParseCursor(after)
			if err != nil {
				yield(sumu.Subscriber{}, failed(op, "", err))
				return
			}
			first, id = use.String(), row
		}
		done := false
		for _, u := range s.uses.of(e.Event.Type) {
			name := u.String()
			text, found := u.Text(e)
			if !found || name < first {
				continue
			}
			start := s.key(eventindex.Partition(e.Event.Type, u, text), "")
			if name == first {
				start.id = id
			}
			n, cursor := shardOf(start.hash), eventindex.Cursors(u)
			walk(ctx, s, s.events[n:n+1], scan{
				op:     op,
				after:  start,
				within: func(k key) bool { return k.user == start.user },
				page:   firstPage,
			}, keyedSubscription, func(row eventRow, err error) bool {
				switch {
				case err != nil:
					done = true
					yield(sumu.Subscriber{}, err)
				case e.Matches(row.sub):
					done = !yield(sumu.Subscriber{
						Connection:   row.connection(row.deleteAt),
						Subscription: *row.sub,
						Cursor:       cursor(row.id),
					}, nil)
				}
				return !done
			})
			if done {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(sumu.Subscriber{}, failed(op, "", err))
		}
	}
}

// eventRow is a row of events with the part of its key that a cursor has.
type eventRow struct {
	subscription
	id string
}

func keyedSubscription(row subscription, k key) eventRow { return eventRow{row, k.id} }

// uses are the ways in which subscriptions of each type filter, and how many
// do. Those of a type are sorted by their text.
type uses struct {
	mu    sync.RWMutex
	types map[string][]use
}

type use struct {
	eventindex.Use
	text  string
	count int
}

func compareUse(u use, text string) int { return strings.Compare(u.text, text) }

func (us *uses) add(eventType string, u eventindex.Use) {
	us.mu.Lock()
	defer us.mu.Unlock()
	if us.types == nil {
		us.types = make(map[string][]use)
	}
	text, all := u.String(), us.types[eventType]
	i, found := slices.BinarySearchFunc(all, text, compareUse)
	if !found {
		// A type that came with a long message must not keep it in memory.
		us.types[strings.Clone(eventType)] = slices.Insert(all, i, use{u, text, 1})
		return
	}
	all[i].count++
}

func (us *uses) remove(eventType string, u eventindex.Use) {
	us.mu.Lock()
	defer us.mu.Unlock()
	all := us.types[eventType]
	i, found := slices.BinarySearchFunc(all, u.String(), compareUse)
	if !found {
		return
	}
	if all[i].count--; all[i].count > 0 {
		return
	}
	if us.types[eventType] = slices.Delete(all, i, i+1); len(all) == 1 {
		delete(us.types, eventType)
	}
}

func (us *uses) of(eventType string) []eventindex.Use {
	us.mu.RLock()
	defer us.mu.RUnlock()
	found := make([]eventindex.Use, 0, len(us.types[eventType]))
	for _, u := range us.types[eventType] {
		found = append(found, u.Use)
	}
	return found
}

// checkSubscriptions is the entry of every call that names subscriptions.
func checkSubscriptions(
	ctx context.Context, op string, ref sumu.ConnectionRef, subs []sumu.Subscription,
) (each []sumu.Subscription, ids []string, err error) {
	if err := check(ctx, op, ref); err != nil {
		return nil, nil, err
	}
	each, ids, err = eventindex.Normalized(subs)
	if err != nil {
		return nil, nil, failed(op, "", err)
	}
	return each, ids, nil
}
