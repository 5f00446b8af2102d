package pipeline

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/sumu-live/sumu"
)

// ledger is what the posts of processes came to, call by call of the worker's
// Handle. Each call is of one message.
type ledger struct {
	calls chan *call
	begun atomic.Int64 // posts
}

// call is one call of a worker.
type call struct {
	answered map[post]int // the worker knows that they arrived
	unknown  map[post]int // no answer came: they may have arrived
	settled  bool         // nobody posts the message again
	result   sumu.Result
}

type callKey struct{}

// open begins a call. Without a ledger it is nil.
func (w *wire) open(ctx context.Context) (context.Context, *call) {
	if w.ledger == nil {
		return ctx, nil
	}
	c := &call{answered: make(map[post]int), unknown: make(map[post]int)}
	return context.WithValue(ctx, callKey{}, c), c
}

// book enters a post into the call that made it. No answer is a response of nil.
func (w *wire) book(ctx context.Context, p post, resp *http.Response) {
	c, ok := ctx.Value(callKey{}).(*call)
	if !ok {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case resp == nil:
		c.unknown[p]++
	case resp.StatusCode < 300:
		c.answered[p]++
	}
}

// settle ends a call.
func (w *wire) settle(c *call, o sumu.Outcome) {
	if c == nil {
		return
	}
	c.settled, c.result = o.Err == nil || o.Result.ID != "", o.Result
	w.ledger.calls <- c
}

// figures are the ledger's sums.
type figures struct {
	settled   map[post]int // answered in a call that was settled
	unsettled map[post]int // answered, but the worker does not know that it could settle
	unknown   map[post]int
	delivered map[string]int // by the results, of each notification

	calls, unsettledCalls, posts, lost int
}

// close returns the sums, once no process calls any more. The results must add up.
func (l *ledger) close(t *testing.T) *figures {
	t.Helper()
	close(l.calls)
	f := &figures{
		settled: make(map[post]int), unsettled: make(map[post]int), unknown: make(map[post]int),
		delivered: make(map[string]int),
	}
	for c := range l.calls {
		r := &c.result
		if r.Delivered+r.Gone+r.Failed+r.Requeued != r.Targets {
			t.Errorf("a result does not add up: %+v", r)
		}
		f.delivered[r.ID] += r.Delivered
		f.calls++
		into := f.settled
		if !c.settled {
			into = f.unsettled
			f.unsettledCalls++
		}
		for p, n := range c.answered {
			into[p] += n
			f.posts += n
		}
		for p, n := range c.unknown {
			f.unknown[p] += n
			f.lost += n
		}
	}
	return f
}
