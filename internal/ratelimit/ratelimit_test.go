package ratelimit

import (
	"fmt"
	"testing"
	"time"
)

// clock is a time that a test moves.
type clock struct{ t time.Time }

func (c *clock) now() time.Time { return c.t }

func newClock() *clock { return &clock{time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)} }

func TestAllow(t *testing.T) {
	c := newClock()
	l := New(2, 3, c.now)
	for i, step := range []struct {
		key  string
		n    int
		wait time.Duration // before it
		want bool
	}{
		{"a", 1, 0, true},
		{"a", 2, 0, true},
		{"a", 1, 0, false},
		{"b", 3, 0, true}, // a key of its own
		{"a", 1, 500 * time.Millisecond, true},
		{"a", 1, 0, false},
		{"a", 1, 400 * time.Millisecond, false},
		{"a", 1, 100 * time.Millisecond, true}, // what was refused took nothing
		{"a", 4, time.Hour, false},             // more than a bucket holds
		{"a", 3, 0, true},
		{"a", 1, -time.Hour, false},            // a clock that steps back gives nothing,
		{"a", 1, 500 * time.Millisecond, true}, // and takes nothing
	} {
		c.t = c.t.Add(step.wait)
		if got := l.Allow(step.key, step.n); got != step.want {
			t.Errorf("step %d, %+v: got %v", i, step, got)
		}
	}
	if !(*Limiter)(nil).Allow("a", 1_000_000) {
		t.Error("no limiter limits")
	}
}

// A key that is asked for again and again is limited across generations.
func TestAllowAcrossGenerations(t *testing.T) {
	c := newClock()
	l := New(1, 2, c.now)
	allowed := 0
	for range 1000 {
		if l.Allow("a", 1) {
			allowed++
		}
		c.t = c.t.Add(100 * time.Millisecond)
	}
	if allowed < 100 || allowed > 102 {
		t.Errorf("%d of 1,000 allowed within 100 s; want 2 and 1 per second", allowed)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	c := newClock()
	l := New(0.001, 100, c.now) // A bucket takes a day to fill.
	for i := range 5 * maxKeys {
		l.Allow(fmt.Sprint(i), 1)
	}
	if n := len(l.young) + len(l.old); n > 2*maxKeys {
		t.Errorf("%d keys are held; want at most %d", n, 2*maxKeys)
	}
	c.t = c.t.Add(30 * 24 * time.Hour)
	l.Allow("a", 1)
	if n := len(l.young) + len(l.old); n != 1 {
		t.Errorf("%d keys are held when all but one are full again", n)
	}
}
