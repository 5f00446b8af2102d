package memstore

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"

	"github.com/sumu-live/sumu"
)

// PutCapped writes a row as [Store.Put] does, on the condition that the user
// has at most most live rows afterwards. When there are too many, ErrLimit is
// returned and nothing is written, or, with evict, as many of the oldest other
// rows are removed, and returned with the oldest first. Each of them is a
// change, and so is the row that was written. ErrInvalid is returned when most
// is below 1.
//
// It costs what Put costs, however many rows the user has. Only when it evicts,
// or when the user has most rows and there are expired ones that were not swept
// yet, it goes over the user's rows: at worst 10 ms for a million.
func (s *Store) PutCapped(
	ctx context.Context, c sumu.Connection, most int, evict bool,
) (evicted []sumu.Connection, err error) {
	const op = "put capped"
	if err := check(ctx, op, c.Ref()); err != nil {
		return nil, err
	}
	if most < 1 {
		return nil, failed(op, c.ID, &sumu.Error{Op: "most is below 1", Kind: sumu.ErrInvalid})
	}
	k := s.key(c.UserID, c.ID)
	row := newConnection(c)
	n := shardOf(k.hash)
	sh := &s.connections[n]
	sh.mu.Lock()
	now := s.nowMilli()
	tooMany := excess(&sh.rows, k, row, now, most)
	if tooMany > 0 && !evict {
		sh.mu.Unlock()
		return nil, failed(op, c.ID, sumu.ErrLimit)
	}
	for _, old := range oldest(&sh.rows, k, now, tooMany) {
		evicted = append(evicted, old.row(old.key))
		sh.rows.remove(old.key)
		s.drop(n, old.key)
	}
	s.replaced(n, k, now)
	sh.rows.put(k, row)
	s.prolonged(n, k, row.deleteAt)
	sh.mu.Unlock()
	for _, old := range evicted {
		s.publish(old.UserID, old.ID)
	}
	s.publish(c.UserID, c.ID)
	return evicted, nil
}

// excess is how many live rows above most the user would have with row under k.
func excess(t *table[connection], k key, row connection, now int64, most int) int {
	start := key{k.hash, k.user, ""}
	// Most often there are few even with the expired ones, and with the row
	// that is replaced counted twice.
	if t.count(start) < most {
		return 0
	}
	live := t.countLive(start, now)
	if _, replaced := t.live(k, now); replaced {
		live--
	}
	if row.live(now) {
		live++
	}
	return live - most
}

// keyed is a row with its key.
type keyed struct {
	key
	connection
}

// older orders rows by their age. The zero ConnectedAt needs no case of its
// own: it is before everything.
func older(a, b keyed) int {
	if c := cmp.Compare(a.connectedAt, b.connectedAt); c != 0 {
		return c
	}
	return strings.Compare(a.id, b.id)
}

// oldest returns the n oldest of the user's live rows but that of k, the oldest
// first. It keeps up to twice as many as it goes over the rows.
func oldest(t *table[connection], k key, now int64, n int) (found []keyed) {
	if n <= 0 {
		return nil
	}
	keep := func() {
		slices.SortFunc(found, older)
		found = found[:min(n, len(found))]
	}
	// Rows come in the order of their ids: one as old as the n-th oldest before
	// it is not among them. Most are younger, and their keys are not looked at.
	limit := int64(math.MaxInt64)
	t.runs(key{k.hash, k.user, ""}, func(b *block[connection], from, to int) {
		for i := from; i < to; i++ {
			v := b.values[i]
			if v.connectedAt >= limit || !v.live(now) || b.keys[i].id == k.id {
				continue
			}
			if found = append(found, keyed{b.keys[i], v}); len(found) == 2*n {
				keep()
				limit = found[n-1].connectedAt
			}
		}
	})
	keep()
	return found
}
