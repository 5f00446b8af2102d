package memstore_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/connstore/storetest"
	"github.com/sumu-live/sumu/internal/leak"
)

// clock stands still unless it is moved.
type clock struct{ ns atomic.Int64 }

func newClock() *clock {
	c := new(clock)
	c.ns.Store(time.Date(2026, 11, 1, 12, 0, 0, 700_000_000, time.UTC).UnixNano())
	return c
}

func (c *clock) now() time.Time          { return time.Unix(0, c.ns.Load()) }
func (c *clock) advance(d time.Duration) { c.ns.Add(int64(d)) }

func TestStore(t *testing.T) {
	leak.Check(t)
	clock := newClock()
	storetest.Run(t, func(*testing.T) sumu.Store {
		return &memstore.Store{Now: clock.now}
	}, storetest.Features{
		Touch: true, Sweep: true, Changes: true, Presence: true,
		State: true, Cap: true, Refresh: true,
		Channels: true, Subscriptions: true,
		Now: clock.now, Advance: clock.advance,
	})
}

func TestStoreWithItsDefaults(t *testing.T) {
	leak.Check(t)
	storetest.Run(t, func(*testing.T) sumu.Store {
		return new(memstore.Store)
	}, storetest.Features{
		Touch: true, Sweep: true, Changes: true, Presence: true,
		State: true, Cap: true, Refresh: true,
		Channels: true, Subscriptions: true,
	})
}
