package sumutest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
)

// tally counts the notifications that were accepted and not yet settled.
type tally struct {
	mu      sync.Mutex
	pending int
	zero    chan struct{} // closed when pending becomes 0; nil: nobody waits
}

func (t *tally) add(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pending += n
	if t.pending == 0 && t.zero != nil {
		close(t.zero)
		t.zero = nil
	}
}

// wait returns what is closed when nothing is pending, and how much is.
func (t *tally) wait() (zero <-chan struct{}, pending int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.zero == nil {
		t.zero = make(chan struct{})
	}
	zero = t.zero
	if t.pending == 0 {
		close(t.zero)
		t.zero = nil
	}
	return zero, t.pending
}

// countingClient counts what a client accepts.
type countingClient struct {
	sumu.NotifyClient
	tally *tally
}

func (c countingClient) Send(ctx context.Context, n sumu.Notification) error {
	c.tally.add(1) // Before: it may be delivered before Send returns.
	err := c.NotifyClient.Send(ctx, n)
	if err != nil {
		c.tally.add(-1)
	}
	return err
}

// countingPusher counts what becomes of it: each notification is replaced by
// what remains of it, if anything.
type countingPusher struct {
	sumu.Pusher
	tally *tally
}

func (p countingPusher) Push(ctx context.Context, batch ...sumu.Notification) ([]sumu.Result, error) {
	results, err := p.Pusher.Push(ctx, batch...)
	n := -len(batch)
	for i := range results {
		n += len(results[i].Remainder)
	}
	p.tally.add(n)
	return results, err
}

// Settle returns when every notification that [Env.Client] has accepted so far
// was handed to the gateway or given up: a test can then look at
// [Recorder.Posts] or, with [Conn.ExpectNothing], at who got nothing. What
// presence is still to evaluate is not waited for. The test fails after
// [Options.Wait].
func (e *Env) Settle(tb testing.TB) {
	tb.Helper()
	zero, _ := e.tally.wait()
	select {
	case <-zero:
	case <-time.After(e.opts.Wait):
		_, pending := e.tally.wait()
		tb.Fatalf("sumutest: %d notifications are not settled in %v, after %d posts",
			pending, e.opts.Wait, len(e.Sender.Posts()))
	}
}
