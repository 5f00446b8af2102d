package storetest

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/sumu-live/sumu"
)

var gone = &sumu.Error{Op: "leave", Kind: sumu.ErrGone}

var memberFlaws = []flaw{
	{"Members read one page", membersAs(func(_ *hooked, all []member) []member {
		return all[:min(len(all), 250)]
	}), "Members of more than a page come exactly once"},
	{"CountMembers counts one page", func(h *hooked) {
		h.countMembers = func(ctx context.Context, channel string) (int, error) {
			n, err := h.Store.CountMembers(ctx, channel)
			return min(n, 250), err
		}
	}, "Members of more than a page come exactly once"},
	{"A cursor of members counts", func(h *hooked) {
		h.members = func(ctx context.Context, channel, after string) iter.Seq2[member, error] {
			return byIndex(h.Store.Members(ctx, channel, ""), after, func(m *member, at string) { m.Cursor = at })
		}
	}, "Members resume behind any cursor, also of one who has left"},
	{"A cursor of members counts while they come and go", func(h *hooked) {
		h.members = func(ctx context.Context, channel, after string) iter.Seq2[member, error] {
			return byIndex(h.Store.Members(ctx, channel, ""), after, func(m *member, at string) { m.Cursor = at })
		}
	}, "Members stopped and resumed again and again come exactly once, though others come and go"},
	{"A cursor is made of bytes", membersAs(func(_ *hooked, all []member) []member {
		for i := range all {
			all[i].Cursor += "\xff"
		}
		return all
	}), "A cursor is text that JSON leaves as it is"},
	{"A bad cursor of members is the end", func(h *hooked) {
		h.members = func(ctx context.Context, channel, after string) iter.Seq2[member, error] {
			return func(yield func(member, error) bool) {
				for m, err := range h.Store.Members(ctx, channel, after) {
					if errors.Is(err, sumu.ErrInvalid) || !yield(m, err) {
						return
					}
				}
			}
		}
	}, "A cursor of members that cannot be is ErrInvalid"},
	{"Members are found by their number", func(h *hooked) {
		h.members = func(ctx context.Context, channel, after string) iter.Seq2[member, error] {
			return oneByOne(func() iter.Seq2[member, error] { return h.Store.Members(ctx, channel, after) })
		}
	}, "The loop over members may call the store"},
	{"Leave does not look at the context", func(h *hooked) {
		h.leave = func(ctx context.Context, r ref, channel string) error {
			return h.Store.Leave(context.WithoutCancel(ctx), r, channel)
		}
	}, "Calls about channels with a cancelled context fail with its error"},
}

var channelRowFlaws = []flaw{
	{"Memberships outlive the row", func(h *hooked) {
		h.kept()
		h.forget = func(context.Context, ref) error { return nil }
	}, "Memberships end with the row, however it ends"},
	{"Memberships come back with the row", func(h *hooked) {
		k := h.kept()
		h.members, h.countMembers = h.Store.Members, h.Store.CountMembers
		h.forget = h.Store.Forget
		h.put = func(ctx context.Context, c conn) error {
			err := h.Store.Put(ctx, c)
			for _, channel := range list(k.Channels(ctx, c.Ref())) {
				_ = h.Store.Join(ctx, c, channel, 0)
			}
			return err
		}
	}, "Memberships end with the row, however it ends"},
	{"Forget forgets the user", func(h *hooked) {
		h.forget = func(ctx context.Context, r ref) error {
			for _, c := range list(h.Store.ByUser(ctx, r.UserID)) {
				for _, channel := range list(h.Store.Channels(ctx, c.Ref())) {
					_ = h.Store.Leave(ctx, c.Ref(), channel)
				}
			}
			return h.Store.Forget(ctx, r)
		}
	}, "Forget forgets one connection, as often as it is asked to"},
	{"Forget twice is an error", func(h *hooked) {
		var seen sync.Map
		h.forget = func(ctx context.Context, r ref) error {
			if _, twice := seen.LoadOrStore(r, true); twice {
				return gone
			}
			return h.Store.Forget(ctx, r)
		}
	}, "Forget forgets one connection, as often as it is asked to"},
	{
		"A membership lasts as long as the caller believes", lasting(func(_ *hooked, c conn) time.Time { return c.DeleteAt }),
		"A membership lasts as long as the row, whatever the caller believes",
	},
	{"Join counts, and then writes", joining(func(h *hooked, ctx context.Context, c conn, channel string, most int) error {
		channels := list(h.Store.Channels(ctx, c.Ref()))
		if most > 0 && len(channels) >= most && !slices.Contains(channels, channel) {
			return limited
		}
		time.Sleep(roundTrip)
		return h.Store.Join(ctx, c, channel, 0)
	}), "Of joins at the same time no more succeed than the limit allows"},
	{"Join and leave write two rows, each in the same order", func(h *hooked) {
		k := h.kept()
		h.join = func(ctx context.Context, c conn, channel string, _ int) error {
			_ = k.Join(ctx, c, channel, 0)
			time.Sleep(roundTrip)
			return h.Store.Join(ctx, c, channel, 0)
		}
		h.leave = func(ctx context.Context, r ref, channel string) error {
			_ = k.Leave(ctx, r, channel)
			time.Sleep(roundTrip)
			return h.Store.Leave(ctx, r, channel)
		}
	}, "Of a join and a leave at the same time either comes last, whole"},
	{"Join ends without another look at the row", func(h *hooked) {
		k := h.kept()
		h.join = func(ctx context.Context, c conn, channel string, _ int) error {
			if _, err := h.Store.Get(ctx, c.Ref()); err != nil {
				return err
			}
			time.Sleep(roundTrip)
			return k.Join(ctx, c, channel, 0)
		}
	}, "A join that meets the end of the connection leaves nothing behind"},
	{"Memberships do not expire", func(h *hooked) { h.kept() }, "A membership is absent from the row's DeleteAt on"},
	{"What has expired counts", func(h *hooked) {
		k := newKeeper()
		joining(func(h *hooked, ctx context.Context, c conn, channel string, most int) error {
			if err := k.Join(ctx, c, channel, most); err != nil {
				return err
			}
			return h.Store.Join(ctx, c, channel, most)
		})(h)
	}, "A channel that has expired does not count toward the limit"},
	{"Prolong does nothing for memberships", lasting(rowsDeleteAt), "A membership that is prolonged with its row lasts as long"},
	{"Prolong joins again", func(h *hooked) {
		k := newKeeper()
		joining(func(h *hooked, ctx context.Context, c conn, channel string, most int) error {
			_ = k.Join(ctx, c, channel, 0)
			return h.Store.Join(ctx, c, channel, most)
		})(h)
		h.prolong = func(ctx context.Context, r ref, _ time.Time) error {
			for _, channel := range list(k.Channels(ctx, r)) {
				_ = h.Store.Join(ctx, conn{UserID: r.UserID, ID: r.ConnectionID}, channel, 0)
			}
			return nil
		}
	}, "Prolong brings nothing back"},
}

func rowsDeleteAt(h *hooked, c conn) time.Time {
	row, _ := h.Store.Get(context.Background(), c.Ref())
	return row.DeleteAt
}

// lasting has memberships and subscriptions expire at a time that is set once.
func lasting(until func(h *hooked, c conn) time.Time) func(h *hooked) {
	return func(h *hooked) {
		var ends sync.Map
		expired := func(c conn) bool {
			end, ok := ends.Load(c.Ref())
			return ok && !end.(time.Time).IsZero() && !h.clock.now().Before(end.(time.Time))
		}
		joining(func(h *hooked, ctx context.Context, c conn, channel string, most int) error {
			ends.LoadOrStore(c.Ref(), until(h, c))
			return h.Store.Join(ctx, c, channel, most)
		})(h)
		h.subscribe = func(ctx context.Context, c conn, most int, subs ...sub) error {
			ends.LoadOrStore(c.Ref(), until(h, c))
			return h.Store.Subscribe(ctx, c, most, subs...)
		}
		membersAs(func(_ *hooked, all []member) []member {
			return without(all, func(m member) bool { return expired(m.Connection) })
		})(h)
		subscribersAs(func(_ *hooked, _ *sumu.EventReader, all []subscriber) []subscriber {
			return without(all, func(s subscriber) bool { return expired(s.Connection) })
		})(h)
	}
}
