package memstore

import (
	"context"
	"iter"
	"math"
	"math/bits"

	"github.com/sumu-live/sumu"
)

// Rows are copied out under the lock a page at a time. The first page of a user
// is small: most users have one to three connections.
const (
	firstPage = 4
	fullPage  = 128
)

// HasLive reports whether the user has at least one row.
func (s *Store) HasLive(ctx context.Context, userID string) (live bool, err error) {
	if err := checkUser(ctx, "has live", userID); err != nil {
		return false, err
	}
	start := s.key(userID, "")
	now := s.nowMilli()
	sh := &s.connections[shardOf(start.hash)]
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	sh.rows.page(start, math.MaxInt, func(k key, c connection) bool {
		live = k.user == userID && c.live(now)
		return k.user == userID && !live
	})
	return live, nil
}

// ByUser yields the rows of a user in ascending byte order of their ids. The
// loop's body may call the store. ErrInvalid is yielded for a user id that is
// empty or too long, and the context's error when it ends.
func (s *Store) ByUser(ctx context.Context, userID string) iter.Seq2[sumu.Connection, error] {
	return func(yield func(sumu.Connection, error) bool) {
		if err := checkUser(ctx, "by user", userID); err != nil {
			yield(sumu.Connection{}, err)
			return
		}
		start := s.key(userID, "")
		n := shardOf(start.hash)
		walk(ctx, s, s.connections[n:n+1], scan{
			op:     "by user",
			after:  start,
			within: func(k key) bool { return k.user == userID },
			page:   firstPage,
		}, connection.row, yield)
	}
}

// All yields the rows of a segment. Its order is that of a hash which differs
// from store to store: a cursor is good for the store that it comes from, in
// this process. The rows of one user are never divided among segments. The
// loop's body may call the store. ErrInvalid is yielded for a segment that does
// not exist and for a cursor that is not in it, and the context's error when it
// ends.
func (s *Store) All(ctx context.Context, seg sumu.Segment) iter.Seq2[sumu.Connection, error] {
	return func(yield func(sumu.Connection, error) bool) {
		first, last, scan, err := s.segment("all", seg)
		if err != nil {
			yield(sumu.Connection{}, err)
			return
		}
		walk(ctx, s, s.connections[first:last], scan, connection.row, yield)
	}
}

// scan is what a walk goes over.
type scan struct {
	op     string
	after  key
	within func(key) bool // false for the first key that is beyond the end
	page   int            // rows of the first page
}

// walk yields the live rows of a scan. It holds no lock while it yields, so a
// row may have gone by then.
func walk[V value, R any](
	ctx context.Context, s *Store, shards []shard[V], sc scan,
	row func(V, key) R, yield func(R, error) bool,
) {
	page := make([]R, 0, sc.page)
	for i := range shards {
		for more := true; more; {
			if err := ctx.Err(); err != nil {
				var none R
				yield(none, failed(sc.op, "", err))
				return
			}
			page = page[:0]
			now := s.nowMilli()
			sh := &shards[i]
			sh.mu.RLock()
			sc.after, more = sh.rows.page(sc.after, cap(page), func(k key, v V) bool {
				if !sc.within(k) {
					return false
				}
				if now < v.expiresAt() {
					page = append(page, row(v, k))
				}
				return true
			})
			sh.mu.RUnlock()
			for _, r := range page {
				if err := ctx.Err(); err != nil {
					var none R
					yield(none, failed(sc.op, "", err))
					return
				}
				if !yield(r, nil) {
					return
				}
			}
			if more && cap(page) < fullPage {
				page = make([]R, 0, fullPage)
			}
		}
	}
}

// segment returns the shards of a segment, and the scan of it. ErrInvalid is
// returned for one that does not exist, or whose After is not in it.
func (s *Store) segment(op string, seg sumu.Segment) (first, last int, sc scan, err error) {
	if err := seg.Validate(); err != nil {
		return 0, 0, scan{}, failed(op, "", err)
	}
	low, high := hashes(seg)
	after := key{hash: low}
	if seg.After.UserID != "" {
		after = s.key(seg.After.UserID, seg.After.ConnectionID)
		if after.hash < low || after.hash > high {
			err := &sumu.Error{Op: "the cursor is not of this segment, or of another store's", Kind: sumu.ErrInvalid}
			return 0, 0, scan{}, failed(op, "", err)
		}
	}
	return shardOf(after.hash), shardOf(high) + 1, scan{
		op:     op,
		after:  after,
		within: func(k key) bool { return k.hash <= high },
		page:   fullPage,
	}, nil
}

// hashes returns the range of hashes of a segment, both ends included.
func hashes(seg sumu.Segment) (low, high uint64) {
	if seg.Count <= 1 {
		return 0, math.MaxUint64
	}
	low = segmentStart(seg.Index, seg.Count)
	if seg.Index+1 == seg.Count {
		return low, math.MaxUint64
	}
	return low, segmentStart(seg.Index+1, seg.Count) - 1
}

// segmentStart is index/count of all hashes, rounded up.
func segmentStart(index, count int) uint64 {
	q, rest := bits.Div64(uint64(index), 0, uint64(count))
	if rest > 0 {
		q++
	}
	return q
}
