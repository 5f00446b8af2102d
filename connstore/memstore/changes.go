package memstore

import (
	"context"
	"iter"
	"slices"
	"sync"

	"github.com/sumu-live/sumu"
)

// Changes yields the changes that happen after the call, until ctx ends: a row
// that Put wrote, or that Delete, Prune or SweepExpired removed. Touch is none.
// A change is told once its write can be read.
//
// Changes of one user that nobody has read yet are joined into one; the users
// come in the order of their first such change. Leaving the loop keeps the
// subscription, and a new loop goes on where it ended; only the end of ctx
// gives back its memory.
func (s *Store) Changes(ctx context.Context) iter.Seq[sumu.Change] {
	sub := &subscriber{pending: make(map[string]string), wake: make(chan struct{}, 1)}
	s.subscribe(sub)
	// Not a defer in the loop: a feed that nobody ever ranges over must be
	// given back too.
	context.AfterFunc(ctx, func() { s.unsubscribe(sub) })
	return func(yield func(sumu.Change) bool) {
		for ctx.Err() == nil {
			if c, ok := sub.next(); ok {
				if !yield(c) {
					return
				}
				continue
			}
			select {
			case <-sub.wake:
			case <-ctx.Done():
			}
		}
	}
}

// subscriber is one call of Changes.
type subscriber struct {
	wake chan struct{} // holds one token when there may be something to read

	mu      sync.Mutex
	closed  bool
	pending map[string]string // by user: the connection, "" for several
	order   []string          // the users of pending; those before head are read
	head    int
}

func (sub *subscriber) add(user, connection string) {
	sub.mu.Lock()
	defer sub.mu.Unlock()
	if sub.closed {
		return
	}
	if earlier, ok := sub.pending[user]; ok {
		if earlier != connection {
			sub.pending[user] = ""
		}
		return // The reader has been woken, or reads on without it.
	}
	sub.pending[user] = connection
	sub.order = append(sub.order, user)
	select {
	case sub.wake <- struct{}{}:
	default:
	}
}

func (sub *subscriber) next() (c sumu.Change, ok bool) {
	sub.mu.Lock()
	defer sub.mu.Unlock()
	if sub.head == len(sub.order) {
		return sumu.Change{}, false
	}
	user := sub.order[sub.head]
	c = sumu.Change{UserID: user, ConnectionID: sub.pending[user]}
	delete(sub.pending, user)
	sub.order[sub.head] = ""
	sub.head++
	switch {
	case sub.head == len(sub.order) && sub.head > keepPending:
		// A map does not shrink: start anew after a burst.
		sub.order, sub.head, sub.pending = nil, 0, make(map[string]string)
	case sub.head == len(sub.order):
		sub.order, sub.head = sub.order[:0], 0
	case sub.head > keepPending && sub.head > len(sub.order)/2:
		// A reader that never quite catches up must not make order grow.
		sub.order, sub.head = slices.Clone(sub.order[sub.head:]), 0
	}
	return c, true
}

// keepPending is how many read entries are kept for reuse.
const keepPending = 1024

func (sub *subscriber) close() {
	sub.mu.Lock()
	defer sub.mu.Unlock()
	sub.closed, sub.pending, sub.order, sub.head = true, nil, nil, 0
}

func (s *Store) publish(user, connection string) {
	if subs := s.subscribers.Load(); subs != nil {
		for _, sub := range *subs {
			sub.add(user, connection)
		}
	}
}

func (s *Store) subscribe(sub *subscriber) {
	s.subscribeMu.Lock()
	defer s.subscribeMu.Unlock()
	var subs []*subscriber
	if old := s.subscribers.Load(); old != nil {
		subs = slices.Clone(*old)
	}
	subs = append(subs, sub)
	s.subscribers.Store(&subs)
}

func (s *Store) unsubscribe(sub *subscriber) {
	s.subscribeMu.Lock()
	defer s.subscribeMu.Unlock()
	subs := slices.DeleteFunc(slices.Clone(*s.subscribers.Load()), func(other *subscriber) bool {
		return other == sub
	})
	s.subscribers.Store(&subs)
	sub.close()
}
