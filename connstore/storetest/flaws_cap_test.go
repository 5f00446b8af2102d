package storetest

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sumu-live/sumu"
)

// counting is PutCapped by hand: it reads, picks, and then writes, and each
// part can be broken.
type counting struct {
	// rows are those that count beside the new one. Default: othersLive.
	rows func(h *hooked, ctx context.Context, c conn) []conn
	// spare is which n of the rows go. Default: the first.
	spare func(rows []conn, n int) []conn
	// order is that in which rows go. Default: byAge.
	order func(a, b conn) int
	// returned is what the caller is told of them. Default: all.
	returned func(evicted []conn) []conn
	// pause comes between reading and writing. Without one they are atomic.
	pause func()
}

func byAge(a, b conn) int {
	if c := a.ConnectedAt.Compare(b.ConnectedAt); c != 0 {
		return c
	}
	return cmp.Compare(a.ID, b.ID)
}

func othersLive(h *hooked, ctx context.Context, c conn) []conn {
	return slices.DeleteFunc(list(h.Store.ByUser(ctx, c.UserID)), func(other conn) bool { return other.ID == c.ID })
}

// capped makes PutCapped count by hand.
func capped(by counting) func(h *hooked) {
	if by.rows == nil {
		by.rows = othersLive
	}
	if by.spare == nil {
		by.spare = func(rows []conn, n int) []conn { return rows[:n] }
	}
	if by.order == nil {
		by.order = byAge
	}
	if by.returned == nil {
		by.returned = func(evicted []conn) []conn { return evicted }
	}
	return func(h *hooked) {
		var atomic sync.Mutex
		h.putCapped = func(ctx context.Context, c conn, most int, evict bool) ([]conn, error) {
			if c.Validate() != nil || most < 1 || ctx.Err() != nil {
				return h.Store.PutCapped(ctx, c, most, evict)
			}
			if by.pause == nil {
				atomic.Lock()
				defer atomic.Unlock()
			}
			rows := by.rows(h, ctx, c)
			tooMany := len(rows) + 1 - most
			if tooMany > 0 && !evict {
				return nil, &sumu.Error{Op: "put capped", Kind: sumu.ErrLimit}
			}
			if by.pause != nil {
				by.pause()
			}
			slices.SortFunc(rows, by.order)
			evicted := by.spare(rows, max(tooMany, 0))
			for _, old := range evicted {
				_ = h.Store.Delete(ctx, old.Ref())
			}
			return by.returned(evicted), h.Store.Put(ctx, c)
		}
	}
}

// whose makes the cap count what pick returns.
func whose(pick func(h *hooked, ctx context.Context, c conn) []conn) func(h *hooked) {
	return capped(counting{rows: pick})
}

// afterLimit makes what PutCapped does of a row that it refuses.
func afterLimit(do func(h *hooked, ctx context.Context, c conn) ([]conn, error)) func(h *hooked) {
	return func(h *hooked) {
		h.putCapped = func(ctx context.Context, c conn, most int, evict bool) ([]conn, error) {
			evicted, err := h.Store.PutCapped(ctx, c, most, evict)
			if errors.Is(err, sumu.ErrLimit) {
				return do(h, ctx, c)
			}
			return evicted, err
		}
	}
}

var limited = &sumu.Error{Op: "put capped", Kind: sumu.ErrLimit}

var capFlaws = []flaw{
	{"PutCapped forgets a field", func(h *hooked) {
		h.putCapped = func(ctx context.Context, c conn, most int, evict bool) ([]conn, error) {
			c.Endpoint = ""
			return h.Store.PutCapped(ctx, c, most, evict)
		}
	}, "PutCapped within the cap writes a row as Put does"},
	{"The cap is one less than it says", func(h *hooked) {
		h.putCapped = func(ctx context.Context, c conn, most int, evict bool) ([]conn, error) {
			return h.Store.PutCapped(ctx, c, max(most-1, min(most, 1)), evict)
		}
	}, "PutCapped within the cap writes a row as Put does"},
	{"The cap is one more than it says", func(h *hooked) {
		h.putCapped = func(ctx context.Context, c conn, most int, evict bool) ([]conn, error) {
			return h.Store.PutCapped(ctx, c, most+1, evict)
		}
	}, "PutCapped above the cap is ErrLimit and writes nothing"},
	{"PutCapped writes what it refuses", afterLimit(func(h *hooked, ctx context.Context, c conn) ([]conn, error) {
		_ = h.Store.Put(ctx, c)
		return nil, limited
	}), "PutCapped above the cap is ErrLimit and writes nothing"},
	{"PutCapped returns the rows that are in the way", afterLimit(func(h *hooked, ctx context.Context, c conn) ([]conn, error) {
		return list(h.Store.ByUser(ctx, c.UserID)), limited
	}), "PutCapped above the cap is ErrLimit and writes nothing"},
	{"A row that is replaced counts twice", whose(func(h *hooked, ctx context.Context, c conn) []conn {
		return list(h.Store.ByUser(ctx, c.UserID))
	}), "A row that PutCapped replaces does not count twice"},
	{"A row that is replaced always fits", afterLimit(func(h *hooked, ctx context.Context, c conn) ([]conn, error) {
		if _, err := h.Store.Get(ctx, c.Ref()); err == nil {
			return nil, h.Store.Put(ctx, c)
		}
		return nil, limited
	}), "A row that PutCapped replaces does not count twice"},
	{"Expired rows count", whose(func(h *hooked, ctx context.Context, c conn) []conn {
		return slices.DeleteFunc(list(h.raw.ByUser(ctx, c.UserID)), func(other conn) bool { return other.ID == c.ID })
	}), "Expired rows do not count toward the cap"},
	{"An expired row that is replaced makes room", func(h *hooked) {
		h.putCapped = func(ctx context.Context, c conn, most int, evict bool) ([]conn, error) {
			if h.isExpired(ctx, c.Ref()) {
				most++
			}
			return h.Store.PutCapped(ctx, c, most, evict)
		}
	}, "Expired rows do not count toward the cap"},
	{"The count of a user only grows", func(h *hooked) {
		var mu sync.Mutex
		seen := make(map[ref]bool)
		whose(func(h *hooked, ctx context.Context, c conn) []conn {
			mu.Lock()
			defer mu.Unlock()
			for _, c := range list(h.Store.ByUser(ctx, c.UserID)) {
				seen[c.Ref()] = true
			}
			var rows []conn
			for r := range seen {
				if r.UserID == c.UserID && r.ConnectionID != c.ID {
					rows = append(rows, conn{UserID: r.UserID, ID: r.ConnectionID})
				}
			}
			return rows
		})(h)
	}, "PutCapped counts rows however they came and went"},
	{"Rows that Put wrote do not count", func(h *hooked) {
		h.put = func(ctx context.Context, c conn) error {
			if _, err := h.raw.Get(ctx, ref{UserID: "u1", ConnectionID: c.ID + " by Put"}); err != nil {
				byPut := c
				byPut.ID += " by Put"
				_ = h.raw.Put(ctx, byPut)
			}
			return h.Store.Put(ctx, c)
		}
		whose(func(h *hooked, ctx context.Context, c conn) []conn {
			return slices.DeleteFunc(othersLive(h, ctx, c), func(other conn) bool {
				_, err := h.raw.Get(ctx, ref{UserID: other.UserID, ConnectionID: other.ID + " by Put"})
				return err == nil
			})
		})(h)
	}, "PutCapped counts rows however they came and went"},
	{"PutCapped counts one page", whose(func(h *hooked, ctx context.Context, c conn) []conn {
		rows := othersLive(h, ctx, c)
		return rows[:min(len(rows), 250)]
	}), "PutCapped counts the rows of more than a page"},
	{"PutCapped counts users of one prefix", whose(func(h *hooked, ctx context.Context, c conn) []conn {
		return slices.DeleteFunc(list(h.Store.All(ctx, sumu.Segment{})), func(other conn) bool {
			return !strings.HasPrefix(other.UserID, c.UserID) || other.Ref() == c.Ref()
		})
	}), "PutCapped counts the rows of one user"},
	{"PutCapped takes anything", func(h *hooked) {
		h.putCapped = func(ctx context.Context, c conn, most int, evict bool) ([]conn, error) {
			if c.Validate() != nil {
				return nil, limited
			}
			return h.Store.PutCapped(ctx, c, most, evict)
		}
	}, "PutCapped of what does not validate is ErrInvalid"},
	{"A cap below 1 is none", func(h *hooked) {
		h.putCapped = func(ctx context.Context, c conn, most int, evict bool) ([]conn, error) {
			if most < 1 {
				return nil, h.Store.Put(ctx, c)
			}
			return h.Store.PutCapped(ctx, c, most, evict)
		}
	}, "PutCapped with a cap below 1 is ErrInvalid"},
	{"PutCapped does not look at the context", func(h *hooked) {
		h.putCapped = func(ctx context.Context, c conn, most int, evict bool) ([]conn, error) {
			return h.Store.PutCapped(context.WithoutCancel(ctx), c, most, evict)
		}
	}, "PutCapped with a cancelled context fails with its error and writes nothing"},
	{"Rows count until they are swept", whose(func(h *hooked, ctx context.Context, c conn) []conn {
		return slices.DeleteFunc(list(h.raw.ByUser(ctx, c.UserID)), func(other conn) bool { return other.ID == c.ID })
	}), "A row makes room from its DeleteAt on"},
	{
		"PutCapped reads, and then writes", capped(counting{pause: func() { time.Sleep(roundTrip) }}),
		"PutCapped of many at the same time succeeds until the cap is reached, and not beyond",
	},
	{"PutCapped refuses what meets another", func(h *hooked) {
		var busy sync.Mutex
		h.putCapped = func(ctx context.Context, c conn, most int, evict bool) ([]conn, error) {
			if !busy.TryLock() {
				return nil, limited
			}
			defer busy.Unlock()
			time.Sleep(roundTrip)
			return h.Store.PutCapped(ctx, c, most, evict)
		}
	}, "PutCapped of many at the same time succeeds until the cap is reached, and not beyond"},
	{
		"PutCapped reads, and then evicts", capped(counting{pause: func() { time.Sleep(roundTrip) }}),
		"PutCapped of many at the same time evicts every row once, and no more than it must",
	},
	{"PutCapped names what it meant to evict", func(h *hooked) {
		h.putCapped = func(ctx context.Context, c conn, most int, evict bool) ([]conn, error) {
			meant := othersLive(h, ctx, c)
			slices.SortFunc(meant, byAge)
			time.Sleep(roundTrip)
			evicted, err := h.Store.PutCapped(ctx, c, most, evict)
			copy(evicted, meant)
			return evicted, err
		}
	}, "PutCapped of many at the same time evicts every row once, and no more than it must"},
}
