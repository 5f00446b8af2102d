package pusher_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
)

// rooms is a store with channels and subscriptions of its own, which fails as told.
type rooms struct {
	*memstore.Store
	members map[string][]sumu.ConnectionRef
	subs    []sumu.Subscriber
	broken  func(channel string, at int) error // before the at-th member or subscriber

	mu        sync.Mutex
	forgotten []sumu.ConnectionRef
	left      []string
}

var (
	_ sumu.ChannelStore      = (*rooms)(nil)
	_ sumu.SubscriptionStore = (*rooms)(nil)
)

func (s *rooms) Members(ctx context.Context, channel, after string) iter.Seq2[sumu.Member, error] {
	return func(yield func(sumu.Member, error) bool) {
		from, _ := strconv.Atoi(after)
		for i := from; i < len(s.members[channel]); i++ {
			if err := s.fails(ctx, channel, i); err != nil {
				yield(sumu.Member{}, err)
				return
			}
			ref := s.members[channel][i]
			c := sumu.Connection{UserID: ref.UserID, ID: ref.ConnectionID, Endpoint: "https://row.example"}
			if !yield(sumu.Member{Connection: c, Cursor: strconv.Itoa(i + 1)}, nil) {
				return
			}
		}
	}
}

func (s *rooms) Subscribers(ctx context.Context, e *sumu.EventReader, after string) iter.Seq2[sumu.Subscriber, error] {
	return func(yield func(sumu.Subscriber, error) bool) {
		from, _ := strconv.Atoi(after)
		for i := from; i < len(s.subs); i++ {
			if !e.Matches(&s.subs[i].Subscription) {
				continue
			}
			if err := s.fails(ctx, "", i); err != nil {
				yield(sumu.Subscriber{}, err)
				return
			}
			sub := s.subs[i]
			sub.Cursor = strconv.Itoa(i + 1)
			if !yield(sub, nil) {
				return
			}
		}
	}
}

func (s *rooms) fails(ctx context.Context, channel string, at int) error {
	if s.broken != nil {
		if err := s.broken(channel, at); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (s *rooms) IsMember(_ context.Context, ref sumu.ConnectionRef, channel string) (bool, error) {
	return slices.Contains(s.members[channel], ref), nil
}

func (s *rooms) Forget(_ context.Context, ref sumu.ConnectionRef) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forgotten = append(s.forgotten, ref)
	return nil
}

func (s *rooms) Leave(_ context.Context, ref sumu.ConnectionRef, channel string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left = append(s.left, ref.ConnectionID+" "+channel)
	return nil
}

// What a pusher has no use for.

var errNotAsked = errors.New("a pusher does not ask for that")

func (s *rooms) Join(context.Context, sumu.Connection, string, int) error { return errNotAsked }

func (s *rooms) Prolong(context.Context, sumu.ConnectionRef, time.Time) error { return errNotAsked }

func (s *rooms) CountMembers(context.Context, string) (int, error) { return 0, errNotAsked }

func (s *rooms) Channels(context.Context, sumu.ConnectionRef) iter.Seq2[string, error] {
	panic(errNotAsked)
}

func (s *rooms) Subscribe(context.Context, sumu.Connection, int, ...sumu.Subscription) error {
	return errNotAsked
}

func (s *rooms) Unsubscribe(context.Context, sumu.ConnectionRef, ...sumu.Subscription) error {
	return errNotAsked
}

func (s *rooms) Subscriptions(context.Context, sumu.ConnectionRef) iter.Seq2[sumu.Subscription, error] {
	panic(errNotAsked)
}

// ref is connection c{c} of user u{u}, as fill names them.
func ref(u, c int) sumu.ConnectionRef {
	return sumu.ConnectionRef{UserID: fmt.Sprintf("u%d", u), ConnectionID: fmt.Sprintf("c%d", c)}
}
