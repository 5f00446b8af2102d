package sqsnotify_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/notify/sqsnotify"
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

// A held batch asks Probe, and is not handled while that fails.
func TestPollProbes(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		q := new(queue)
		q.put("a", "b")
		var down atomic.Bool
		down.Store(true)
		var calls, probes atomic.Int64
		p := poll(t, q, func(_ context.Context, batch ...sumu.Delivery) []sumu.Outcome {
			calls.Add(1)
			if down.Load() {
				return faulty(len(batch))
			}
			return make([]sumu.Outcome, len(batch))
		}, func(o *sqsnotify.PollOptions) {
			o.Probe = func(ctx context.Context) error {
				if probes.Add(1) == 2 {
					<-ctx.Done() // It hangs: the time of a handler is all that it has.
					return ctx.Err()
				}
				if down.Load() {
					return errDown
				}
				return nil
			}
		})
		time.Sleep(6 * time.Hour)
		synctest.Wait()
		if calls.Load() != 1 || probes.Load() < 700 {
			t.Errorf("in an outage of 6 h the batch was handled %d times, after %d probes", calls.Load(), probes.Load())
		}
		down.Store(false)
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if calls.Load() != 2 || len(q.left()) > 0 || q.receives()["m1"] != 1 {
			t.Errorf("handled %d times, left %v, received %v", calls.Load(), q.left(), q.receives())
		}
		p.end(t)
	})
}

// However long the outage: a message is received again before SQS forgets who has it.
func TestPollHoldsForElevenHours(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		q := new(queue)
		q.put("a")
		p := poll(t, q, func(_ context.Context, batch ...sumu.Delivery) []sumu.Outcome { return faulty(len(batch)) },
			func(o *sqsnotify.PollOptions) { o.Probe = func(context.Context) error { return errDown } })
		time.Sleep(10*time.Hour + 59*time.Minute)
		synctest.Wait()
		if n := q.receives()["m1"]; n != 1 {
			t.Errorf("received %d times", n)
		}
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if n := q.receives()["m1"]; n != 2 {
			t.Errorf("after 11 hours received %d times, want 2", n)
		}
		p.end(t)
	})
}

// A bad record looks like an outage. It ends in the dead letters, and the
// poller goes on with others.
func TestPollBlamesTheMessage(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		q := new(queue)
		q.put("bad")
		probe, first := 0, 0
		p := poll(t, q, func(_ context.Context, batch ...sumu.Delivery) []sumu.Outcome {
			if string(batch[0].Body) == "bad" {
				if batch[0].Receives == 1 {
					first = probe
				}
				return faulty(len(batch))
			}
			return make([]sumu.Outcome, len(batch))
		}, func(o *sqsnotify.PollOptions) {
			o.Batch = 1
			o.Probe = func(context.Context) error {
				if probe++; probe == 3 { // The tries before do not count.
					return errDown
				}
				return nil
			}
		})
		synctest.Wait()
		q.put("good")
		time.Sleep(4 * time.Minute)
		synctest.Wait()
		if !q.wasRemoved("m2") {
			t.Error("the good one waits")
		}
		if first != 8 {
			t.Errorf("given back after %d probes, want 2, one that fails, and 5", first)
		}
		for range 5 {
			time.Sleep(4 * time.Minute)
		}
		if n := q.receives()["m1"]; n < 5 {
			t.Errorf("in 24 minutes the bad one was received %d times", n)
		}
		p.end(t)
	})
}

// Without Probe nobody knows whether the message is to blame: five receives
// last an hour, and no poller is held for ever.
func TestPollBlind(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		q := new(queue)
		q.put("a")
		p := poll(t, q, func(_ context.Context, batch ...sumu.Delivery) []sumu.Outcome { return faulty(len(batch)) })
		time.Sleep(11 * time.Minute)
		synctest.Wait()
		if n := q.receives()["m1"]; n != 2 {
			t.Errorf("after 11 minutes received %d times, want 2", n)
		}
		time.Sleep(45 * time.Minute)
		synctest.Wait()
		if n := q.receives()["m1"]; n > 5 {
			t.Errorf("after 56 minutes received %d times", n)
		}
		p.end(t)
	})
}

// A Probe that panics tells nothing.
func TestPollSurvivesItsProbe(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		q := new(queue)
		q.put("a")
		calls := 0
		var log bytes.Buffer
		p := poll(t, q, func(_ context.Context, batch ...sumu.Delivery) []sumu.Outcome {
			if calls++; calls == 1 {
				return faulty(len(batch))
			}
			return make([]sumu.Outcome, len(batch))
		}, func(o *sqsnotify.PollOptions) {
			o.Probe = func(context.Context) error { panic("secret") }
			o.Logger = slog.New(slog.NewTextHandler(&log, nil))
		})
		time.Sleep(time.Second)
		synctest.Wait()
		if !q.wasRemoved("m1") || !strings.Contains(log.String(), "panic of type string") || strings.Contains(log.String(), "secret") {
			t.Errorf("left %v, log %s", q.left(), &log)
		}
		p.end(t)
	})
}

// What waits for one target, as a group does whose connection is on a dead node,
// names its time: it keeps no poller from the messages of others.
func TestPollHoldsNothingThatNamesItsTime(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		q := new(queue)
		q.put("waits", "behind it")
		p := poll(t, q, func(_ context.Context, batch ...sumu.Delivery) []sumu.Outcome {
			outcomes := faulty(len(batch))
			for i, d := range batch {
				switch string(d.Body) {
				case "waits":
					outcomes[i].RetryAfter = 10 * time.Minute
				case "good":
					outcomes[i] = sumu.Outcome{}
				}
			}
			return outcomes
		}, func(o *sqsnotify.PollOptions) {
			o.Probe = func(context.Context) error { return nil }
		})
		synctest.Wait()
		q.put("good")
		time.Sleep(time.Second)
		synctest.Wait()
		if !q.wasRemoved("m3") {
			t.Error("after a second the message of another waits for the only poller")
		}
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if n := q.receives()["m1"]; n != 1 {
			t.Errorf("what waits 10 min was received %d times in 5", n)
		}
		p.end(t)
	})
}
