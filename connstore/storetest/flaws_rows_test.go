package storetest

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sumu-live/sumu"
)

type (
	conn = sumu.Connection
	ref  = sumu.ConnectionRef
)

// changed makes Put write what change makes of a row.
func changed(change func(c *conn)) func(h *hooked) {
	return func(h *hooked) {
		h.put = func(ctx context.Context, c conn) error {
			change(&c)
			return h.Store.Put(ctx, c)
		}
	}
}

// perUser makes ByUser yield what change makes of the rows.
func perUser(change func(rows []conn) []conn) func(h *hooked) {
	return func(h *hooked) {
		h.byUser = func(ctx context.Context, user string) iter.Seq2[conn, error] {
			return mapped(h.Store.ByUser(ctx, user), change)
		}
	}
}

var rowFlaws = []flaw{
	{"Put forgets a field", changed(func(c *conn) { c.Endpoint = "" }), "Get returns the row that Put wrote"},
	{"Put invents a DeleteAt", changed(func(c *conn) {
		if c.DeleteAt.IsZero() {
			c.DeleteAt = c.ConnectedAt.Add(1e6 * time.Hour)
		}
	}), "A row's zero fields stay zero"},
	{"ConnectedAt is kept to the second", changed(func(c *conn) {
		c.ConnectedAt = c.ConnectedAt.Truncate(time.Second)
	}), "ConnectedAt is kept to the millisecond"},
	{"The wall clock is kept but not the zone", changed(func(c *conn) {
		d := c.DeleteAt
		c.DeleteAt = time.Date(d.Year(), d.Month(), d.Day(), d.Hour(), d.Minute(), d.Second(), 0, time.UTC)
	}), "Times of another zone are the same instants"},
	{"Put keeps a row that exists", func(h *hooked) {
		h.put = func(ctx context.Context, c conn) error {
			if _, err := h.Store.Get(ctx, c.Ref()); err == nil {
				return nil
			}
			return h.Store.Put(ctx, c)
		}
	}, "Put replaces a row with the same user and id"},
	{"Put merges with the row that exists", func(h *hooked) {
		h.put = func(ctx context.Context, c conn) error {
			if old, err := h.Store.Get(ctx, c.Ref()); err == nil && c.Endpoint == "" {
				c.Endpoint = old.Endpoint
			}
			return h.Store.Put(ctx, c)
		}
	}, "Put replaces a row whole"},
	{"Get of an absent row is the zero row", func(h *hooked) {
		h.get = func(ctx context.Context, ref ref) (conn, error) {
			c, err := h.Store.Get(ctx, ref)
			if errors.Is(err, sumu.ErrGone) {
				return conn{}, nil
			}
			return c, err
		}
	}, "Get of an absent row is ErrGone"},
	{"Get of an absent row is an error of no kind", func(h *hooked) {
		h.get = func(ctx context.Context, ref ref) (conn, error) {
			c, err := h.Store.Get(ctx, ref)
			if errors.Is(err, sumu.ErrGone) {
				err = errors.New("no rows")
			}
			return c, err
		}
	}, "Get of an absent row is ErrGone"},
	{"Delete does nothing", func(h *hooked) {
		h.delete = func(context.Context, ref) error { return nil }
	}, "Delete removes a row"},
	{"Delete of an absent row is an error", func(h *hooked) {
		h.delete = func(ctx context.Context, ref ref) error {
			if _, err := h.Store.Get(ctx, ref); err != nil {
				return err
			}
			return h.Store.Delete(ctx, ref)
		}
	}, "Delete of an absent row is no error"},
	{"Delete leaves a tombstone", func(h *hooked) {
		var dead sync.Map
		h.delete = func(ctx context.Context, ref ref) error {
			dead.Store(ref, true)
			return h.Store.Delete(ctx, ref)
		}
		h.put = func(ctx context.Context, c conn) error {
			if _, ok := dead.Load(c.Ref()); ok {
				return nil
			}
			return h.Store.Put(ctx, c)
		}
	}, "A row can be written again after it was deleted"},
	{"HasLive lags", func(h *hooked) {
		var mu sync.Mutex
		last := make(map[string]bool)
		h.hasLive = func(ctx context.Context, user string) (bool, error) {
			mu.Lock()
			defer mu.Unlock()
			now, err := h.Store.HasLive(ctx, user)
			before := last[user]
			last[user] = now
			return before, err
		}
	}, "HasLive reports whether the user has a row, at once"},
	{"HasLive is false after any Delete", func(h *hooked) {
		var left sync.Map
		h.delete = func(ctx context.Context, ref ref) error {
			left.Store(ref.UserID, true)
			return h.Store.Delete(ctx, ref)
		}
		h.hasLive = func(ctx context.Context, user string) (bool, error) {
			if _, ok := left.Load(user); ok {
				return false, nil
			}
			return h.Store.HasLive(ctx, user)
		}
	}, "HasLive is true until the last of several rows is gone"},
	{"Ids are trimmed", changed(func(c *conn) {
		if id := strings.TrimSpace(c.ID); id != "" {
			c.ID = id
		}
	}), "Ids may hold any characters"},
	{"Users are trimmed", changed(func(c *conn) {
		if user := strings.TrimSpace(c.UserID); user != "" {
			c.UserID = user
		}
	}), "Users whose ids resemble each other are kept apart"},
	{"Users are told apart by their first letter", func(h *hooked) {
		h.delete = func(ctx context.Context, r ref) error {
			for c := range h.Store.All(ctx, sumu.Segment{}) {
				if c.ID == r.ConnectionID && c.UserID[0] == r.UserID[0] {
					_ = h.Store.Delete(ctx, c.Ref())
				}
			}
			return h.Store.Delete(ctx, r)
		}
	}, "Users whose ids resemble each other are kept apart"},
	{"User and id are joined", func(h *hooked) {
		h.get = func(ctx context.Context, r ref) (conn, error) {
			for c := range h.Store.All(ctx, sumu.Segment{}) {
				if c.UserID+":"+c.ID == r.UserID+":"+r.ConnectionID {
					c.UserID, c.ID = r.UserID, r.ConnectionID
					return c, nil
				}
			}
			return h.Store.Get(ctx, r)
		}
	}, "What is joined of user and id is told apart"},
	{"Ids are cut at 255 bytes", changed(func(c *conn) {
		c.ID = c.ID[:min(len(c.ID), 255)]
	}), "Ids may be as long as allowed"},

	{"Put accepts anything", func(h *hooked) {
		h.put = func(ctx context.Context, c conn) error {
			if c.Validate() != nil {
				return nil
			}
			return h.Store.Put(ctx, c)
		}
	}, "A row or reference that does not validate is ErrInvalid"},
	{"ByUser accepts anything", func(h *hooked) {
		h.byUser = func(ctx context.Context, user string) iter.Seq2[conn, error] {
			if user == "" || len(user) > sumu.MaxUserID {
				return yielding[conn](nil)
			}
			return h.Store.ByUser(ctx, user)
		}
	}, "A user id that does not validate is ErrInvalid"},
	{"All accepts any segment", func(h *hooked) {
		h.all = func(ctx context.Context, seg sumu.Segment) iter.Seq2[conn, error] {
			if seg.Validate() != nil {
				return yielding[conn](nil)
			}
			return h.Store.All(ctx, seg)
		}
	}, "A segment that does not exist is ErrInvalid"},

	{"ByUser takes a prefix for the user", func(h *hooked) {
		h.byUser = func(ctx context.Context, user string) iter.Seq2[conn, error] {
			if ctx.Err() != nil || user == "" || len(user) > sumu.MaxUserID {
				return h.Store.ByUser(ctx, user)
			}
			return mapped(h.Store.All(ctx, sumu.Segment{}), func(rows []conn) []conn {
				return sorted(slices.DeleteFunc(rows, func(c conn) bool { return !strings.HasPrefix(c.UserID, user) }))
			})
		}
	}, "ByUser of an unknown user yields nothing"},
	{"ByUser ignores case in its order", perUser(func(rows []conn) []conn {
		slices.SortStableFunc(rows, func(a, b conn) int {
			return strings.Compare(strings.ToLower(a.ID), strings.ToLower(b.ID))
		})
		return rows
	}), "ByUser yields the rows in ascending byte order of their ids"},
	{"ByUser yields the last first", perUser(func(rows []conn) []conn {
		slices.Reverse(rows)
		return rows
	}), "ByUser yields the rows in order however they were written"},
	{"ByUser reads one page", perUser(func(rows []conn) []conn {
		return rows[:min(len(rows), 250)]
	}), "ByUser yields the rows of more than a page"},
}
