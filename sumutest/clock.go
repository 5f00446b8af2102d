package sumutest

import (
	"sync"
	"time"
)

// Clock is a clock for tests: it stands still until it is moved. The zero value
// begins at the present second, as of its first use.
//
//	clock := new(sumutest.Clock)
//	store := &memstore.Store{Now: clock.Now}
//	clock.Advance(3 * time.Hour) // Every row has expired.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock returns a clock that stands at now.
func NewClock(now time.Time) *Clock { return &Clock{now: now} }

// Now returns the time of the clock, for the options Now of other packages.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.begin()
	return c.now
}

// Advance moves the clock by d and returns its new time. A negative d moves it
// back, as the clocks of machines are at times.
func (c *Clock) Advance(d time.Duration) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.begin()
	c.now = c.now.Add(d)
	return c.now
}

// begin gives the zero value a time without a fraction of a second: what keeps
// seconds (tokens, rows) and what keeps more then agree. mu is held.
func (c *Clock) begin() {
	if c.now.IsZero() {
		c.now = time.Now().UTC().Truncate(time.Second)
	}
}
