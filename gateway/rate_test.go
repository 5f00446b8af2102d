package gateway

import (
	"net/netip"
	"slices"
	"testing"
)

// However many sources there are, the table is one of fixed size, and a source
// that keeps coming is held to its rate unless its set is full of busier ones.
func TestSourcesForgetTheIdle(t *testing.T) {
	var s sources
	s.init(perSecond(1))
	addr := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{203, byte(i >> 16), byte(i >> 8), byte(i)}) }
	if s.table != nil {
		t.Fatal("a table before it is needed")
	}
	now, ann := int64(1_000_000), netip.MustParseAddr("198.51.100.1")
	if burst := []bool{s.allow(ann, now), s.allow(ann, now), s.allow(ann, now)}; !slices.Equal(burst, []bool{true, true, false}) {
		t.Fatal("a burst is two")
	}
	for i := range 10 * sourceSets * sourceWays { // Each comes once, and is idle a second later.
		now++
		if !s.allow(addr(i), now) {
			t.Fatalf("source %d was refused", i)
		}
	}
	now += 10_000
	for range 3 {
		s.allow(ann, now)
	}
	if s.allow(ann, now) {
		t.Error("a source that is forgotten and comes back has no rate")
	}
}

// The busiest of a set stays: it is the quiet ones that are forgotten.
func TestSourcesKeepTheBusy(t *testing.T) {
	var s sources
	s.init(perSecond(10))
	busy, now := netip.MustParseAddr("198.51.100.1"), int64(1_000_000)
	for s.allow(busy, now) {
	}
	for i := range sourceSets * sourceWays / 4 { // No set is full of others.
		s.allow(netip.AddrFrom4([4]byte{203, byte(i >> 16), byte(i >> 8), byte(i)}), now)
	}
	if s.allow(busy, now) {
		t.Error("the busy source was forgotten")
	}
}

func TestRate(t *testing.T) {
	for _, n := range []int{1, 3, 7, 100, 999, 50_000, 1_000_000, 5_000_000} {
		r, paid := perSecond(n), int64(0)
		now, passed := int64(1_700_000_000_000), 0
		for r.allow(&paid, now) {
			passed++
		}
		if passed != 2*min(n, 1_000_000) {
			t.Errorf("%d per second: a burst of %d passed", n, passed)
		}
		for range 10 { // Ten seconds at full speed.
			for range 100 {
				now += 10
				for r.allow(&paid, now) {
					passed++
				}
			}
		}
		if want := 12 * min(n, 1_000_000); passed < want-want/50-1 || passed > want+want/50+1 {
			t.Errorf("%d per second: %d passed in a burst and 10 s, want %d", n, passed, want)
		}
	}
	if perSecond(0).limits() || perSecond(-1).limits() {
		t.Error("no rate must be no limit")
	}
}
