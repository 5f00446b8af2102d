package memstore

import (
	"context"
	"math"
	"slices"
)

// sweepWork is how many rows and blocks a sweep looks at under one hold of a
// shard's lock.
const sweepWork = 4096

// SweepExpired removes up to limit expired rows, or all of them when limit is
// 0 or less, and returns how many. Records count as rows do, and come last. It
// costs little while nothing is expired, and writers are never held up for
// longer than a moment, so it can be called every second.
func (s *Store) SweepExpired(ctx context.Context, limit int) (removed int, err error) {
	if limit <= 0 {
		limit = math.MaxInt
	}
	now := s.nowMilli()
	removed, err = sweepShards(ctx, s.connections[:], now, limit, s.drop, func(k key) { s.publish(k.user, k.id) })
	if err != nil {
		return removed, err
	}
	records, err := sweepShards(ctx, s.records[:], now, limit-removed, nil, func(key) {})
	if err != nil {
		return removed + records, err
	}
	// They went with their connections; but counting members looks at the
	// soonest expiry, which a sweep alone puts right.
	_, err = sweepShards(ctx, s.members[:], now, math.MaxInt, nil, func(key) {})
	return removed + records, err
}

// sweepShards removes up to limit expired rows and tells of each. What is to go
// in the same step as rows of a shard goes with drop, which may be nil.
func sweepShards[V value](
	ctx context.Context, shards []shard[V], now int64, limit int, drop func(shard int, rows ...key), tell func(key),
) (removed int, err error) {
	for i := range shards {
		sh := &shards[i]
		from := key{hash: firstHash(i)}
		for more := true; more && removed < limit; {
			if err := ctx.Err(); err != nil {
				return removed, failed("sweep", "", err)
			}
			var gone []key
			sh.mu.Lock()
			gone, from, more = sh.rows.sweep(from, now, limit-removed)
			if drop != nil {
				drop(i, gone...)
			}
			sh.mu.Unlock()
			for _, k := range gone {
				tell(k)
			}
			removed += len(gone)
		}
	}
	return removed, nil
}

// sweep removes expired rows, at most limit of them, from the block that holds
// from onwards. It returns early once it has worked enough; more reports
// that, and next is where to go on.
func (t *table[V]) sweep(from key, now int64, limit int) (gone []key, next key, more bool) {
	if t.soonest > now {
		return nil, key{}, false
	}
	first := t.find(from)
	n := first
	for work := 0; n < len(t.dir) && work < sweepWork && len(gone) < limit; n++ {
		b := t.dir[n].block
		work++
		if b.soonest <= now {
			work += len(b.keys)
			gone = b.sweep(gone, now, limit)
		}
	}
	if more = n < len(t.dir); more {
		next = t.dir[n].low
	}
	for _, k := range gone {
		t.recount(k.user, -1)
	}
	if len(gone) > 0 {
		t.compact(first, n)
	}
	if !more {
		t.soonest = never
		for _, e := range t.dir {
			t.soonest = min(t.soonest, e.soonest)
		}
	}
	return gone, next, more
}

// sweep appends the keys of the rows that it removes to gone, until gone has
// limit keys, and finds out when the next of its rows expires.
func (b *block[V]) sweep(gone []key, now int64, limit int) []key {
	b.soonest = never
	kept := 0
	for i, v := range b.values {
		if v.expiresAt() <= now && len(gone) < limit {
			gone = append(gone, b.keys[i])
			continue
		}
		b.keys[kept], b.values[kept] = b.keys[i], v
		b.soonest = min(b.soonest, v.expiresAt())
		kept++
	}
	b.truncate(slices.Delete(b.keys, kept, len(b.keys)), slices.Delete(b.values, kept, len(b.values)))
	return gone
}
