package storetest

import (
	"context"
	"iter"
	"slices"
	"strconv"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
)

type (
	sub        = sumu.Subscription
	member     = sumu.Member
	subscriber = sumu.Subscriber
)

// hookedAttachments are the methods of channels and subscriptions that can be
// broken.
type hookedAttachments struct {
	forget  func(context.Context, ref) error
	prolong func(context.Context, ref, time.Time) error

	join         func(ctx context.Context, c conn, channel string, most int) error
	leave        func(ctx context.Context, r ref, channel string) error
	isMember     func(ctx context.Context, r ref, channel string) (bool, error)
	members      func(ctx context.Context, channel, after string) iter.Seq2[member, error]
	countMembers func(ctx context.Context, channel string) (int, error)
	channels     func(context.Context, ref) iter.Seq2[string, error]

	subscribe     func(ctx context.Context, c conn, most int, subs ...sub) error
	unsubscribe   func(ctx context.Context, r ref, subs ...sub) error
	subscriptions func(context.Context, ref) iter.Seq2[sub, error]
	subscribers   func(ctx context.Context, e *sumu.EventReader, after string) iter.Seq2[subscriber, error]
}

func newHookedAttachments(s *memstore.Store) hookedAttachments {
	return hookedAttachments{
		s.Forget, s.Prolong,
		s.Join, s.Leave, s.IsMember, s.Members, s.CountMembers, s.Channels,
		s.Subscribe, s.Unsubscribe, s.Subscriptions, s.Subscribers,
	}
}

func (h *hooked) Forget(ctx context.Context, r ref) error { return h.forget(ctx, r) }

func (h *hooked) Prolong(ctx context.Context, r ref, deleteAt time.Time) error {
	return h.prolong(ctx, r, deleteAt)
}

func (h *hooked) Join(ctx context.Context, c conn, channel string, most int) error {
	return h.join(ctx, c, channel, most)
}

func (h *hooked) Leave(ctx context.Context, r ref, channel string) error {
	return h.leave(ctx, r, channel)
}

func (h *hooked) IsMember(ctx context.Context, r ref, channel string) (bool, error) {
	return h.isMember(ctx, r, channel)
}

func (h *hooked) Members(ctx context.Context, channel, after string) iter.Seq2[member, error] {
	return h.members(ctx, channel, after)
}

func (h *hooked) CountMembers(ctx context.Context, channel string) (int, error) {
	return h.countMembers(ctx, channel)
}

func (h *hooked) Channels(ctx context.Context, r ref) iter.Seq2[string, error] {
	return h.channels(ctx, r)
}

func (h *hooked) Subscribe(ctx context.Context, c conn, most int, subs ...sub) error {
	return h.subscribe(ctx, c, most, subs...)
}

func (h *hooked) Unsubscribe(ctx context.Context, r ref, subs ...sub) error {
	return h.unsubscribe(ctx, r, subs...)
}

func (h *hooked) Subscriptions(ctx context.Context, r ref) iter.Seq2[sub, error] {
	return h.subscriptions(ctx, r)
}

func (h *hooked) Subscribers(ctx context.Context, e *sumu.EventReader, after string) iter.Seq2[subscriber, error] {
	return h.subscribers(ctx, e, after)
}

// keeper keeps attachments until they are ended by name: it knows of no row and
// of no clock.
type keeper struct{ *memstore.Store }

func newKeeper() keeper {
	return keeper{&memstore.Store{Now: func() time.Time { return time.Unix(0, 0) }}}
}

func (k keeper) row(ctx context.Context, c conn) {
	if _, err := k.Get(ctx, c.Ref()); err != nil {
		_ = k.Put(ctx, c)
	}
}

func (k keeper) Join(ctx context.Context, c conn, channel string, most int) error {
	k.row(ctx, c)
	return k.Store.Join(ctx, c, channel, most)
}

func (k keeper) Subscribe(ctx context.Context, c conn, most int, subs ...sub) error {
	k.row(ctx, c)
	return k.Store.Subscribe(ctx, c, most, subs...)
}

// kept has the keeper answer for the store; what comes and goes by name it is
// told.
func (h *hooked) kept() keeper {
	k := newKeeper()
	h.join = func(ctx context.Context, c conn, channel string, most int) error {
		err := h.Store.Join(ctx, c, channel, most)
		if err == nil {
			_ = k.Join(ctx, c, channel, 0)
		}
		return err
	}
	h.leave = func(ctx context.Context, r ref, channel string) error {
		_ = k.Leave(ctx, r, channel)
		return h.Store.Leave(ctx, r, channel)
	}
	h.subscribe = func(ctx context.Context, c conn, most int, subs ...sub) error {
		err := h.Store.Subscribe(ctx, c, most, subs...)
		if err == nil {
			_ = k.Subscribe(ctx, c, 0, subs...)
		}
		return err
	}
	h.unsubscribe = func(ctx context.Context, r ref, subs ...sub) error {
		_ = k.Unsubscribe(ctx, r, subs...)
		return h.Store.Unsubscribe(ctx, r, subs...)
	}
	h.forget = func(ctx context.Context, r ref) error {
		_ = k.Delete(ctx, r)
		return h.Store.Forget(ctx, r)
	}
	h.members, h.countMembers = k.Members, k.CountMembers
	h.subscribers = k.Subscribers
	return k
}

// membersAs makes Members yield what change makes of them.
func membersAs(change func(h *hooked, all []member) []member) func(h *hooked) {
	return func(h *hooked) {
		next := h.members
		h.members = func(ctx context.Context, channel, after string) iter.Seq2[member, error] {
			return mapped(next(ctx, channel, after), func(all []member) []member { return change(h, all) })
		}
	}
}

// subscribersAs is membersAs for subscribers.
func subscribersAs(change func(h *hooked, e *sumu.EventReader, all []subscriber) []subscriber) func(h *hooked) {
	return func(h *hooked) {
		next := h.subscribers
		h.subscribers = func(ctx context.Context, e *sumu.EventReader, after string) iter.Seq2[subscriber, error] {
			return mapped(next(ctx, e, after), func(all []subscriber) []subscriber { return change(h, e, all) })
		}
	}
}

// byIndex is an iterator whose cursors count.
func byIndex[R any](seq iter.Seq2[R, error], after string, cursor func(r *R, at string)) iter.Seq2[R, error] {
	skip, _ := strconv.Atoi(after)
	return mapped(seq, func(rows []R) []R {
		for i := range rows {
			cursor(&rows[i], strconv.Itoa(i+1))
		}
		return rows[min(skip, len(rows)):]
	})
}

// oneByOne reads everything anew for each row.
func oneByOne[R any](read func() iter.Seq2[R, error]) iter.Seq2[R, error] {
	return func(yield func(R, error) bool) {
		for i := 0; ; i++ {
			rows := list(read())
			if i >= len(rows) || !yield(rows[i], nil) {
				return
			}
		}
	}
}

// without returns rows without those for which drop is true.
func without[R any](rows []R, drop func(R) bool) []R { return slices.DeleteFunc(rows, drop) }
