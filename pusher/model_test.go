package pusher_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

var (
	walksFlag = flag.Int("pusher.walks", 0, "random walks of the model test; 0: 20,000, with SUMU_SLOW=1 1,000,000; with -race or -short a 20th")
	seedFlag  = flag.Uint64("pusher.seed", 0, "seed of the first walk; 0: a new one every time")
)

// TestModel drives real Workers and Pushers over the real memstore through
// random walks: a queue that delivers twice, late and in any order, several
// workers, which crash or halt between any two steps while calls fail or lose
// their answers, deadlines that cut a push short, connections that go, and
// messages that die and are redriven. No walk may violate an invariant:
//
//   - everybody a request was for, and who was there, gets it, or a dead letter
//     names it;
//   - nobody gets it twice, but once more for each post whose answer was lost
//     (of a batch: at most each of its posts) and for each that was made by a
//     worker that could not settle it;
//   - counts add up, agree with the posts, and are told once;
//   - while only the store, the records or the sender are down, however often,
//     no message spends the receives of its queue, and no dead letter names
//     anybody who could have been reached within MaxOutage;
//   - nobody else gets it, nobody after its deadline, and a FIFO group in order.
func TestModel(t *testing.T) {
	walks := *walksFlag
	if walks == 0 {
		walks = 20_000
		if os.Getenv("SUMU_SLOW") != "" {
			walks = 1_000_000
		}
		if raceEnabled || testing.Short() {
			walks /= 20
		}
	}
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64() >> 16
	}
	total, failed := runWalks(t, none, seed, walks)
	if failed != nil {
		reportWalk(t, none, *failed)
		t.FailNow()
	}
	t.Logf("%d walks from seed %d, no violation: %+v", walks, seed, total)
	if walks < 1000 {
		return // A walk that is run again need not have everything.
	}
	for what, n := range map[string]int{
		"posts": total.posts, "repeats": total.repeats, "lost answers": total.lostAnswers,
		"crashes": total.crashes, "faults": total.faults, "takeovers": total.takeovers,
		"settled remainders met": total.resumed, "children": total.children, "held remainders": total.held,
		"dead letters": total.deadLetters, "redriven messages": total.redriven,
		"conflicts": total.conflicts, "pushes cut short": total.cut, "remainders in pieces": total.pieces,
		"walks without records": total.unrecorded, "batches": total.batches, "posts in batches": total.batched,
		"batches without an answer": total.lostBatches, "batches that nodes refuse": total.refusedBatches, "outages": total.outages,
		"messages that are moved": total.moved, "faults that outlast it all": total.outlasted,
	} {
		if n == 0 {
			t.Errorf("the walks had no %s: they prove nothing about them", what)
		}
	}
}

// perBubble walks share a bubble: after some 100,000 its clock would end.
const perBubble = 100

// bubble runs some walks. It stops at the first that fails.
func bubble(t *testing.T, broken rule, seed, walks uint64, st *stats) (failed *uint64, violation error) {
	synctest.Test(t, func(*testing.T) {
		for s := seed; s < seed+walks; s++ {
			if err := newWorld(s, broken, st).walk(); err != nil {
				failed, violation = &s, err
				return
			}
		}
	})
	return failed, violation
}

// runWalks runs walks on all cores. It returns the failing seed, the lowest
// that it came across.
func runWalks(t *testing.T, broken rule, seed uint64, walks int) (total stats, failed *uint64) {
	var (
		mu   sync.Mutex
		done atomic.Bool
		next atomic.Uint64
	)
	t.Run("walks", func(t *testing.T) {
		for i := range runtime.GOMAXPROCS(0) {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				var st stats
				for !done.Load() {
					i := next.Add(perBubble) - perBubble
					if i >= uint64(walks) {
						break
					}
					n := min(perBubble, uint64(walks)-i)
					if s, _ := bubble(t, broken, seed+i, n, &st); s != nil {
						done.Store(true)
						mu.Lock()
						if failed == nil || *s < *failed {
							failed = s
						}
						mu.Unlock()
					}
				}
				mu.Lock()
				defer mu.Unlock()
				total.add(st)
			})
		}
	})
	return total, failed
}

// reportWalk repeats a walk that fails, and prints every step of it.
func reportWalk(t *testing.T, broken rule, seed uint64) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(seed, broken, new(stats))
		w.trace = t.Logf
		t.Errorf("walk %d: %v\nrun it again: go test ./pusher -run '^TestModel$' -pusher.seed=%d -pusher.walks=1",
			seed, w.walk(), seed)
	})
}

// TestModelFindsBrokenRules takes out one rule at a time. The model test would
// be worth nothing if it did not notice.
func TestModelFindsBrokenRules(t *testing.T) {
	const seed, bound = 1, 20_000
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			for i := uint64(0); i < bound; i += perBubble {
				if s, err := bubble(t, r.broken, seed+i, perBubble, new(stats)); s != nil {
					t.Logf("found after %d walks: %v", *s-seed+1, err)
					return
				}
			}
			t.Errorf("not found in %d walks", bound)
		})
	}
}
