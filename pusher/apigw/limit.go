package apigw

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sumu-live/sumu"
)

const (
	minRate  = 10   // requests per second that are always allowed
	increase = 100  // requests per second, gained each second
	decrease = 0.7  // of the rate that was too much
	slack    = 0.05 // seconds of the rate that may go out at once

	// What tells a throttled account from slow clients, within a second: so
	// many answers of 429, of which so many count for each connection, and at
	// least one in so many of the second's requests. A sender that makes fewer
	// requests would not help the account by making fewer still.
	manyRefused   = 20
	perConnection = 5
	oneIn         = 20
)

// limiter slows the sender down when the account is throttled: additive
// increase, multiplicative decrease. Without a limit it costs two counters.
type limiter struct {
	ceiling float64 // 0: none
	changed func(perSecond float64)
	active  atomic.Bool // there is a limit

	// How many requests were made, in this second and in the one before.
	second, made, madeBefore atomic.Int64

	mu      sync.Mutex
	rate    float64   // while active
	lift    float64   // the rate at which the limit goes; 0: never
	raised  time.Time // when the rate last rose or fell
	next    time.Time // when the next request is due
	lowered time.Time

	// The evidence, of at most a second.
	since   time.Time
	refused int64
	which   map[string]int // refused, by connection
}

func newLimiter(ceiling float64, changed func(float64)) *limiter {
	l := &limiter{ceiling: ceiling, changed: changed, which: make(map[string]int)}
	if ceiling > 0 {
		l.rate = ceiling
		l.active.Store(true)
	}
	return l
}

// wait returns when the next request may be made. ErrThrottled is returned, and
// nothing was sent, when ctx ends before.
func (l *limiter) wait(ctx context.Context) error {
	now := time.Now()
	l.count(now)
	if !l.active.Load() {
		return nil
	}
	deadline, _ := ctx.Deadline()
	d, ok := l.reserve(now, deadline)
	switch {
	case !ok:
		return &sumu.Error{Op: "held back, the account is throttled", Kind: sumu.ErrThrottled}
	case d <= 0:
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return &sumu.Error{Op: "held back, the account is throttled", Kind: sumu.ErrThrottled, Err: context.Cause(ctx)}
	}
}

// count keeps the rate of the last second. It loses one here and there where
// seconds meet, and needs no lock.
func (l *limiter) count(now time.Time) {
	second := now.Unix()
	if last := l.second.Load(); last != second && l.second.CompareAndSwap(last, second) {
		made := l.made.Swap(0)
		if second-last > 1 {
			made = 0
		}
		l.madeBefore.Store(made)
	}
	l.made.Add(1)
}

// reserve takes the next turn, unless that is after the deadline.
func (l *limiter) reserve(now, deadline time.Time) (time.Duration, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.raise(now)
	if !l.active.Load() {
		return 0, true
	}
	if earliest := now.Add(-seconds(slack)); l.next.Before(earliest) {
		l.next = earliest
	}
	if !deadline.IsZero() && l.next.After(deadline) {
		return 0, false
	}
	d := l.next.Sub(now)
	l.next = l.next.Add(seconds(1 / l.rate))
	return d, true
}

// raise adds what the time since the last change has earned.
func (l *limiter) raise(now time.Time) {
	whole := now.Sub(l.raised).Truncate(time.Second)
	if l.raised.IsZero() || whole <= 0 {
		return
	}
	l.raised = l.raised.Add(whole)
	rate := l.rate + increase*whole.Seconds()
	if l.ceiling > 0 {
		rate = min(rate, l.ceiling)
	}
	if rate == l.rate {
		return
	}
	l.rate = rate
	if l.lift > 0 && rate >= l.lift {
		l.active.Store(false)
		rate = 0
	}
	l.tell(rate)
}

// throttled takes note of an answer of 429.
func (l *limiter) throttled(connection string) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.since) > time.Second {
		l.forget(now)
	}
	if l.which[connection] < perConnection {
		l.which[connection]++
		l.refused++
	}
	// Of whole seconds: slow clients may come one after the other.
	if l.refused < manyRefused || l.refused*oneIn < max(l.made.Load(), l.madeBefore.Load()) {
		return // A few slow clients.
	}
	// One step a second: what is in flight was sent at the rate before.
	if now.Sub(l.lowered) >= time.Second {
		l.lower(now)
	}
}

// forget begins new evidence.
func (l *limiter) forget(now time.Time) {
	l.since, l.refused = now, 0
	clear(l.which)
}

func (l *limiter) lower(now time.Time) {
	rate := float64(max(l.madeBefore.Load(), l.made.Load()))
	if l.active.Load() {
		rate = min(rate, l.rate)
	}
	l.lift = 0
	if l.ceiling == 0 {
		l.lift = max(2*rate, minRate+increase)
	}
	l.rate = max(decrease*rate, minRate)
	l.raised, l.lowered, l.next = now, now, now
	l.active.Store(true)
	l.forget(now)
	l.tell(l.rate)
}

func (l *limiter) tell(rate float64) {
	if l.changed != nil {
		l.changed(rate)
	}
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
