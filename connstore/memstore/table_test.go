package memstore

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/sumu-live/sumu"
)

type number int64

func (n number) expiresAt() int64 { return int64(n) }

// model is a table as a map.
type model map[key]number

func (m model) sorted() []key {
	keys := make([]key, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, key.compare)
	return keys
}

// checkTable fails unless the table holds what the model holds, in order, and
// keeps the promises of its comments.
func checkTable(t *testing.T, tab *table[number], m model) {
	t.Helper()
	var keys []key
	tab.page(key{}, len(m)+1, func(k key, v number) bool {
		if m[k] != v {
			t.Fatalf("%v is %d, want %d", k, v, m[k])
		}
		keys = append(keys, k)
		return true
	})
	if want := m.sorted(); !slices.Equal(keys, want) {
		t.Fatalf("the table has %d keys, want %d:\n%v\n%v", len(keys), len(want), keys, want)
	}
	room := 0
	for n, e := range tab.dir {
		room += cap(e.keys)
		if len(e.keys) == 0 || len(e.keys) > maxBlock || len(e.keys) != len(e.values) || cap(e.keys) > maxBlock {
			t.Fatalf("block %d has %d keys (room for %d) and %d values", n, len(e.keys), cap(e.keys), len(e.values))
		}
		if n > 0 && (e.low.compare(e.keys[0]) > 0 || e.low.compare(tab.dir[n-1].keys[len(tab.dir[n-1].keys)-1]) <= 0) {
			t.Fatalf("the lower bound of block %d is wrong", n)
		}
		if n > 0 && len(e.keys)+len(tab.dir[n-1].keys) <= maxBlock/4 {
			t.Fatalf("blocks %d and %d were not joined", n-1, n)
		}
		soonest := int64(slices.MinFunc(e.values, cmp.Compare[number]))
		if e.soonest > soonest || tab.soonest > soonest {
			t.Fatalf("block %d: soonest is %d in the block, %d in the table, after %d", n, e.soonest, tab.soonest, soonest)
		}
	}
	checkCounts(t, tab, m)
	if room > 10*len(m)+maxBlock {
		t.Fatalf("there is room for %d rows, but there are %d", room, len(m))
	}
}

// checkCounts fails unless every user has as many rows as in the model. It
// makes the table keep counts, which must stay right from then on.
func checkCounts(t *testing.T, tab *table[number], m model) {
	t.Helper()
	rows, live := make(map[key]int), make(map[key]int)
	const now = 5000
	for k, v := range m {
		k.id = ""
		rows[k]++
		if int64(v) > now {
			live[k]++
		}
	}
	for start, n := range rows {
		if got := tab.countLive(start, now); got != live[start] {
			t.Fatalf("%v has %d live rows, want %d", start, got, live[start])
		}
		if got := tab.count(start); got != n {
			t.Fatalf("%v has %d rows, want %d", start, got, n)
		}
	}
	if got := tab.count(key{1 << 62, "nobody", ""}); got != 0 {
		t.Fatalf("nobody has %d rows", got)
	}
	for user, n := range tab.counts {
		if n < forgetBelow {
			t.Fatalf("a count of %d is kept of %s", n, user)
		}
	}
}

func TestTableIsASortedMap(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	// One user: the ids alone decide. Few users: they meet in one hash, and some
	// have so many rows that a count is kept of them.
	for _, users := range []int{1, 3, 1000} {
		tab, m := new(table[number]), make(model)
		now := int64(0)
		random := func() key {
			u := rnd.IntN(users)
			return key{uint64(u / 3), fmt.Sprint("u", u), fmt.Sprint(rnd.IntN(2000))}
		}
		for step := range 12_000 {
			// It grows, shrinks and grows again.
			growing := step/3000%2 == 0
			switch k := random(); {
			case rnd.IntN(400) == 0:
				now += rnd.Int64N(200)
				limit := 1 + rnd.IntN(100)
				before := len(m)
				gone, _, more := tab.sweep(key{}, now, limit)
				for _, k := range gone {
					if v, ok := m[k]; !ok || int64(v) > now {
						t.Fatalf("swept %v, which expires at %d, at %d", k, v, now)
					}
					delete(m, k)
				}
				if len(m) != before-len(gone) || len(gone) > limit {
					t.Fatalf("swept %d, limit %d", len(gone), limit)
				}
				for k, v := range m {
					if int64(v) <= now && !more && len(gone) < limit {
						t.Fatalf("left %v, which expires at %d, at %d", k, v, now)
					}
				}
				checkTable(t, tab, m)
			case rnd.IntN(4) > 0 == growing:
				v := number(now + rnd.Int64N(20_000))
				tab.put(k, v)
				m[k] = v
			default:
				if len(m) > 0 && rnd.IntN(2) == 0 {
					for k = range m { // One that exists.
						break
					}
				}
				if _, want := m[k]; tab.remove(k) != want {
					t.Fatalf("remove of %v does not report %v", k, want)
				}
				delete(m, k)
			}
			if step%250 == 0 {
				checkTable(t, tab, m)
				k := random()
				if v, ok := tab.get(k); v != m[k] || ok != (m[k] != 0) {
					t.Fatalf("get of %v is %d, want %d", k, v, m[k])
				}
			}
		}
		for k := range m {
			tab.remove(k)
		}
		if len(tab.dir) != 0 {
			t.Fatalf("%d blocks are left of nothing", len(tab.dir))
		}
	}
}

func TestSegmentsOfHashes(t *testing.T) {
	for _, count := range []int{1, 2, 3, 7, 255, 256, 257, 1000} {
		next := uint64(0)
		for i := range count {
			low, high := hashes(sumu.Segment{Index: i, Count: count})
			if low != next || high < low {
				t.Fatalf("segment %d of %d is %x to %x; the one before ends at %x", i, count, low, high, next-1)
			}
			next = high + 1
		}
		if next != 0 {
			t.Fatalf("the last of %d segments ends at %x", count, next-1)
		}
	}
}
