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
	caught  string // the case that must fail, or the beginning of its name
}

// prove runs the suite against a store and returns what it recorded.
func prove(t *testing.T, patience time.Duration, newStore func(clock *clock) sumu.Store) *recorder {
	t.Helper()
	clock := newClock()
	r := newRecorder(t)
	run(r, func(tb) sumu.Store { return newStore(clock) }, Features{
		Touch: true, Sweep: true, Changes: true, Presence: true,
		Now: clock.now, Advance: clock.advance,
		patience: patience, crowd: 300, rounds: 60,
	})
	return r
}

// TestTheSuiteCatchesEveryFlaw also holds the other way around: a case that no
// flaw makes fail would test nothing.
func TestTheSuiteCatchesEveryFlaw(t *testing.T) {
	leak.Check(t)
	flaws := slices.Concat(rowFlaws, expiryFlaws, pruneFlaws, scanFlaws, contextFlaws,
		touchFlaws, sweepFlaws, changeFlaws, presenceFlaws)
	var (
		mu       sync.Mutex
		catchers = make(map[string]bool)
		ran      map[string]bool
	)
	t.Run("flaws", func(t *testing.T) {
		for _, f := range flaws {
			t.Run(f.name, func(t *testing.T) {
				t.Parallel()
				r := prove(t, 50*time.Millisecond, func(clock *clock) sumu.Store { return newHooked(clock, f.breakIt) })
				failed := r.failed()
				if !slices.ContainsFunc(failed, func(name string) bool { return strings.HasPrefix(name, f.caught) }) {
					t.Errorf("%q did not fail; these did: %q", f.caught, failed)
				}
				mu.Lock()
				defer mu.Unlock()
				ran = r.ran
				for _, name := range failed {
					catchers[name] = true
				}
			})
		}
	})
	for name := range ran {
		if !catchers[name] && name != featureCase {
			t.Errorf("no flaw makes the case fail: %q", name)
		}
	}
}

func TestTheSuitePassesAStoreWithoutFlaws(t *testing.T) {
	leak.Check(t)
	r := prove(t, 50*time.Millisecond, func(clock *clock) sumu.Store { return newHooked(clock, func(*hooked) {}) })
	if len(r.failures) > 0 {
		t.Errorf("failed: %q", r.failures)
	}
	if len(r.ran) < 80 {
		t.Errorf("only %d cases ran", len(r.ran))
	}
}

const featureCase = "A driver implements exactly the powers that it declares"

func TestFeaturesMustAgreeWithTheStore(t *testing.T) {
	full := Features{Touch: true, Sweep: true, Changes: true, Presence: true}
	for name, f := range map[string]Features{
		"Touch is not declared":    {Sweep: true, Changes: true, Presence: true},
		"Sweep is not declared":    {Touch: true, Changes: true, Presence: true},
		"Changes is not declared":  {Touch: true, Sweep: true, Presence: true},
		"Presence is not declared": {Touch: true, Sweep: true, Changes: true},
	} {
		t.Run(name, func(t *testing.T) {
			f.crowd = 300
			r := newRecorder(t)
			run(r, func(tb) sumu.Store { return new(memstore.Store) }, f)
			if got := r.failed(); !slices.Equal(got, []string{featureCase}) {
				t.Errorf("failed: %q", got)
			}
		})
	}
	t.Run("None is implemented", func(t *testing.T) {
		full.crowd = 300
		r := newRecorder(t)
		run(r, func(tb) sumu.Store { return struct{ sumu.Store }{new(memstore.Store)} }, full)
		if got := r.failures[featureCase]; len(got) != 4 {
			t.Errorf("of the four powers %d are missed: %q", len(got), got)
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
