package memstore

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
)

// TestTheOldestAreThoseOfASort checks oldest, which keeps only some of the rows
// that it sees, against a sort of all of them.
func TestTheOldestAreThoseOfASort(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	const now = 1000
	for round := range 200 {
		tab := new(table[connection])
		var all []keyed
		skip := key{7, "guest", "c0"}
		for i := range 1 + rnd.IntN(700) {
			row := keyed{key{7, "guest", fmt.Sprint("c", i)}, connection{deleteAt: never}}
			// Many are of one age; in some rounds they come in its order.
			switch row.connectedAt = rnd.Int64N(50); round % 4 {
			case 0:
				row.connectedAt = int64(i)
			case 1:
				row.connectedAt = -int64(i)
			}
			if rnd.IntN(4) == 0 {
				row.deleteAt = now
			}
			tab.put(row.key, row.connection)
			if row.key != skip && row.live(now) {
				all = append(all, row)
			}
			for _, other := range []key{{7, "guesu", row.id}, {7, "gues", row.id}, {8, "a", row.id}} {
				tab.put(other, connection{connectedAt: -1e6, deleteAt: never})
			}
		}
		slices.SortFunc(all, older)
		for _, n := range []int{-1, 0, 1, 2, 3, 10, len(all) / 2, len(all) - 1, len(all)} {
			want := all[:max(0, min(n, len(all)))]
			if got := oldest(tab, skip, now, n); !slices.Equal(got, want) {
				t.Fatalf("the %d oldest of %d are\n%v, want\n%v", n, len(all), got, want)
			}
		}
	}
}

// TestAnExpiredRowTakesNoRoom writes what is absent at once: it neither needs
// room nor makes it.
func TestAnExpiredRowTakesNoRoom(t *testing.T) {
	ctx := t.Context()
	s := new(Store)
	live, past := sumu.Connection{UserID: "u1", ID: "a"}, sumu.Connection{UserID: "u1", ID: "b", DeleteAt: time.Unix(1, 0)}
	for _, c := range []sumu.Connection{live, past, past, live} {
		for _, evict := range []bool{false, true} {
			if evicted, err := s.PutCapped(ctx, c, 1, evict); len(evicted) > 0 || err != nil {
				t.Fatalf("PutCapped of %s evicts %v, %v", c.ID, evicted, err)
			}
		}
	}
	if n, err := s.SweepExpired(ctx, 0); n != 1 || err != nil {
		t.Errorf("swept %d, %v", n, err)
	}
}

// counts returns the counts that are kept of all shards.
func (s *Store) counts() map[string]int {
	all := make(map[string]int)
	for i := range s.connections {
		for user, n := range s.connections[i].rows.counts {
			all[user] = n
		}
	}
	return all
}

// TestACountIsKeptOfManyRowsOnly looks at the memory of counts: none for the
// users who have few rows, and none once the many are gone.
func TestACountIsKeptOfManyRowsOnly(t *testing.T) {
	ctx := t.Context()
	now := time.Now()
	s := &Store{Now: func() time.Time { return now }}
	capped := func(user string, i, most int) {
		t.Helper()
		c := sumu.Connection{UserID: user, ID: fmt.Sprint("c", i), DeleteAt: now.Add(time.Hour)}
		if _, err := s.PutCapped(ctx, c, most, false); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 3000 {
		capped(fmt.Sprint("u", i/3), i, 3)
	}
	if kept := s.counts(); len(kept) != 0 {
		t.Errorf("counts are kept of users with 3 rows: %v", kept)
	}
	const many = 2 * (countedBlocks + 1) * maxBlock
	for i := range many {
		capped("guest", i, many)
	}
	if kept := s.counts(); len(kept) != 1 || kept["guest"] != many-1 && kept["guest"] != many {
		t.Errorf("counts are %v, want that of guest, %d", kept, many)
	}
	now = now.Add(2 * time.Hour)
	if n, err := s.SweepExpired(ctx, 0); n != many+3000 || err != nil {
		t.Fatalf("swept %d, %v", n, err)
	}
	if kept := s.counts(); len(kept) != 0 {
		t.Errorf("counts are kept of nothing: %v", kept)
	}
	capped("guest", 0, 1)
}
