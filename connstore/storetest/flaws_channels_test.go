package storetest

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"sync"

	"github.com/sumu-live/sumu"
)

// joining makes Join do this, of arguments that are valid and alive.
func joining(join func(h *hooked, ctx context.Context, c conn, channel string, most int) error) func(h *hooked) {
	return func(h *hooked) {
		h.join = func(ctx context.Context, c conn, channel string, most int) error {
			if ctx.Err() != nil || c.Validate() != nil || sumu.ValidateChannel(channel) != nil {
				return h.Store.Join(ctx, c, channel, most)
			}
			return join(h, ctx, c, channel, most)
		}
	}
}

var channelFlaws = []flaw{
	{"Members come without their endpoint", membersAs(func(_ *hooked, all []member) []member {
		for i := range all {
			all[i].Connection.Endpoint = ""
		}
		return all
	}), "Who joined is a member, with what a sender needs"},
	{"IsMember looks at the user", func(h *hooked) {
		h.isMember = func(ctx context.Context, r ref, channel string) (bool, error) {
			for _, m := range list(h.Store.Members(ctx, channel, "")) {
				if m.Connection.UserID == r.UserID {
					return true, nil
				}
			}
			return h.Store.IsMember(ctx, r, channel)
		}
	}, "Who joined is a member, with what a sender needs"},
	{"A second join is a second membership", func(h *hooked) {
		var twice sync.Map
		joining(func(h *hooked, ctx context.Context, c conn, channel string, most int) error {
			if is, _ := h.Store.IsMember(ctx, c.Ref(), channel); is {
				twice.Store(c.Ref(), true)
			}
			return h.Store.Join(ctx, c, channel, most)
		})(h)
		membersAs(func(_ *hooked, all []member) []member {
			for _, m := range all {
				if _, ok := twice.Load(m.Connection.Ref()); ok {
					all = append(all, m)
				}
			}
			return all
		})(h)
	}, "To join twice is to join once"},
	{"Join does not say that there is no row", func(h *hooked) {
		h.join = func(ctx context.Context, c conn, channel string, most int) error {
			if err := h.Store.Join(ctx, c, channel, most); !errors.Is(err, sumu.ErrGone) {
				return err
			}
			return nil
		}
	}, "Join without a live row is ErrGone and leaves nothing behind"},
	{"Join without a row leaves a member", func(h *hooked) {
		k := h.kept()
		h.join = func(ctx context.Context, c conn, channel string, most int) error {
			_ = k.Join(ctx, c, channel, 0)
			return h.Store.Join(ctx, c, channel, most)
		}
	}, "Join without a live row is ErrGone and leaves nothing behind"},
	{"Join believes the caller that the row is live", func(h *hooked) {
		joining(func(h *hooked, ctx context.Context, c conn, channel string, most int) error {
			if _, err := h.Store.Get(ctx, c.Ref()); err != nil && c.Live(h.clock.now()) {
				_ = h.Store.Put(ctx, c)
			}
			return h.Store.Join(ctx, c, channel, most)
		})(h)
	}, "Join without a live row is ErrGone and leaves nothing behind"},
	{"The limit is one too high", joining(func(h *hooked, ctx context.Context, c conn, channel string, most int) error {
		if most > 0 {
			most++
		}
		return h.Store.Join(ctx, c, channel, most)
	}), "Join above the limit is ErrLimit and leaves nothing behind"},
	{"Join that is refused leaves a member", joining(func(h *hooked, ctx context.Context, c conn, channel string, most int) error {
		err := h.Store.Join(ctx, c, channel, most)
		if err != nil {
			_ = h.Store.Join(ctx, c, channel, 0)
		}
		return err
	}), "Join above the limit is ErrLimit and leaves nothing behind"},
	{"The limit only grows nearer", func(h *hooked) {
		k := newKeeper()
		joining(func(h *hooked, ctx context.Context, c conn, channel string, most int) error {
			if n := len(list(k.Channels(ctx, c.Ref()))); most > 0 && n >= most {
				return limited
			}
			_ = k.Join(ctx, c, channel, 0)
			return h.Store.Join(ctx, c, channel, most)
		})(h)
	}, "Join above the limit is ErrLimit and leaves nothing behind"},
	{"A channel counts again", joining(func(h *hooked, ctx context.Context, c conn, channel string, most int) error {
		if n := len(list(h.Store.Channels(ctx, c.Ref()))); most > 0 && n >= most {
			return limited
		}
		return h.Store.Join(ctx, c, channel, most)
	}), "A channel that a connection is in already is within the limit"},
	{"No limit is a limit of none", joining(func(h *hooked, ctx context.Context, c conn, channel string, most int) error {
		if most < 0 {
			return limited
		}
		return h.Store.Join(ctx, c, channel, most)
	}), "The limit counts the channels of one connection, and 0 or less is none"},
	{"The limit is one of the user", joining(func(h *hooked, ctx context.Context, c conn, channel string, most int) error {
		n := 0
		for _, other := range list(h.Store.ByUser(ctx, c.UserID)) {
			n += len(list(h.Store.Channels(ctx, other.Ref())))
		}
		if most > 0 && n >= most {
			return limited
		}
		return h.Store.Join(ctx, c, channel, most)
	}), "The limit counts the channels of one connection, and 0 or less is none"},
	{"Leave leaves all channels", func(h *hooked) {
		h.leave = func(ctx context.Context, r ref, channel string) error {
			for _, other := range list(h.Store.Channels(ctx, r)) {
				_ = h.Store.Leave(ctx, r, other)
			}
			return h.Store.Leave(ctx, r, channel)
		}
	}, "Leave ends one membership, and one that never was is no error"},
	{"Leave of what was never joined is an error", func(h *hooked) {
		h.leave = func(ctx context.Context, r ref, channel string) error {
			if is, err := h.Store.IsMember(ctx, r, channel); err == nil && !is {
				return gone
			}
			return h.Store.Leave(ctx, r, channel)
		}
	}, "Leave ends one membership, and one that never was is no error"},
	{"Channels come in the reverse order", func(h *hooked) {
		h.channels = func(ctx context.Context, r ref) iter.Seq2[string, error] {
			return mapped(h.Store.Channels(ctx, r), func(all []string) []string {
				slices.Reverse(all)
				return all
			})
		}
	}, "Channels come in ascending byte order and are kept apart"},
	{"Channels are told apart without case", func(h *hooked) {
		joining(func(h *hooked, ctx context.Context, c conn, channel string, most int) error {
			return h.Store.Join(ctx, c, strings.ToLower(channel), most)
		})(h)
		h.members = func(ctx context.Context, channel, after string) iter.Seq2[member, error] {
			return h.Store.Members(ctx, strings.ToLower(channel), after)
		}
		h.countMembers = func(ctx context.Context, channel string) (int, error) {
			return h.Store.CountMembers(ctx, strings.ToLower(channel))
		}
	}, "Channels come in ascending byte order and are kept apart"},
	{"Members are told apart by user and id, joined", func(h *hooked) {
		membersAs(func(_ *hooked, all []member) []member {
			seen := make(map[string]bool)
			return without(all, func(m member) bool {
				name := m.Connection.UserID + m.Connection.ID
				defer func() { seen[name] = true }()
				return seen[name]
			})
		})(h)
	}, "Connections whose names resemble each other are members of their own"},
	{"Names of channels are not looked at", func(h *hooked) {
		h.join = func(ctx context.Context, c conn, channel string, most int) error {
			if sumu.ValidateChannel(channel) != nil {
				return nil
			}
			return h.Store.Join(ctx, c, channel, most)
		}
	}, "A name of a channel or a reference that does not validate is ErrInvalid"},
	{"Names of channels are trimmed", func(h *hooked) {
		h.countMembers = func(ctx context.Context, channel string) (int, error) {
			if trimmed := strings.TrimSpace(channel); trimmed != "" {
				channel = strings.ReplaceAll(trimmed, " ", "")
			}
			return h.Store.CountMembers(ctx, channel)
		}
	}, "A name of a channel or a reference that does not validate is ErrInvalid"},
	{"Forget takes anything", func(h *hooked) {
		h.forget = func(ctx context.Context, r ref) error {
			if r.Validate() != nil {
				return nil
			}
			return h.Store.Forget(ctx, r)
		}
	}, "A name of a channel or a reference that does not validate is ErrInvalid"},
}
