package gateway

import (
	"hash/maphash"
	"net/netip"
	"sync"
)

// rate is how often something may happen, with bursts of two seconds' worth. Of
// each thing only the time is kept at which all that it did is paid for, in µs:
// 0 is a thing that did nothing yet. The zero rate has no limit.
type rate struct {
	every int64 // µs from one to the next
	slack int64 // µs that a thing may be ahead
}

func perSecond(n int) rate {
	if n <= 0 {
		return rate{}
	}
	n = min(n, 1_000_000) // A µs is as fine as it gets.
	every := 1_000_000 / int64(n)
	return rate{every: every, slack: (2*int64(n) - 1) * every}
}

func (r rate) limits() bool { return r.every > 0 }

// allow reports whether it may happen once more, and takes note of it.
func (r rate) allow(paid *int64, nowMilli int64) bool {
	now := nowMilli * 1000
	ahead := *paid - now
	switch {
	case ahead <= 0, ahead > r.slack+r.every: // The second: the clock was set back.
		*paid = now + r.every
	case ahead > r.slack:
		return false
	default:
		*paid += r.every
	}
	return true
}

// limiter is a rate for all together.
type limiter struct {
	rate
	mu   sync.Mutex
	paid int64
}

func (l *limiter) allow(now int64) bool {
	if !l.limits() {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rate.allow(&l.paid, now)
}

// sources is a rate for each source, in memory that does not grow with them: a
// table of sets, and within a set the source that has been quiet for longest
// makes room. Forgetting one that is idle changes nothing. One that is not gets
// a new burst; that takes more busy sources than places, which are
// [Options.ConnectRate]'s to bound.
type sources struct {
	rate
	seed maphash.Seed

	mu    sync.Mutex
	table *[sourceSets][sourceWays]source // nil until it is needed
}

const (
	sourceSets = 2048
	sourceWays = 8 // 256 KiB in all.
)

type source struct {
	id   uint64 // a hash that nobody outside can compute; 0: free
	paid int64
}

func (t *sources) init(r rate) {
	t.rate = r
	t.seed = maphash.MakeSeed()
}

func (t *sources) allow(from netip.Addr, now int64) bool {
	if from.Is6() { // Whoever has one address there has 2^64.
		if p, err := from.Prefix(64); err == nil {
			from = p.Addr()
		}
	}
	b := from.As16()
	id := max(1, maphash.Bytes(t.seed, b[:]))
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.table == nil {
		t.table = new([sourceSets][sourceWays]source)
	}
	set := &t.table[id%sourceSets]
	quiet := &set[0]
	for i := range set {
		if set[i].id == id {
			return t.rate.allow(&set[i].paid, now)
		}
		if set[i].paid < quiet.paid {
			quiet = &set[i]
		}
	}
	*quiet = source{id: id}
	return t.rate.allow(&quiet.paid, now)
}
