package memstore

import (
	"cmp"
	"math"
	"slices"
	"sort"
	"strings"
)

// maxBlock is the most rows of a block: small enough that an insertion moves
// little, large enough that the directory stays small.
const maxBlock = 64

// never is an expiry that does not come.
const never = math.MaxInt64

// key orders the rows: by the hash of the user, then by user, then by id. The
// hash comes first because it is cheap to compare, spreads the users over the
// shards evenly, and makes a segment a range.
type key struct {
	hash     uint64
	user, id string
}

func (k key) compare(other key) int {
	if k.hash != other.hash {
		return cmp.Compare(k.hash, other.hash)
	}
	if c := strings.Compare(k.user, other.user); c != 0 {
		return c
	}
	return strings.Compare(k.id, other.id)
}

// value is what a table keeps of a row beside its key.
type value interface {
	expiresAt() int64 // in ms since the epoch
}

// table keeps rows in the order of their keys: a directory of blocks, each a
// sorted run. Not a map: All and ByUser need an order that a cursor can enter
// anywhere, at any time and without sorting, and a run costs nothing per row.
type table[V value] struct {
	dir []entry[V]
	// soonest is at or before the first expiry of all rows, and each block's is
	// at or before that of its own. A row that is removed or prolonged does not
	// raise them; the next sweep that comes by does. They stand in for a queue
	// of expiries, which would cost memory per row and a write per renewal.
	soonest int64
	// counts is how many rows a user has, for those who have many and were
	// counted once; see [table.count].
	counts map[string]int
}

// entry is a block and its lower bound: no key of the block is below low, and
// no key of an earlier block is at or above it. That of the first block is not
// looked at.
type entry[V value] struct {
	low key
	*block[V]
}

type block[V value] struct {
	keys    []key
	values  []V
	soonest int64
}

// find returns the index of the block that holds k or would.
func (t *table[V]) find(k key) int {
	above := sort.Search(len(t.dir), func(i int) bool { return t.dir[i].low.compare(k) > 0 })
	return max(above-1, 0)
}

// find returns the index of the first key at or above k.
func (b *block[V]) find(k key) (i int, found bool) {
	i = sort.Search(len(b.keys), func(i int) bool { return b.keys[i].compare(k) >= 0 })
	return i, i < len(b.keys) && b.keys[i] == k
}

func (t *table[V]) get(k key) (v V, found bool) {
	if len(t.dir) == 0 {
		return v, false
	}
	b := t.dir[t.find(k)]
	i, found := b.find(k)
	if found {
		v = b.values[i]
	}
	return v, found
}

// put writes a row, replacing one with the same key.
func (t *table[V]) put(k key, v V) {
	if len(t.dir) == 0 {
		t.dir = append(t.dir, entry[V]{k, &block[V]{soonest: never}})
		t.soonest = never
	}
	n := t.find(k)
	b := t.dir[n].block
	i, found := b.find(k)
	if !found && len(b.keys) == maxBlock {
		t.split(n)
		if half := len(b.keys); i > half {
			b, i = t.dir[n+1].block, i-half
		}
	}
	if found {
		b.values[i] = v
	} else {
		b.insert(i, k, v)
		t.recount(k.user, +1)
	}
	b.soonest = min(b.soonest, v.expiresAt())
	t.soonest = min(t.soonest, v.expiresAt())
}

func (b *block[V]) insert(i int, k key, v V) {
	// Rows of one user stand together: they share one string.
	switch {
	case i > 0 && b.keys[i-1].user == k.user:
		k.user = b.keys[i-1].user
	case i < len(b.keys) && b.keys[i].user == k.user:
		k.user = b.keys[i].user
	}
	b.keys = slices.Insert(roomy(b.keys), i, k)
	b.values = slices.Insert(roomy(b.values), i, v)
}

// roomy returns s with room for one more. It grows by a quarter, not by half
// or more as append does: most blocks are neither full nor new.
func roomy[T any](s []T) []T {
	if len(s) < cap(s) {
		return s
	}
	return resized(s)
}

func resized[T any](s []T) []T {
	return append(make([]T, 0, min(len(s)+len(s)/4+2, maxBlock)), s...)
}

// split moves the upper half of the full block n to a new one behind it.
func (t *table[V]) split(n int) {
	b := t.dir[n].block
	const half = maxBlock / 2
	upper := &block[V]{
		keys:    resized(b.keys[half:]),
		values:  resized(b.values[half:]),
		soonest: b.soonest,
	}
	b.keys, b.values = resized(b.keys[:half]), resized(b.values[:half])
	t.dir = slices.Insert(t.dir, n+1, entry[V]{upper.keys[0], upper})
}

// remove reports whether there was a row to remove.
func (t *table[V]) remove(k key) bool {
	if len(t.dir) == 0 {
		return false
	}
	n := t.find(k)
	b := t.dir[n].block
	i, found := b.find(k)
	if !found {
		return false
	}
	b.truncate(slices.Delete(b.keys, i, i+1), slices.Delete(b.values, i, i+1))
	t.recount(k.user, -1)
	if len(b.keys) <= maxBlock/4 {
		t.compact(max(n-1, 0), min(n+2, len(t.dir)))
	}
	return true
}

// truncate sets the rows, fewer than before, and gives back room.
func (b *block[V]) truncate(keys []key, values []V) {
	if cap(keys) > maxBlock/4 && len(keys) < cap(keys)/2 {
		keys, values = resized(keys), resized(values)
	}
	b.keys, b.values = keys, values
}

// compact drops the empty blocks of dir[from:to] and joins small neighbours,
// so that the memory of rows that are gone is given back.
func (t *table[V]) compact(from, to int) {
	kept := from
	for _, e := range t.dir[from:to] {
		if len(e.keys) == 0 {
			continue
		}
		if kept > from {
			last := t.dir[kept-1].block
			if len(last.keys)+len(e.keys) <= maxBlock/2 {
				last.keys = append(last.keys, e.keys...)
				last.values = append(last.values, e.values...)
				last.soonest = min(last.soonest, e.soonest)
				continue
			}
		}
		t.dir[kept] = e
		kept++
	}
	t.dir = slices.Delete(t.dir, kept, to)
	if len(t.dir) < cap(t.dir)/4 {
		t.dir = slices.Clone(t.dir)
	}
}

// page visits the rows behind after, in order, until visit returns false or
// limit rows were seen. Whether it was the limit is what more reports, with
// the last key seen to go on behind.
func (t *table[V]) page(after key, limit int, visit func(k key, v V) bool) (last key, more bool) {
	if len(t.dir) == 0 {
		return after, false
	}
	n := t.find(after)
	i, found := t.dir[n].find(after)
	if found {
		i++
	}
	for last = after; n < len(t.dir); n, i = n+1, 0 {
		b := t.dir[n].block
		for ; i < len(b.keys); i++ {
			if limit == 0 {
				return last, true
			}
			if !visit(b.keys[i], b.values[i]) {
				return last, false
			}
			last = b.keys[i]
			limit--
		}
	}
	return last, false
}
