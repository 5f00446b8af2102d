package sqsnotify_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sumu-live/sumu"
)

var errDown = &sumu.Error{Op: "store", Kind: sumu.ErrUnavailable}

// faulty are outcomes of a batch that could not be handled for want of a store.
func faulty(n int) []sumu.Outcome {
	outcomes := make([]sumu.Outcome, n)
	for i := range outcomes {
		outcomes[i] = sumu.Outcome{Err: errDown, Fault: true}
	}
	return outcomes
}

// receives is how often each message that was removed or is left was received.
func (q *queue) receives() map[string]int {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := make(map[string]int)
	for _, list := range [][]*stored{q.messages, q.removed} {
		for _, m := range list {
			n[m.id] = m.receives
		}
	}
	return n
}

// An outage of what any message needs spends none of the receives that the
// queue allows to a bad one.
func TestPollHoldsThroughAnOutage(t *testing.T) {
	for name, outage := range map[string]time.Duration{"of 50 s": 50 * time.Second, "of 8 min": 8 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				q := new(queue)
				for range 15 {
					q.put("body")
				}
				back := time.Now().Add(outage)
				p := poll(t, q, func(_ context.Context, batch ...sumu.Delivery) []sumu.Outcome {
					if time.Now().Before(back) {
						return faulty(len(batch))
					}
					return make([]sumu.Outcome, len(batch))
				})
				time.Sleep(outage + time.Minute)
				synctest.Wait()
				if left := q.left(); len(left) > 0 {
					t.Errorf("a minute after the outage %v are left", left)
				}
				for id, n := range q.receives() {
					if n != 1 {
						t.Errorf("%s was received %d times", id, n)
					}
				}
				p.end(t)
				for id, outcomes := range p.settled {
					if len(outcomes) != 1 || outcomes[0] != nil {
						t.Errorf("%s: settled with %v", id, outcomes)
					}
				}
			})
		})
	}
}
