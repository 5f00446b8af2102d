package storetest

import (
	"context"
	"iter"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/sumu-live/sumu"
)

// scanned makes All yield what change makes of the rows of a segment.
func scanned(change func(seg sumu.Segment, rows []conn) []conn) func(h *hooked) {
	return func(h *hooked) {
		h.all = func(ctx context.Context, seg sumu.Segment) iter.Seq2[conn, error] {
			return mapped(h.Store.All(ctx, seg), func(rows []conn) []conn { return change(seg, rows) })
		}
	}
}

// from makes All take its segment from pick.
func from(pick func(h *hooked, seg sumu.Segment) sumu.Segment) func(h *hooked) {
	return func(h *hooked) {
		h.all = func(ctx context.Context, seg sumu.Segment) iter.Seq2[conn, error] {
			if seg.Validate() != nil {
				return h.Store.All(ctx, seg)
			}
			return h.Store.All(ctx, pick(h, seg))
		}
	}
}

// byOffset reads again for every row and takes the one at its position, as a
// store does whose cursor is a number. Large tables are spared: it takes long.
func byOffset(read func() []conn) iter.Seq2[conn, error] {
	return func(yield func(conn, error) bool) {
		if rows := read(); len(rows) > 500 {
			yielding(rows)(yield)
			return
		}
		for i := 0; ; i++ {
			if rows := read(); i >= len(rows) || !yield(rows[i], nil) {
				return
			}
		}
	}
}

// byPage reads again for every 50 rows and goes on by their number.
func byPage(read func() []conn) iter.Seq2[conn, error] {
	return func(yield func(conn, error) bool) {
		for from := 0; ; from += 50 {
			rows := read()
			for _, c := range rows[min(from, len(rows)):min(from+50, len(rows))] {
				if !yield(c, nil) {
					return
				}
			}
			if from >= len(rows) {
				return
			}
		}
	}
}

// exists reports whether the cursor's row does.
func (h *hooked) exists(seg sumu.Segment) bool {
	_, err := h.raw.Get(context.Background(), seg.After)
	return err == nil
}

var scanFlaws = []flaw{
	{"All of an empty table yields a zero row", scanned(func(seg sumu.Segment, rows []conn) []conn {
		if len(rows) == 0 && seg.After == (ref{}) {
			return []conn{{}}
		}
		return rows
	}), "All of an empty table yields nothing"},
	{"All yields a row twice", scanned(func(_ sumu.Segment, rows []conn) []conn {
		if len(rows) > 1 {
			rows = append(rows, rows[0])
		}
		return rows
	}), "All yields every live row exactly once"},
	{"All misses the last row", scanned(func(_ sumu.Segment, rows []conn) []conn {
		return rows[:max(0, len(rows)-1)]
	}), "All yields every live row exactly once"},
	{"Segments overlap", from(func(_ *hooked, seg sumu.Segment) sumu.Segment {
		return sumu.Segment{After: seg.After}
	}), "Segments are disjoint and cover the table"},
	{"The last segment is forgotten", scanned(func(seg sumu.Segment, rows []conn) []conn {
		if seg.Count > 1 && seg.Index == seg.Count-1 {
			return nil
		}
		return rows
	}), "Segments are disjoint and cover the table"},
	{"All has the order of a map", scanned(func(_ sumu.Segment, rows []conn) []conn {
		rand.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
		return rows
	}), "All has a stable order"},
	{"All reads one page", scanned(func(_ sumu.Segment, rows []conn) []conn {
		return rows[:min(len(rows), 250)]
	}), "Rows of more than a page come exactly once"},

	{"A resumed scan begins with the row already seen", func(h *hooked) {
		h.all = func(ctx context.Context, seg sumu.Segment) iter.Seq2[conn, error] {
			return func(yield func(conn, error) bool) {
				if c, err := h.Store.Get(ctx, seg.After); err == nil && !yield(c, nil) {
					return
				}
				h.Store.All(ctx, seg)(yield)
			}
		}
	}, "A scan resumes behind any row"},
	{"A resumed scan skips a row", scanned(func(seg sumu.Segment, rows []conn) []conn {
		if seg.After != (ref{}) && len(rows) > 0 {
			return rows[1:]
		}
		return rows
	}), "Stopping and resuming again and again yields every row exactly once"},
	{"A resumed scan of a segment leaves it", from(func(_ *hooked, seg sumu.Segment) sumu.Segment {
		if seg.After != (ref{}) {
			return sumu.Segment{After: seg.After}
		}
		return seg
	}), "A scan of a segment resumes behind any row"},
	{"A scan begins anew when its cursor's row is gone", from(func(h *hooked, seg sumu.Segment) sumu.Segment {
		if !h.exists(seg) {
			seg.After = ref{}
		}
		return seg
	}), "A scan resumes behind a row that does not exist any more"},
	{"A scan begins anew when its cursor's row has expired", from(func(h *hooked, seg sumu.Segment) sumu.Segment {
		if h.isExpired(context.Background(), seg.After) {
			seg.After = ref{}
		}
		return seg
	}), "A scan resumes behind a row that has expired"},

	{"A loop cannot be left", func(h *hooked) {
		h.all = func(ctx context.Context, seg sumu.Segment) iter.Seq2[conn, error] {
			return func(yield func(conn, error) bool) {
				h.Store.All(ctx, seg)(func(c conn, err error) bool { yield(c, err); return true })
			}
		}
	}, "A loop may be left at any row"},
	{"An iterator is for one loop", func(h *hooked) {
		h.all = func(ctx context.Context, seg sumu.Segment) iter.Seq2[conn, error] {
			var used atomic.Bool
			return func(yield func(conn, error) bool) {
				if !used.Swap(true) {
					h.Store.All(ctx, seg)(yield)
				}
			}
		}
	}, "An iterator can be ranged over twice"},
	{"All counts its way", func(h *hooked) {
		h.all = func(ctx context.Context, seg sumu.Segment) iter.Seq2[conn, error] {
			if seg.After != (ref{}) {
				return h.Store.All(ctx, seg)
			}
			return byOffset(func() []conn { return list(h.Store.All(ctx, seg)) })
		}
	}, "The body of a loop may read and write the store"},
	{"All counts its way page by page", func(h *hooked) {
		h.all = func(ctx context.Context, seg sumu.Segment) iter.Seq2[conn, error] {
			if seg.After != (ref{}) {
				return h.Store.All(ctx, seg)
			}
			return byPage(func() []conn { return list(h.Store.All(ctx, seg)) })
		}
	}, "A row that is there from beginning to end is yielded once, whatever comes and goes"},
	{"ByUser counts its way", func(h *hooked) {
		h.byUser = func(ctx context.Context, user string) iter.Seq2[conn, error] {
			return byOffset(func() []conn { return list(h.Store.ByUser(ctx, user)) })
		}
	}, "The body of a loop over a user may prune the user's rows"},

	{"A write that meets another is dropped", func(h *hooked) {
		var busy sync.Mutex
		h.put = func(ctx context.Context, c conn) error {
			if !busy.TryLock() {
				return nil
			}
			defer busy.Unlock()
			runtime.Gosched()
			return h.Store.Put(ctx, c)
		}
	}, "Writers of one user do not lose each other's rows"},
	{"A scan misses a row while others write", func(h *hooked) {
		var writes atomic.Int64
		h.put = func(ctx context.Context, c conn) error {
			writes.Add(1)
			return h.Store.Put(ctx, c)
		}
		h.all = func(ctx context.Context, seg sumu.Segment) iter.Seq2[conn, error] {
			before := writes.Load()
			return mapped(h.Store.All(ctx, seg), func(rows []conn) []conn {
				runtime.Gosched()
				if writes.Load() != before {
					return slices.DeleteFunc(rows, func(c conn) bool { return c.UserID == "guest" })
				}
				return rows
			})
		}
	}, "All methods are safe for concurrent use"},
}
