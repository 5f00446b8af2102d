package presence_test

import (
	"flag"
	"math/rand/v2"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sumu-live/sumu/internal/leak"
)

var (
	walksFlag = flag.Int("presence.walks", 0, "random walks of the model test; 0: 100,000, with SUMU_SLOW=1 1,000,000; with -race or -short a 33rd")
	seedFlag  = flag.Uint64("presence.seed", 0, "seed of the first walk; 0: a new one every time")
)

// TestModel drives the real Watcher over the real memstore through random
// walks: changes delivered twice, late and in any order, to several watchers
// at once, which crash between any two steps while calls fail or lose their
// answers, clocks differ and rows expire. No walk may violate an invariant.
func TestModel(t *testing.T) {
	leak.Check(t)
	walks := *walksFlag
	if walks == 0 {
		walks = 100_000
		if os.Getenv("SUMU_SLOW") != "" {
			walks = 1_000_000
		}
		if raceEnabled || testing.Short() {
			walks /= 33
		}
	}
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64() >> 16
	}
	total, failed := runWalks(none, seed, walks)
	if failed != nil {
		reportWalk(t, none, *failed)
		t.FailNow()
	}
	t.Logf("%d walks from seed %d, no violation: %+v", walks, seed, total)
	if walks < 1000 {
		return // A walk that is run again need not have everything.
	}
	for what, n := range map[string]int{
		"events": total.events, "duplicates": total.duplicates, "conflicts": total.conflicts,
		"crashes": total.crashes, "faults": total.faults, "swept rows": total.swept,
		"early checks": total.early, "repairs": total.repaired,
	} {
		if n == 0 {
			t.Errorf("the walks had no %s: they prove nothing about them", what)
		}
	}
}

// runWalks runs walks on all cores. It returns the failing seed, the lowest
// that it came across.
func runWalks(broken rule, seed uint64, walks int) (total stats, failed *uint64) {
	var (
		mu   sync.Mutex
		wg   sync.WaitGroup
		done atomic.Bool
		next atomic.Uint64
	)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			var st stats
			for !done.Load() {
				i := next.Add(1) - 1
				if i >= uint64(walks) {
					break
				}
				if err := newWorld(seed+i, broken, &st).walk(); err != nil {
					done.Store(true)
					mu.Lock()
					if s := seed + i; failed == nil || s < *failed {
						failed = &s
					}
					mu.Unlock()
				}
			}
			mu.Lock()
			total.add(st)
			mu.Unlock()
		})
	}
	wg.Wait()
	return total, failed
}

// reportWalk repeats a walk that fails, and prints every step of it.
func reportWalk(t *testing.T, broken rule, seed uint64) {
	t.Helper()
	w := newWorld(seed, broken, new(stats))
	w.trace = t.Logf
	t.Errorf("walk %d: %v\nrun it again: go test ./presence -run '^TestModel$' -presence.seed=%d -presence.walks=1",
		seed, w.walk(), seed)
}

// TestModelFindsBrokenRules takes out one rule at a time. The model test would
// be worth nothing if it did not notice.
func TestModelFindsBrokenRules(t *testing.T) {
	leak.Check(t)
	const seed, bound = 1, 50_000
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			for i := range uint64(bound) {
				if err := newWorld(seed+i, r.broken, new(stats)).walk(); err != nil {
					t.Logf("found after %d walks: %v", i+1, err)
					return
				}
			}
			t.Errorf("not found in %d walks", bound)
		})
	}
}

// TestModelOfOriginal is for the record: what the original's algorithm does in
// the same world, and in one without any fault.
func TestModelOfOriginal(t *testing.T) {
	const walks = 2_000
	for _, faulty := range []bool{true, false} {
		violated, runs := 0, 0
		kinds := map[string]int{}
		for seed := uint64(1); runs < walks; seed++ {
			w := newWorld(seed, original, new(stats))
			if !faulty && (w.plan.faults > 0 || w.plan.crashes > 0 || w.plan.lossy) {
				continue
			}
			runs++
			if err := w.walk(); err != nil {
				violated++
				kinds[kind(err)]++
			}
		}
		t.Logf("the original's algorithm, faults %v: %d of %d walks violate an invariant, at first %v", faulty, violated, walks, kinds)
		if violated == 0 {
			t.Error("the model test finds nothing wrong with the original's algorithm")
		}
	}
}
