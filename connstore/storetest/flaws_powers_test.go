package storetest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/sumu-live/sumu"
)

// touched makes Touch do something else for rows that change says.
func touched(change func(h *hooked, ctx context.Context, c conn, deleteAt time.Time) error) func(h *hooked) {
	return func(h *hooked) {
		h.touch = func(ctx context.Context, ref ref, deleteAt time.Time) error {
			c, err := h.Store.Get(ctx, ref)
			if err != nil {
				return err
			}
			return change(h, ctx, c, deleteAt)
		}
	}
}

var contextFlaws = []flaw{
	{"Writes do not look at the context", func(h *hooked) {
		h.put = func(ctx context.Context, c conn) error { return h.Store.Put(context.WithoutCancel(ctx), c) }
	}, "A call with a cancelled context fails with its error and writes nothing"},
	{"An error hides the context's", func(h *hooked) {
		h.get = func(ctx context.Context, ref ref) (conn, error) {
			if ctx.Err() != nil {
				return conn{}, &sumu.Error{Op: "get", Kind: sumu.ErrUnavailable, Err: fmt.Errorf("%v", ctx.Err())}
			}
			return h.Store.Get(ctx, ref)
		}
	}, "A call with a cancelled context fails with its error and writes nothing"},
	{"Presence does not look at the context", func(h *hooked) {
		h.markAnnounced = func(ctx context.Context, user string, version int64) error {
			return h.Store.MarkAnnounced(context.WithoutCancel(ctx), user, version)
		}
	}, "A presence call with a cancelled context fails"},
	{"Iterators do not look at the context", func(h *hooked) {
		h.byUser = func(ctx context.Context, user string) iter.Seq2[conn, error] {
			return h.Store.ByUser(context.WithoutCancel(ctx), user)
		}
	}, "An iterator of a cancelled context yields its error and nothing more"},
	{"A cancelled scan looks like a whole one", func(h *hooked) {
		h.all = func(ctx context.Context, seg sumu.Segment) iter.Seq2[conn, error] {
			return func(yield func(conn, error) bool) {
				for c, err := range h.Store.All(ctx, seg) {
					if errors.Is(err, context.Canceled) || !yield(c, err) {
						return
					}
				}
			}
		}
	}, "An iterator that is cut short says so"},
}

var touchFlaws = []flaw{
	{"Touch forgets a field", touched(func(h *hooked, ctx context.Context, c conn, deleteAt time.Time) error {
		return h.Store.Put(ctx, conn{UserID: c.UserID, ID: c.ID, ConnectedAt: c.ConnectedAt, DeleteAt: deleteAt})
	}), "Touch moves DeleteAt and nothing else"},
	{"Touch only prolongs", touched(func(h *hooked, ctx context.Context, c conn, deleteAt time.Time) error {
		if deleteAt.Before(c.DeleteAt) {
			return nil
		}
		return h.Store.Touch(ctx, c.Ref(), deleteAt)
	}), "Touch with a time that has passed makes a row expire"},
	{"Touch writes the zero time as a time", touched(func(h *hooked, ctx context.Context, c conn, deleteAt time.Time) error {
		if deleteAt.IsZero() {
			deleteAt = h.clock.now().Add(time.Hour)
		}
		return h.Store.Touch(ctx, c.Ref(), deleteAt)
	}), "Touch of a row without DeleteAt gives it one"},
	{"Touch writes an absent row", func(h *hooked) {
		h.touch = func(ctx context.Context, ref ref, deleteAt time.Time) error {
			err := h.Store.Touch(ctx, ref, deleteAt)
			if errors.Is(err, sumu.ErrGone) && !h.isExpired(ctx, ref) {
				_ = h.Store.Put(ctx, conn{UserID: ref.UserID, ID: ref.ConnectionID, DeleteAt: deleteAt})
			}
			return err
		}
	}, "Touch of an absent row is ErrGone and writes nothing"},
	{"Touch brings an expired row back", func(h *hooked) {
		h.touch = func(ctx context.Context, ref ref, deleteAt time.Time) error {
			if c, err := h.raw.Get(ctx, ref); err == nil && h.isExpired(ctx, ref) {
				c.DeleteAt = deleteAt
				return h.Store.Put(ctx, c)
			}
			return h.Store.Touch(ctx, ref, deleteAt)
		}
	}, "Touch never brings an expired row back"},
	{"Touch reads, and then writes", touched(func(h *hooked, ctx context.Context, c conn, deleteAt time.Time) error {
		time.Sleep(roundTrip)
		c.DeleteAt = deleteAt
		return h.Store.Put(ctx, c)
	}), "Touch never brings back a row that is being deleted"},
	{
		"Touch does nothing", touched(func(*hooked, context.Context, conn, time.Time) error { return nil }),
		"A row that was touched lives until its new DeleteAt",
	},
}

// swept makes SweepExpired be what change makes of it.
func swept(change func(h *hooked, ctx context.Context, limit int) (int, error)) func(h *hooked) {
	return func(h *hooked) {
		h.sweep = func(ctx context.Context, limit int) (int, error) { return change(h, ctx, limit) }
	}
}

var sweepFlaws = []flaw{
	{
		"Sweep removes nothing", swept(func(*hooked, context.Context, int) (int, error) { return 0, nil }),
		"SweepExpired removes the expired rows and leaves the others",
	},
	{"Sweep removes live rows", swept(func(h *hooked, ctx context.Context, limit int) (int, error) {
		for c := range h.Store.All(ctx, sumu.Segment{}) {
			_ = h.Store.Delete(ctx, c.Ref())
			break
		}
		return h.Store.SweepExpired(ctx, limit)
	}), "SweepExpired removes the expired rows and leaves the others"},
	{"Sweep counts what is not there", swept(func(h *hooked, ctx context.Context, limit int) (int, error) {
		n, err := h.Store.SweepExpired(ctx, limit)
		return max(n, limit), err
	}), "SweepExpired of an empty table removes nothing"},
	{"Sweep does not look at limit", swept(func(h *hooked, ctx context.Context, _ int) (int, error) {
		return h.Store.SweepExpired(ctx, 0)
	}), "SweepExpired removes up to limit rows"},
	{"Sweep removes a page when asked for all", swept(func(h *hooked, ctx context.Context, limit int) (int, error) {
		if limit <= 0 {
			limit = 250
		}
		return h.Store.SweepExpired(ctx, limit)
	}), "SweepExpired with limit 0 or less removes all of them"},
	{"Sweep goes by the first DeleteAt of a row", func(h *hooked) {
		var mu sync.Mutex
		first := make(map[ref]time.Time)
		h.put = func(ctx context.Context, c conn) error {
			mu.Lock()
			defer mu.Unlock()
			if c.ID == "c1" && len(first) < 3 {
				if _, ok := first[c.Ref()]; !ok {
					first[c.Ref()] = c.DeleteAt
				}
			}
			return h.Store.Put(ctx, c)
		}
		h.sweep = func(ctx context.Context, limit int) (int, error) {
			mu.Lock()
			defer mu.Unlock()
			if len(first) != 2 {
				return h.Store.SweepExpired(ctx, limit)
			}
			n := 0
			for r, at := range first {
				if !h.clock.now().Before(at) {
					_ = h.Store.Delete(ctx, r)
					n++
				}
			}
			return n, nil
		}
	}, "SweepExpired finds rows whose DeleteAt was moved"},
	{"Sweep reads, and then deletes", swept(func(h *hooked, ctx context.Context, limit int) (int, error) {
		var past []ref
		for c := range h.raw.All(ctx, sumu.Segment{}) {
			if !c.Live(h.clock.now()) {
				past = append(past, c.Ref())
			}
		}
		time.Sleep(roundTrip)
		for _, r := range past {
			_ = h.Delete(ctx, r)
		}
		return len(past), nil
	}), "SweepExpired never removes a row that is being replaced by a live one"},
	{"Sweeps count what others removed", swept(func(h *hooked, ctx context.Context, limit int) (int, error) {
		past := 0
		for c := range h.raw.All(ctx, sumu.Segment{}) {
			if !c.Live(h.clock.now()) {
				past++
			}
		}
		_, err := h.Store.SweepExpired(ctx, limit)
		return past, err
	}), "Sweeps at the same time count every row once"},
	{"Sweep removes rows that were renewed", func(h *hooked) {
		var mu sync.Mutex
		touched := make(map[ref]time.Time)
		h.touch = func(ctx context.Context, r ref, deleteAt time.Time) error {
			mu.Lock()
			defer mu.Unlock()
			if c, err := h.Store.Get(ctx, r); err == nil {
				touched[r] = c.DeleteAt
			}
			return h.Store.Touch(ctx, r, deleteAt)
		}
		h.sweep = func(ctx context.Context, limit int) (int, error) {
			mu.Lock()
			defer mu.Unlock()
			n, err := h.Store.SweepExpired(ctx, limit)
			for r, at := range touched {
				if !h.clock.now().Before(at) {
					_ = h.Store.Delete(ctx, r)
					n++
				}
			}
			return n, err
		}
	}, "SweepExpired removes rows once their time has come, and no renewed one"},
}
