package storetest

import (
	"context"
	"errors"
	"iter"
	"runtime"
	"time"

	"github.com/sumu-live/sumu"
)

// withDeleteAt makes Put write the DeleteAt that pick returns.
func withDeleteAt(pick func(h *hooked, c conn) time.Time) func(h *hooked) {
	return func(h *hooked) {
		h.put = func(ctx context.Context, c conn) error {
			c.DeleteAt = pick(h, c)
			return h.Store.Put(ctx, c)
		}
	}
}

// isExpired reports whether there is a row but it has expired.
func (h *hooked) isExpired(ctx context.Context, ref ref) bool {
	c, err := h.raw.Get(ctx, ref)
	return err == nil && !c.Live(h.clock.now())
}

var expiryFlaws = []flaw{
	{"Get finds expired rows", func(h *hooked) { h.get = h.raw.Get }, "Get of an expired row is ErrGone"},
	{"HasLive counts expired rows", func(h *hooked) { h.hasLive = h.raw.HasLive }, "HasLive does not count expired rows"},
	{"ByUser yields expired rows", func(h *hooked) { h.byUser = h.raw.ByUser }, "ByUser does not yield expired rows"},
	{"All yields expired rows", func(h *hooked) { h.all = h.raw.All }, "All does not yield expired rows"},
	{"HasLive limits before it filters", func(h *hooked) {
		h.hasLive = func(ctx context.Context, user string) (bool, error) {
			n := 0
			for c, err := range h.raw.ByUser(ctx, user) {
				if err != nil || c.Live(h.clock.now()) {
					return err == nil, err
				}
				if n++; n == 100 {
					break
				}
			}
			return false, nil
		}
	}, "HasLive finds the live row behind many expired ones"},
	{"The zero DeleteAt has passed", withDeleteAt(func(h *hooked, c conn) time.Time {
		if c.DeleteAt.IsZero() {
			return time.Unix(0, 0)
		}
		return c.DeleteAt
	}), "A row with the zero DeleteAt does not expire"},
	{"The row expires with its token", withDeleteAt(func(h *hooked, c conn) time.Time {
		if c.AuthExpiresAt.Before(h.clock.now()) {
			return c.AuthExpiresAt
		}
		return c.DeleteAt
	}), "An expired token does not make the row expire"},
	{"Delete of an expired row is an error", func(h *hooked) {
		h.delete = func(ctx context.Context, ref ref) error {
			if h.isExpired(ctx, ref) {
				return &sumu.Error{Op: "delete", Kind: sumu.ErrGone}
			}
			return h.Store.Delete(ctx, ref)
		}
	}, "Delete of an expired row is no error"},
	{"Put does not replace an expired row", func(h *hooked) {
		h.put = func(ctx context.Context, c conn) error {
			for old := range h.raw.ByUser(ctx, c.UserID+" written") {
				if old.ID == c.ID && !old.Live(h.clock.now()) {
					return nil
				}
			}
			written := c
			written.UserID += " written"
			_ = h.raw.Put(ctx, written)
			return h.Store.Put(ctx, c)
		}
	}, "Put replaces an expired row"},
	{"Put never shortens a life", func(h *hooked) {
		h.put = func(ctx context.Context, c conn) error {
			if old, err := h.Store.Get(ctx, c.Ref()); err == nil && c.DeleteAt.Before(old.DeleteAt) {
				c.DeleteAt = old.DeleteAt
			}
			return h.Store.Put(ctx, c)
		}
	}, "Put of an expired row replaces a live one"},
	{"Rows do not expire once they are written", func(h *hooked) {
		start := h.clock.now()
		h.Store.Now = func() time.Time { return start }
	}, "A row is absent from its DeleteAt on"},
	{"A row outlives its DeleteAt by a second", func(h *hooked) {
		h.Store.Now = func() time.Time { return h.clock.now().Add(-time.Second) }
	}, "A row is absent from its DeleteAt on"},
	{"All yields what has expired since it was written", func(h *hooked) {
		start := h.clock.now()
		h.all = func(ctx context.Context, seg sumu.Segment) iter.Seq2[conn, error] {
			return func(yield func(conn, error) bool) {
				for c, err := range h.raw.All(ctx, seg) {
					if (err != nil || c.Live(start)) && !yield(c, err) {
						return
					}
				}
			}
		}
	}, "A scan resumes behind a row that expired meanwhile"},
}

var pruneFlaws = []flaw{
	{"Prune removes nothing", func(h *hooked) {
		h.prune = func(context.Context, ref, time.Time) (bool, error) { return false, nil }
	}, "Prune removes a row that was accepted before notAfter"},
	{"Prune removes what was accepted at notAfter", func(h *hooked) {
		h.prune = func(ctx context.Context, ref ref, notAfter time.Time) (bool, error) {
			return h.Store.Prune(ctx, ref, notAfter.Add(time.Millisecond))
		}
	}, "Prune keeps a row that was accepted at notAfter"},
	{"Prune removes young rows", func(h *hooked) {
		h.prune = func(ctx context.Context, ref ref, _ time.Time) (bool, error) {
			return h.Store.Prune(ctx, ref, h.clock.now().Add(time.Hour))
		}
	}, "Prune keeps a row that was accepted after notAfter"},
	{"Prune takes a row without ConnectedAt for young", func(h *hooked) {
		h.prune = func(ctx context.Context, ref ref, notAfter time.Time) (bool, error) {
			if c, err := h.Store.Get(ctx, ref); err == nil && c.ConnectedAt.IsZero() {
				return false, nil
			}
			return h.Store.Prune(ctx, ref, notAfter)
		}
	}, "Prune removes a row without ConnectedAt"},
	{"Prune of an absent row is an error", func(h *hooked) {
		h.prune = func(ctx context.Context, ref ref, notAfter time.Time) (bool, error) {
			removed, err := h.Store.Prune(ctx, ref, notAfter)
			if err == nil && !removed {
				err = sumu.ErrGone
			}
			return removed, err
		}
	}, "Prune of an absent row reports false and is no error"},
	{"Prune removes all rows of a user", func(h *hooked) {
		h.prune = func(ctx context.Context, ref ref, notAfter time.Time) (bool, error) {
			removed, err := h.Store.Prune(ctx, ref, notAfter)
			for c := range h.Store.ByUser(ctx, ref.UserID) {
				if removed {
					_ = h.Store.Delete(ctx, c.Ref())
				}
			}
			return removed, err
		}
	}, "Prune removes one row and no other"},
	{"Prune of an expired row is an error", func(h *hooked) {
		h.prune = func(ctx context.Context, ref ref, notAfter time.Time) (bool, error) {
			if h.isExpired(ctx, ref) {
				return false, sumu.ErrGone
			}
			return h.Store.Prune(ctx, ref, notAfter)
		}
	}, "Prune of an expired row is no error"},
	{"Prune reads, and then deletes", func(h *hooked) {
		h.prune = func(ctx context.Context, ref ref, notAfter time.Time) (bool, error) {
			c, err := h.Store.Get(ctx, ref)
			if errors.Is(err, sumu.ErrGone) {
				return false, nil
			}
			if err != nil || !c.ConnectedAt.IsZero() && !c.ConnectedAt.Before(notAfter) {
				return false, err
			}
			time.Sleep(roundTrip)
			return true, h.Store.Delete(ctx, ref)
		}
	}, "Prune never removes the row of a connection that was just accepted"},
	{"Prune reports a removal to everybody", func(h *hooked) {
		h.prune = func(ctx context.Context, ref ref, notAfter time.Time) (bool, error) {
			_, err := h.Store.Get(ctx, ref)
			runtime.Gosched()
			removed, err2 := h.Store.Prune(ctx, ref, notAfter)
			return removed || err == nil && notAfter.Equal(h.clock.now()), err2
		}
	}, "Of many that prune a row exactly one is told that it removed it"},
}
