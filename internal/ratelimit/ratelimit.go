// Package ratelimit holds a token bucket for each of many keys, in bounded
// memory. It knows of this process alone.
package ratelimit

import (
	"sync"
	"time"
)

// maxKeys is how many keys a generation holds: about 10 MB for two of them.
const maxKeys = 50_000

// Limiter allows each key Burst tokens at once, and Rate more per second. It is
// safe for concurrent use.
type Limiter struct {
	rate, burst float64
	now         func() time.Time

	mu sync.Mutex
	// Two generations: what has not been asked for during a whole one has a full
	// bucket again, which is that of a key nobody has asked for yet.
	young, old map[string]bucket
	begun      time.Time
}

type bucket struct {
	tokens float64
	at     time.Time
}

// New returns a Limiter. rate and burst must be positive; now is the clock.
func New(rate float64, burst int, now func() time.Time) *Limiter {
	return &Limiter{rate: rate, burst: float64(burst), now: now, young: make(map[string]bucket)}
}

// Allow takes n tokens of a key, or none and reports false. A nil Limiter
// allows everything. With over 50,000 keys within the time that a bucket takes
// to fill, some keys begin anew early.
func (l *Limiter) Allow(key string, n int) bool {
	if l == nil {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	l.age(now)
	b, ok := l.young[key]
	if !ok {
		b, ok = l.old[key]
	}
	if !ok {
		b = bucket{tokens: l.burst, at: now}
	}
	if d := now.Sub(b.at); d > 0 { // A clock may step back.
		b.tokens = min(l.burst, b.tokens+d.Seconds()*l.rate)
	}
	b.at = now
	allowed := b.tokens >= float64(n)
	if allowed {
		b.tokens -= float64(n)
	}
	l.young[key] = b
	return allowed
}

// age begins a new generation when the last has lasted as long as a bucket
// takes to fill, or is full.
func (l *Limiter) age(now time.Time) {
	passed := now.Sub(l.begun).Seconds() * l.rate
	if passed < l.burst && len(l.young) < maxKeys {
		return
	}
	l.old, l.young = l.young, make(map[string]bucket)
	l.begun = now
	if passed >= 2*l.burst {
		l.old = nil
	}
}
