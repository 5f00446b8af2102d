package storetest

import (
	"context"
	"errors"
	"time"

	"github.com/sumu-live/sumu"
)

// refreshed makes Refresh be what change makes of it, for rows that are there.
func refreshed(change func(h *hooked, ctx context.Context, c conn, authExpiresAt time.Time) error) func(h *hooked) {
	return func(h *hooked) {
		h.refresh = func(ctx context.Context, ref ref, authExpiresAt time.Time) error {
			c, err := h.Store.Get(ctx, ref)
			if err != nil {
				return err
			}
			return change(h, ctx, c, authExpiresAt)
		}
	}
}

// rewritten is Refresh as a read and a later write of the row.
func rewritten(h *hooked, ctx context.Context, c conn, authExpiresAt time.Time) error {
	time.Sleep(roundTrip)
	c.AuthExpiresAt = authExpiresAt
	return h.Store.Put(ctx, c)
}

var refreshFlaws = []flaw{
	{"Refresh forgets a field", refreshed(func(h *hooked, ctx context.Context, c conn, at time.Time) error {
		c.AuthExpiresAt, c.Endpoint = at, ""
		return h.Store.Put(ctx, c)
	}), "Refresh moves AuthExpiresAt and nothing else"},
	{"Refresh only prolongs", refreshed(func(h *hooked, ctx context.Context, c conn, at time.Time) error {
		if at.Before(c.AuthExpiresAt) {
			return nil
		}
		return h.Store.Refresh(ctx, c.Ref(), at)
	}), "Refresh moves AuthExpiresAt and nothing else"},
	{"Refresh writes the zero time as a time", refreshed(func(h *hooked, ctx context.Context, c conn, at time.Time) error {
		if at.IsZero() {
			at = time.Unix(0, 0)
		}
		return h.Store.Refresh(ctx, c.Ref(), at)
	}), "Refresh of a row without AuthExpiresAt gives it one, and the zero time takes it away"},
	{"Refresh removes the row of an expired token", refreshed(func(h *hooked, ctx context.Context, c conn, at time.Time) error {
		if at.Before(h.clock.now()) {
			return h.Store.Delete(ctx, c.Ref())
		}
		return h.Store.Refresh(ctx, c.Ref(), at)
	}), "Refresh with a time that has passed does not make a row expire"},
	{"Refresh writes an absent row", func(h *hooked) {
		h.refresh = func(ctx context.Context, ref ref, at time.Time) error {
			err := h.Store.Refresh(ctx, ref, at)
			if errors.Is(err, sumu.ErrGone) && !h.isExpired(ctx, ref) {
				_ = h.Store.Put(ctx, conn{UserID: ref.UserID, ID: ref.ConnectionID, AuthExpiresAt: at})
			}
			return err
		}
	}, "Refresh of an absent row is ErrGone and writes nothing"},
	{"Refresh of an absent row is no error", func(h *hooked) {
		h.refresh = func(ctx context.Context, ref ref, at time.Time) error {
			if err := h.Store.Refresh(ctx, ref, at); !errors.Is(err, sumu.ErrGone) {
				return err
			}
			return nil
		}
	}, "Refresh of an absent row is ErrGone and writes nothing"},
	{"Refresh brings an expired row back", func(h *hooked) {
		h.refresh = func(ctx context.Context, ref ref, at time.Time) error {
			if c, err := h.raw.Get(ctx, ref); err == nil && h.isExpired(ctx, ref) {
				c.AuthExpiresAt, c.DeleteAt = at, at
				return h.Store.Put(ctx, c)
			}
			return h.Store.Refresh(ctx, ref, at)
		}
	}, "Refresh never brings an expired row back"},
	{
		"Refresh reads, and then writes", refreshed(rewritten),
		"Refresh never brings back a row that is being deleted",
	},
	{
		"Refresh writes back the DeleteAt that it read", refreshed(rewritten),
		"Refresh and a Touch at the same time do not undo each other",
	},
	{"Refresh takes any reference for an absent row", func(h *hooked) {
		h.refresh = func(ctx context.Context, ref ref, at time.Time) error {
			if ref.Validate() != nil {
				return &sumu.Error{Op: "refresh", Kind: sumu.ErrGone}
			}
			return h.Store.Refresh(ctx, ref, at)
		}
	}, "Refresh of a reference that does not validate is ErrInvalid"},
	{"Refresh does not look at the context", func(h *hooked) {
		h.refresh = func(ctx context.Context, ref ref, at time.Time) error {
			return h.Store.Refresh(context.WithoutCancel(ctx), ref, at)
		}
	}, "Refresh with a cancelled context fails with its error and writes nothing"},
	{"Refresh lets the row live as long as the token", refreshed(func(h *hooked, ctx context.Context, c conn, at time.Time) error {
		if at.After(c.DeleteAt) {
			_ = h.Store.Touch(ctx, c.Ref(), at)
		}
		return h.Store.Refresh(ctx, c.Ref(), at)
	}), "Refresh does not prolong a row"},
}
