package sqsnotify_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/leak"
	"github.com/sumu-live/sumu/notify/sqsnotify"
)

// process is a consumer that can be killed: from then on it neither asks nor
// hears anything of the queue.
type process struct {
	*queue
	mu   sync.Mutex
	dead bool
}

var errDead = errors.New("the process is dead")

func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dead = true
}

func (p *process) err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dead {
		return errDead
	}
	return nil
}

// through makes a request unless the process is dead, and takes the answer from
// it if it has died meanwhile.
func through[I, O any](p *process, ctx context.Context, in I, call func(context.Context, I, ...func(*sqs.Options)) (O, error)) (out O, err error) {
	if err = p.err(); err == nil {
		out, err = call(ctx, in)
	}
	return out, errors.Join(err, p.err())
}

func (p *process) ReceiveMessage(ctx context.Context, in *sqs.ReceiveMessageInput, _ ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error) {
	return through(p, ctx, in, p.queue.ReceiveMessage)
}

func (p *process) DeleteMessageBatch(ctx context.Context, in *sqs.DeleteMessageBatchInput, _ ...func(*sqs.Options)) (*sqs.DeleteMessageBatchOutput, error) {
	return through(p, ctx, in, p.queue.DeleteMessageBatch)
}

func (p *process) ChangeMessageVisibilityBatch(ctx context.Context, in *sqs.ChangeMessageVisibilityBatchInput, _ ...func(*sqs.Options)) (*sqs.ChangeMessageVisibilityBatchOutput, error) {
	return through(p, ctx, in, p.queue.ChangeMessageVisibilityBatch)
}

// consumers are several processes that handle a queue: slowly, with errors and
// panics, and until they are killed or stopped at any time.
type consumers struct {
	t    *testing.T
	seed uint64
	q    *queue

	mu      sync.Mutex
	rand    *rand.Rand
	handled map[string]int // by body: how often a live process reported success
	down    time.Time      // until when what handlers need is out of reach
	last    bool           // no outage begins any more
	wg      sync.WaitGroup
}

// isDown reports whether there is an outage, of which some begin now.
func (c *consumers) isDown() bool {
	begins, lasts := c.chance(20), c.upTo(2*time.Hour)
	c.mu.Lock()
	defer c.mu.Unlock()
	if begins && !c.last {
		c.down = time.Now().Add(lasts)
	}
	return time.Now().Before(c.down)
}

func (c *consumers) chance(n int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rand.IntN(n) == 0
}

func (c *consumers) upTo(d time.Duration) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Duration(c.rand.Int64N(int64(d)))
}

// run starts a process that ends, in one way or another, after a while.
func (c *consumers) run(life time.Duration, killed bool) {
	p := &process{queue: c.q}
	ctx, stop := context.WithTimeout(c.t.Context(), life)
	var reported sync.Map // what the process believes to be removed
	c.wg.Go(func() {
		defer stop()
		if killed {
			defer context.AfterFunc(ctx, p.kill)()
		}
		err := sqsnotify.Poll(ctx, p, queueURL, func(ctx context.Context, msgs ...sumu.Delivery) []sumu.Outcome {
			return c.handle(ctx, p, msgs...)
		}, func(o *sqsnotify.PollOptions) {
			o.Pollers, o.Visibility, o.Timeout, o.Grace = 2, 6*time.Second, time.Minute, 5*time.Second
			if c.chance(2) {
				o.Probe = func(context.Context) error {
					c.mu.Lock()
					defer c.mu.Unlock()
					if time.Now().Before(c.down) {
						return errDown
					}
					return nil
				}
			}
			o.Logger = slog.New(slog.DiscardHandler)
			o.Settled = func(_ context.Context, m sumu.Delivery, err error) {
				if err == nil {
					reported.Store(m.MessageID, true)
				}
			}
		})
		if err != nil {
			c.t.Errorf("seed %d: Poll: %v", c.seed, err)
		}
		reported.Range(func(id, _ any) bool {
			// With a handle that is not the last one SQS removes nothing, and does not say so.
			if !c.q.wasRemoved(id.(string)) && !c.q.ignored(id.(string)) {
				c.t.Errorf("seed %d: %s is reported as removed and was not", c.seed, id)
			}
			return true
		})
	})
}

func (c *consumers) handle(ctx context.Context, p *process, msgs ...sumu.Delivery) []sumu.Outcome {
	select {
	case <-time.After(c.upTo(20 * time.Second)):
	case <-ctx.Done():
	}
	if c.chance(20) {
		panic("oops")
	}
	if c.isDown() {
		return faulty(len(msgs))
	}
	errs := make([]sumu.Outcome, len(msgs))
	for i, m := range msgs {
		switch {
		case c.chance(5):
			errs[i].Err = errors.New("not now")
		case p.err() == nil:
			c.mu.Lock()
			c.handled[string(m.Body)]++
			c.mu.Unlock()
		}
	}
	return errs
}

// faults makes one of 8 requests fail, before or after it was done, and one of
// 8 entries.
func (c *consumers) faults(_ string, entries int) fault {
	var f fault
	if c.chance(8) {
		f.err, f.lost = &types.RequestThrottled{}, c.chance(2)
	}
	for i := range entries {
		if c.chance(8) {
			if f.entries == nil {
				f.entries = make(map[int]types.BatchResultErrorEntry)
			}
			f.entries[i] = types.BatchResultErrorEntry{Code: aws.String("InternalError")}
		}
	}
	return f
}

// Whatever happens to processes, requests and handlers, a message is removed
// only once it was handled, and every one is handled in the end.
func TestNothingIsLost(t *testing.T) {
	seeds := uint64(60)
	if os.Getenv("SUMU_SLOW") == "1" {
		seeds = 3000
	}
	leak.Check(t)
	for seed := range seeds {
		synctest.Test(t, func(t *testing.T) {
			c := &consumers{t: t, seed: seed, q: new(queue), rand: rand.New(rand.NewPCG(seed, 7)), handled: make(map[string]int)}
			c.q.fault = c.faults
			const messages = 40
			for i := range messages {
				c.q.put(fmt.Sprint("body", i))
			}
			for range 8 {
				c.run(time.Second+c.upTo(40*time.Second), c.chance(2))
				time.Sleep(c.upTo(15 * time.Second))
			}
			c.wg.Wait()
			c.q.mu.Lock()
			for _, m := range c.q.removed {
				if c.handled[m.body] == 0 {
					t.Errorf("seed %d: %s was removed and never handled", seed, m.id)
				}
			}
			c.q.mu.Unlock()
			// Then one that nobody kills: it finds all the rest.
			c.last = true
			c.run(6*time.Hour, false)
			c.wg.Wait()
			if left := c.q.left(); len(left) > 0 || len(c.handled) != messages {
				t.Errorf("seed %d: %d of %d were handled, left %v", seed, len(c.handled), messages, left)
			}
		})
	}
}
