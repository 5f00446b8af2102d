package storetest

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/internal/leak"
)

// flaw is one rule that a store breaks.
type flaw struct {
	name    string
	breakIt func(h *hooked)
	caught  string // the case that must fail, or the beginning of its name and of no other's
}

// everything are the features of a memstore. The sizes are smaller than a
// driver's: the suite runs once for each flaw.
func everything(clock *clock) Features {
	return Features{
		Touch: true, Sweep: true, Changes: true, Presence: true,
		State: true, Cap: true, Refresh: true,
		Channels: true, Subscriptions: true,
		Now: clock.now, Advance: clock.advance,
		crowd: 300, rounds: 60,
	}
}

// TestTheSuiteCatchesEveryFlaw runs the case that is to catch a flaw, and no
// other. It also holds the other way around: a case that no flaw makes fail
// would test nothing.
func TestTheSuiteCatchesEveryFlaw(t *testing.T) {
	leak.Check(t)
	flaws := slices.Concat(rowFlaws, expiryFlaws, pruneFlaws, scanFlaws, contextFlaws,
		touchFlaws, sweepFlaws, changeFlaws, presenceFlaws, recordFlaws, recordRaceFlaws,
		capFlaws, evictFlaws, refreshFlaws, channelFlaws, memberFlaws, channelRowFlaws, subscriptionFlaws, subscriberFlaws, lagFlaws)
	var (
		mu       sync.Mutex
		catchers = make(map[string]bool)
	)
	t.Run("flaws", func(t *testing.T) {
		for _, flaw := range flaws {
			t.Run(flaw.name, func(t *testing.T) {
				t.Parallel()
				clock := newClock()
				f := everything(clock)
				// What must not come is waited for; what is late counts as lost.
				f.patience = 50 * time.Millisecond
				f.only = flaw.caught
				f.CatchUp = func(sumu.Store) {} // It excuses All, and nothing else.
				r := newRecorder(t)
				run(r, func(tb) sumu.Store { return newHooked(clock, flaw.breakIt) }, f)
				failed := r.failed()
				if len(r.ran) != 2 || !r.ran[featureCase] {
					t.Errorf("%q names %d cases, want one", flaw.caught, len(r.ran)-1)
				}
				if len(failed) != 1 || failed[0] == featureCase {
					t.Errorf("%q did not fail; these did: %q", flaw.caught, failed)
				}
				mu.Lock()
				defer mu.Unlock()
				for _, name := range failed {
					catchers[name] = true
				}
			})
		}
	})
	for _, c := range cases(everything(newClock())) {
		if !catchers[c.name] {
			t.Errorf("no flaw makes the case fail: %q", c.name)
		}
	}
}

func TestTheSuitePassesAStoreWithoutFlaws(t *testing.T) {
	leak.Check(t)
	clock := newClock()
	r := newRecorder(t)
	run(r, func(tb) sumu.Store { return newHooked(clock, func(*hooked) {}) }, everything(clock))
	if len(r.failures) > 0 {
		t.Errorf("failed: %q", r.failures)
	}
	if len(r.ran) < 170 {
		t.Errorf("only %d cases ran", len(r.ran))
	}
}

const featureCase = "A driver implements exactly the powers that it declares"

func TestFeaturesMustAgreeWithTheStore(t *testing.T) {
	for name, undeclare := range map[string]func(f *Features){
		"Touch":    func(f *Features) { f.Touch = false },
		"Sweep":    func(f *Features) { f.Sweep = false },
		"Changes":  func(f *Features) { f.Changes = false },
		"Presence": func(f *Features) { f.Presence = false },
		"State":    func(f *Features) { f.State = false },
		"Cap":      func(f *Features) { f.Cap = false },
		"Refresh":  func(f *Features) { f.Refresh = false },

		"Channels":      func(f *Features) { f.Channels = false },
		"Subscriptions": func(f *Features) { f.Subscriptions = false },
	} {
		t.Run(name+" is not declared", func(t *testing.T) {
			f := everything(newClock())
			undeclare(&f)
			r := newRecorder(t)
			run(r, func(tb) sumu.Store { return new(memstore.Store) }, f)
			if got := r.failures[featureCase]; len(got) != 1 || !strings.Contains(got[0], "Features."+name) {
				t.Errorf("failed: %q", r.failures)
			}
			if len(r.ran) != 1 {
				t.Errorf("%d cases ran, want none beside it", len(r.ran)-1)
			}
		})
	}
	t.Run("None is implemented", func(t *testing.T) {
		r := newRecorder(t)
		run(r, func(tb) sumu.Store { return struct{ sumu.Store }{new(memstore.Store)} }, everything(newClock()))
		if got := r.failures[featureCase]; len(got) != 9 {
			t.Errorf("of the nine powers %d are missed: %q", len(got), got)
		}
	})
	t.Run("Advance without Now", func(t *testing.T) {
		r := newRecorder(t)
		r.run("setup", func(t tb) {
			run(t, func(tb) sumu.Store { return new(memstore.Store) }, Features{Advance: func(time.Duration) {}})
		})
		if len(r.failed()) == 0 {
			t.Error("it is accepted")
		}
	})
}
