package memstore

import "sort"

// A user's rows are counted by looking at the blocks that hold them, which is
// cheap for the few that most users have. For a user with more than
// countedBlocks of them the number is kept from then on, until it falls below
// forgetBelow. Not for every user: it would cost memory for each.
const (
	countedBlocks = 8
	forgetBelow   = maxBlock
)

// runs visits the rows of the user of start, block by block: rows from to to-1
// of b.
func (t *table[V]) runs(start key, visit func(b *block[V], from, to int)) {
	if len(t.dir) == 0 {
		return
	}
	n := t.find(start)
	from, _ := t.dir[n].find(start)
	for ; n < len(t.dir); n, from = n+1, 0 {
		b := t.dir[n].block
		rest := b.keys[from:]
		own := len(rest)
		if own > 0 && rest[own-1].user != start.user {
			own = sort.Search(own, func(i int) bool { return rest[i].user != start.user })
		}
		if own > 0 {
			visit(b, from, from+own)
		}
		if own < len(rest) {
			return
		}
	}
}

// count returns how many rows there are of the user of start, the expired ones
// included.
func (t *table[V]) count(start key) (rows int) {
	if n, ok := t.counts[start.user]; ok {
		return n
	}
	blocks := 0
	t.runs(start, func(_ *block[V], from, to int) {
		rows += to - from
		blocks++
	})
	if blocks > countedBlocks && rows >= forgetBelow {
		if t.counts == nil {
			t.counts = make(map[string]int)
		}
		t.counts[start.user] = rows
	}
	return rows
}

// recount keeps the counts right when a row comes or goes.
func (t *table[V]) recount(user string, by int) {
	n, ok := t.counts[user]
	switch n += by; {
	case !ok:
	case n >= forgetBelow:
		t.counts[user] = n
	case len(t.counts) == 1:
		t.counts = nil // A map does not shrink.
	default:
		delete(t.counts, user)
	}
}

// countLive returns how many rows of the user of start are live. Blocks in
// which nothing has expired are counted whole.
func (t *table[V]) countLive(start key, now int64) (rows int) {
	if t.soonest > now {
		return t.count(start)
	}
	t.runs(start, func(b *block[V], from, to int) {
		if b.soonest > now {
			rows += to - from
			return
		}
		for _, v := range b.values[from:to] {
			if now < v.expiresAt() {
				rows++
			}
		}
	})
	return rows
}

// live is get of a row that has not expired.
func (t *table[V]) live(k key, now int64) (v V, found bool) {
	if v, found = t.get(k); found && now < v.expiresAt() {
		return v, true
	}
	var none V
	return none, false
}
