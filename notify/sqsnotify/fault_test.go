package sqsnotify_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/notify/sqsnotify"
)

// Beside messages that are handled, or fail by themselves, a fault is no reason
// to stop: they are removed or return as ever, it waits for longer.
func TestPollPartOfABatchFaults(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		q := new(queue)
		q.put("good", "bad", "fault", "leased")
		start := time.Now()
		at := make(map[string][]time.Duration)
		p := poll(t, q, func(_ context.Context, batch ...sumu.Delivery) []sumu.Outcome {
			outcomes := make([]sumu.Outcome, len(batch))
			for i, d := range batch {
				body := string(d.Body)
				at[body] = append(at[body], time.Since(start))
				switch body {
				case "bad":
					outcomes[i].Err = errors.New("bad")
				case "fault":
					if d.Receives < 2 {
						outcomes[i] = sumu.Outcome{Err: errDown, Fault: true, RetryAfter: time.Second}
					}
				case "leased":
					if d.Receives < 2 {
						outcomes[i] = sumu.Outcome{Err: errDown, Fault: true, RetryAfter: 100 * time.Second}
					}
				}
			}
			return outcomes
		}, func(o *sqsnotify.PollOptions) { o.Batch, o.MaxBackoff = 10, 50*time.Second })
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if len(at["good"]) != 1 || at["bad"][1] > 2*time.Second {
			t.Errorf("handled at %v", at)
		}
		if want := 100 * time.Second; at["leased"][1] != want {
			t.Errorf("the leased one came again after %v, want %v", at["leased"][1], want)
		}
		if f := at["fault"]; f[1] < 15*time.Second || f[1] > 30*time.Second {
			t.Errorf("what has failed by a fault came again after %v, want 15 to 30 s", f[1])
		}
		p.end(t)
	})
}

// A lease that an earlier try has taken is waited for by the batch that holds it.
func TestPollHoldsForALease(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		q := new(queue)
		q.put("a", "b")
		start := time.Now()
		var at []time.Duration
		p := poll(t, q, func(_ context.Context, batch ...sumu.Delivery) []sumu.Outcome {
			at = append(at, time.Since(start))
			outcomes := make([]sumu.Outcome, len(batch))
			switch len(at) {
			case 1: // Begun, and not settled.
				for i := range outcomes {
					outcomes[i] = sumu.Outcome{Err: errDown, Fault: true, RetryAfter: 10 * time.Second}
				}
			case 2: // The clock of the records is behind.
				for i := range outcomes {
					outcomes[i] = sumu.Outcome{Err: errors.New("leased"), RetryAfter: 3 * time.Second}
				}
			}
			return outcomes
		})
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if want := []time.Duration{0, 10 * time.Second, 13 * time.Second}; !slices.Equal(at, want) {
			t.Errorf("handled at %v, want %v", at, want)
		}
		if n := q.receives()["m1"]; n != 1 || len(q.left()) > 0 {
			t.Errorf("received %d times, left %v", n, q.left())
		}
		p.end(t)
	})
}

// What is held is given back when Poll is to end, and at once.
func TestPollReleasesWhatItHolds(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		q := new(queue)
		q.put("a", "b")
		p := poll(t, q, func(_ context.Context, batch ...sumu.Delivery) []sumu.Outcome { return faulty(len(batch)) },
			func(o *sqsnotify.PollOptions) {
				o.Probe = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
			})
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if took := p.end(t); took > 0 {
			t.Errorf("it took %v to end", took)
		}
		for _, m := range q.messages {
			if m.visibleAt.After(time.Now()) {
				t.Errorf("%s is hidden for another %v", m.id, time.Until(m.visibleAt))
			}
		}
		if got := p.outcomes("m1"); len(got) != 1 || !errors.Is(got[0], sumu.ErrUnavailable) {
			t.Errorf("settled with %v", got)
		}
	})
}
