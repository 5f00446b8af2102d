package sqsnotify_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/leak"
	"github.com/sumu-live/sumu/notify/sqsnotify"
)

// polling is a call of Poll and what it reports.
type polling struct {
	stop    context.CancelFunc
	ended   chan error
	mu      sync.Mutex
	settled map[string][]error // by the message's id
}

func poll(t *testing.T, api sqsnotify.PollAPI, handle sqsnotify.Handler, optFns ...func(*sqsnotify.PollOptions)) *polling {
	ctx, stop := context.WithCancel(t.Context())
	p := &polling{stop: stop, ended: make(chan error, 1), settled: make(map[string][]error)}
	quiet := func(o *sqsnotify.PollOptions) { o.Logger = slog.New(slog.DiscardHandler) }
	optFns = append(append([]func(*sqsnotify.PollOptions){quiet}, optFns...), func(o *sqsnotify.PollOptions) {
		o.Settled = func(_ context.Context, m sumu.Delivery, err error) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.settled[m.MessageID] = append(p.settled[m.MessageID], err)
		}
	})
	go func() { p.ended <- sqsnotify.Poll(ctx, api, queueURL, handle, optFns...) }()
	return p
}

// end stops it and returns how long it took to end.
func (p *polling) end(t *testing.T) time.Duration {
	t.Helper()
	start := time.Now()
	p.stop()
	if err := <-p.ended; err != nil {
		t.Errorf("Poll: %v", err)
	}
	return time.Since(start)
}

func (p *polling) outcomes(id string) []error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.settled[id])
}

func handled(_ context.Context, msgs ...sumu.Delivery) []sumu.Outcome {
	return make([]sumu.Outcome, len(msgs))
}

// inBubble runs a test with a clock of its own, in which a goroutine that is
// left behind fails it.
func inBubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	leak.Check(t)
	synctest.Test(t, f)
}

func TestPollHandles(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		q := new(queue)
		for i := range 25 {
			q.put(fmt.Sprint("body", i))
		}
		var mu sync.Mutex
		var got []string
		p := poll(t, q, func(_ context.Context, msgs ...sumu.Delivery) []sumu.Outcome {
			mu.Lock()
			defer mu.Unlock()
			for _, m := range msgs {
				got = append(got, string(m.Body))
				if m.Receives != 1 || m.SentAt.IsZero() || m.MessageID == "" {
					t.Errorf("message %+v", m)
				}
			}
			return make([]sumu.Outcome, len(msgs))
		})
		synctest.Wait()
		if len(got) != 25 || len(q.left()) > 0 || q.count("delete") != 3 {
			t.Errorf("%d handled, %d left, removed in %d requests", len(got), len(q.left()), q.count("delete"))
		}
		if took := p.end(t); took > 0 {
			t.Errorf("an idle Poll took %v to end", took)
		}
		for id, outcomes := range p.settled {
			if len(outcomes) != 1 || outcomes[0] != nil {
				t.Errorf("%s: %v", id, outcomes)
			}
		}
		if len(p.settled) != 25 {
			t.Errorf("%d are settled", len(p.settled))
		}
	})
}

// Failed messages come again, later each time; those beside them do not.
func TestPollOutcomes(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		q := new(queue)
		q.put("good", "bad", "good")
		start := time.Now()
		var at []time.Duration
		handle := func(_ context.Context, msgs ...sumu.Delivery) []sumu.Outcome {
			errs := make([]sumu.Outcome, len(msgs))
			for i, m := range msgs {
				if string(m.Body) == "bad" {
					at = append(at, time.Since(start))
					if m.Receives != len(at) {
						t.Errorf("receive %d counts as %d", len(at), m.Receives)
					}
					errs[i].Err = errors.New("not now")
				}
			}
			return errs
		}
		p := poll(t, q, handle, func(o *sqsnotify.PollOptions) { o.Backoff, o.MaxBackoff = 4*time.Second, 10*time.Second })
		time.Sleep(time.Minute)
		synctest.Wait()
		if want := []string{"m2"}; !slices.Equal(q.left(), want) {
			t.Errorf("left: %v", q.left())
		}
		for i, bounds := range [][2]time.Duration{{2, 4}, {4, 8}, {5, 10}, {5, 10}} {
			if gap := at[i+1] - at[i]; gap < bounds[0]*time.Second || gap > bounds[1]*time.Second {
				t.Errorf("pause %d is %v, want %d to %d s", i, gap, bounds[0], bounds[1])
			}
		}
		p.end(t)
		if p.settled["m1"][0] != nil || p.settled["m3"][0] != nil || p.settled["m2"][0] == nil {
			t.Errorf("settled: %v", p.settled)
		}
	})
}

func TestPollRetryAfter(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		q := new(queue)
		q.put("m")
		start := time.Now()
		var at []time.Duration
		p := poll(t, q, func(context.Context, ...sumu.Delivery) []sumu.Outcome {
			at = append(at, time.Since(start))
			if len(at) == 1 {
				return []sumu.Outcome{{Err: errors.New("leased"), RetryAfter: 47 * time.Second}}
			}
			return []sumu.Outcome{{}}
		})
		time.Sleep(time.Minute)
		synctest.Wait()
		if want := []time.Duration{0, 47 * time.Second}; !slices.Equal(at, want) {
			t.Errorf("handled at %v, want %v", at, want)
		}
		p.end(t)
		if got := p.settled["m1"]; len(got) != 2 || got[0].Error() != "leased" {
			t.Errorf("settled: %v", got)
		}
	})
}

// A handler may take longer than its messages are hidden.
func TestPollExtends(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		q := new(queue)
		q.put("a", "b")
		calls := 0
		p := poll(t, q, func(_ context.Context, msgs ...sumu.Delivery) []sumu.Outcome {
			calls++
			time.Sleep(200 * time.Second)
			return make([]sumu.Outcome, len(msgs))
		}, func(o *sqsnotify.PollOptions) { o.Visibility, o.Pollers = 30*time.Second, 3 })
		time.Sleep(300 * time.Second)
		synctest.Wait()
		if calls != 1 || len(q.left()) > 0 {
			t.Errorf("%d calls, left %v", calls, q.left())
		}
		if got := q.count("visibility"); got != 19 && got != 20 {
			t.Errorf("extended %d times in 200 s, want every 10 s", got)
		}
		p.end(t)
	})
}

// What was handled but could not be removed is not reported as handled.
func TestPollReportsFailedRemovals(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		q := new(queue)
		gone := types.BatchResultErrorEntry{Code: aws.String("ReceiptHandleIsInvalid"), SenderFault: true}
		busy := types.BatchResultErrorEntry{Code: aws.String("InternalError")}
		q.fault = func(op string, _ int) fault {
			switch {
			case op != "delete":
				return fault{}
			case q.requests["delete"] == 1:
				return fault{entries: map[int]types.BatchResultErrorEntry{0: gone, 1: busy}}
			}
			return fault{}
		}
		q.put("a", "b", "c")
		p := poll(t, q, handled)
		time.Sleep(time.Second)
		synctest.Wait()
		if got := p.outcomes("m1"); len(got) != 1 || !errors.Is(got[0], sumu.ErrInvalid) {
			t.Errorf("m1, whose handle is invalid: %v", got)
		}
		for _, id := range []string{"m2", "m3"} {
			if got := p.outcomes(id); len(got) != 1 || got[0] != nil {
				t.Errorf("%s: %v", id, got)
			}
		}
		time.Sleep(30 * time.Second) // m1 is visible again.
		synctest.Wait()
		if got := p.outcomes("m1"); len(got) != 2 || got[1] != nil || len(q.left()) > 0 {
			t.Errorf("m1 the second time: %v, left %v", got, q.left())
		}
		p.end(t)
	})
}
