package authorizer

import (
	"context"
	"sync"
	"time"

	"github.com/sumu-live/sumu"
)

// retryWithoutKeys is how soon a failed fetch may be repeated when there is no
// key at all: nobody can connect until it succeeds.
const retryWithoutKeys = time.Second

// jwksCache is the source that [JWKS] and [Discover] return. It has no
// goroutine in the background, which a frozen Lambda would starve: a caller
// that needs keys fetches them.
type jwksCache struct {
	fetch  fetchFunc // called by one goroutine at a time
	opts   JWKSOptions
	issuer string // "": not known

	mu         sync.Mutex
	set        *keySet   // nil: never fetched
	freshUntil time.Time // the set is used without asking until then
	holdUntil  time.Time // no fetch before, after one that failed or did not find the key
	lastErr    error     // of the last fetch
	flight     *flight   // the fetch under way; nil: none
}

// flight is one fetch, shared by all who wait for it. err is set before done
// is closed.
type flight struct {
	done chan struct{}
	err  error
}

// Keys implements [KeySource].
func (c *jwksCache) Keys(ctx context.Context, kid string) ([]Key, error) {
	c.mu.Lock()
	keys := c.set.lookup(kid)
	now := c.now()
	if len(keys) > 0 && now.Before(c.freshUntil) {
		c.mu.Unlock()
		return keys, nil
	}
	f := c.flight
	switch {
	case f != nil && len(keys) > 0 && c.lastErr != nil:
		// The issuer did not answer the last time. One caller finds out whether
		// it does now; the others need not wait for the time-out.
		c.mu.Unlock()
		return keys, nil
	case f == nil && now.Before(c.holdUntil):
		err := c.lastErr
		c.mu.Unlock()
		return stale(keys, err)
	case f == nil:
		f = c.start(ctx)
	}
	c.mu.Unlock()

	select {
	case <-f.done:
	case <-ctx.Done():
		return nil, &sumu.Error{Op: "wait for keys", Kind: sumu.ErrUnavailable, Err: ctx.Err()}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if keys = c.set.lookup(kid); len(keys) == 0 && f.err == nil {
		c.hold(c.opts.RefetchInterval)
	}
	return stale(keys, f.err)
}

// stale answers with the keys that there are. A fetch that failed matters only
// to a token whose key is not among them: it may be a new one.
func stale(keys []Key, err error) ([]Key, error) {
	if len(keys) > 0 {
		return keys, nil
	}
	return nil, err
}

// start begins a fetch. It is cut loose from the caller's cancellation: the
// others who wait must not fail because the first one hung up. c.mu is held.
func (c *jwksCache) start(ctx context.Context) *flight {
	f := &flight{done: make(chan struct{})}
	c.flight = f
	ctx = context.WithoutCancel(ctx)
	go func() {
		set, age, err := c.fetch(ctx)
		if err != nil {
			c.opts.Logger.WarnContext(ctx, "key set not fetched", "error", err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		defer close(f.done)
		c.flight, c.lastErr, f.err = nil, err, err
		switch {
		case err == nil:
			c.set, c.freshUntil = set, c.now().Add(age)
		case c.set == nil:
			c.hold(min(c.opts.RefetchInterval, retryWithoutKeys))
		default:
			c.hold(c.opts.RefetchInterval)
		}
	}()
	return f
}

// hold lets no fetch begin for d. c.mu is held.
func (c *jwksCache) hold(d time.Duration) {
	c.holdUntil = c.now().Add(d)
}

// now is the wall clock: the monotonic one stands still while a Lambda is
// frozen, and keys would be used for longer than the issuer allows.
func (c *jwksCache) now() time.Time { return c.opts.Now().Round(0) }
