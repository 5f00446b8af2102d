package storetest

import (
	"context"
	"strings"
	"time"
)

var evictFlaws = []flaw{
	{
		"PutCapped evicts the youngest", capped(counting{order: func(a, b conn) int { return byAge(b, a) }}),
		"PutCapped evicts the oldest by ConnectedAt, and returns it whole",
	},
	{"Age is kept to the second", capped(counting{order: func(a, b conn) int {
		a.ConnectedAt, b.ConnectedAt = a.ConnectedAt.Truncate(time.Second), b.ConnectedAt.Truncate(time.Second)
		return byAge(a, b)
	}}), "PutCapped evicts the oldest by ConnectedAt, and returns it whole"},
	{"An evicted row comes back as its name", capped(counting{returned: func(evicted []conn) []conn {
		var names []conn
		for _, c := range evicted {
			names = append(names, conn{UserID: c.UserID, ID: c.ID})
		}
		return names
	}}), "PutCapped evicts the oldest by ConnectedAt, and returns it whole"},
	{
		"PutCapped does not say what it evicted", capped(counting{returned: func([]conn) []conn { return nil }}),
		"PutCapped evicts the oldest by ConnectedAt, and returns it whole",
	},
	{"PutCapped says what it evicts, and keeps it", capped(counting{rows: func(h *hooked, ctx context.Context, c conn) []conn {
		rows := othersLive(h, ctx, c)
		for i := range rows {
			rows[i].UserID += " " // What is deleted is another's.
		}
		return rows
	}, returned: func(evicted []conn) []conn {
		for i := range evicted {
			evicted[i].UserID = strings.TrimSuffix(evicted[i].UserID, " ")
		}
		return evicted
	}}), "PutCapped evicts the oldest by ConnectedAt, and returns it whole"},
	{"Rows of one age go by descending ids", capped(counting{order: func(a, b conn) int {
		if c := a.ConnectedAt.Compare(b.ConnectedAt); c != 0 {
			return c
		}
		return strings.Compare(b.ID, a.ID)
	}}), "Of rows of one age PutCapped evicts the one with the lowest id"},
	{"A row without ConnectedAt is young", capped(counting{order: func(a, b conn) int {
		if a.ConnectedAt.IsZero() != b.ConnectedAt.IsZero() {
			return byAge(b, a)
		}
		return byAge(a, b)
	}}), "A row without ConnectedAt is the first to be evicted"},
	{"A row without ConnectedAt is as of 1970", capped(counting{order: func(a, b conn) int {
		if a.ConnectedAt.IsZero() {
			a.ConnectedAt = time.Unix(0, 0)
		}
		if b.ConnectedAt.IsZero() {
			b.ConnectedAt = time.Unix(0, 0)
		}
		return byAge(a, b)
	}}), "A row without ConnectedAt is the first to be evicted"},
	{"PutCapped evicts one row at most", capped(counting{spare: func(rows []conn, n int) []conn {
		return rows[:min(n, 1)]
	}}), "PutCapped evicts as many as are too many"},
	{"PutCapped evicts the oldest of the first page", capped(counting{rows: func(h *hooked, ctx context.Context, c conn) []conn {
		// Those of the later pages count, but pass for young.
		rows := othersLive(h, ctx, c)
		for i := 250; i < len(rows); i++ {
			rows[i].ConnectedAt = h.clock.now()
		}
		return rows
	}}), "PutCapped evicts from more than a page"},
	{"PutCapped may evict the row that it writes", func(h *hooked) {
		h.putCapped = func(ctx context.Context, c conn, most int, evict bool) ([]conn, error) {
			evicted, err := h.Store.PutCapped(ctx, c, most, evict)
			for i, old := range evicted {
				if byAge(c, old) < 0 {
					_ = h.Store.Put(ctx, old)
					evicted[i] = c
					return evicted, h.Store.Delete(ctx, c.Ref())
				}
			}
			return evicted, err
		}
	}, "PutCapped never evicts the row that it writes, however old"},
	{"PutCapped evicts the row that it replaces", func(h *hooked) {
		h.putCapped = func(ctx context.Context, c conn, most int, evict bool) ([]conn, error) {
			old, missing := h.Store.Get(ctx, c.Ref())
			evicted, err := h.Store.PutCapped(ctx, c, most, evict)
			if missing == nil && len(evicted) > 0 {
				evicted = append(evicted, old)
			}
			return evicted, err
		}
	}, "PutCapped never evicts the row that it writes, however old"},
	{"PutCapped evicts expired rows first", capped(counting{
		rows: func(h *hooked, ctx context.Context, c conn) []conn {
			rows := othersLive(h, ctx, c)
			for _, old := range list(h.raw.ByUser(ctx, c.UserID)) {
				if !old.Live(h.clock.now()) && len(rows) > 0 {
					rows[0] = old
				}
			}
			return rows
		},
	}), "PutCapped does not evict expired rows"},
	{"PutCapped evicts across users", capped(counting{rows: func(h *hooked, ctx context.Context, c conn) []conn {
		rows := othersLive(h, ctx, c)
		if user, _, ok := strings.Cut(c.UserID, ":"); ok && len(rows) > 1 {
			rows = append(rows, list(h.Store.ByUser(ctx, user))...)
		}
		return rows
	}}), "PutCapped that evicts leaves the rows of others alone"},
	{"A capped put is no change", func(h *hooked) {
		f := new(feed)
		h.changes = f.changes
		h.putCapped = func(ctx context.Context, c conn, most int, evict bool) ([]conn, error) {
			evicted, err := h.Store.PutCapped(ctx, c, most, evict)
			for _, old := range evicted {
				f.tell(old.Ref())
			}
			return evicted, err
		}
	}, "The row that PutCapped writes and those that it evicts are changes"},
	{"An eviction is no change", func(h *hooked) {
		f := new(feed)
		h.changes = f.changes
		h.putCapped = func(ctx context.Context, c conn, most int, evict bool) ([]conn, error) {
			defer f.tell(c.Ref())
			return h.Store.PutCapped(ctx, c, most, evict)
		}
	}, "The row that PutCapped writes and those that it evicts are changes"},
}
