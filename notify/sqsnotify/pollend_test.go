package sqsnotify_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/notify/sqsnotify"
)

func TestPollEndsGracefully(t *testing.T) {
	for name, tt := range map[string]struct {
		takes, grace, want time.Duration
		removed            bool
	}{
		"within the grace": {10 * time.Second, 30 * time.Second, 10 * time.Second, true},
		"cut short":        {time.Minute, 30 * time.Second, 30 * time.Second, false},
		"no grace":         {time.Minute, -1, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				q := new(queue)
				q.put("a")
				p := poll(t, q, func(ctx context.Context, msgs ...sumu.Delivery) []sumu.Outcome {
					select {
					case <-time.After(tt.takes):
						return make([]sumu.Outcome, len(msgs))
					case <-ctx.Done():
						return []sumu.Outcome{{Err: ctx.Err()}}
					}
				}, func(o *sqsnotify.PollOptions) { o.Grace, o.Timeout = tt.grace, time.Minute })
				synctest.Wait()
				q.put("b") // The only poller is busy; then it is to receive no more.
				if got := p.end(t); got != tt.want {
					t.Errorf("it took %v to end, want %v", got, tt.want)
				}
				if q.wasRemoved("m1") != tt.removed || q.wasRemoved("m2") {
					t.Errorf("left: %v", q.left())
				}
				q.mu.Lock()
				defer q.mu.Unlock()
				for _, m := range q.messages {
					if m.visibleAt.After(time.Now()) {
						t.Errorf("%s is hidden for another %v", m.id, time.Until(m.visibleAt))
					}
				}
			})
		})
	}
}

func TestPollReleasesWhatCameTooLate(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		q := new(queue)
		q.put("a", "b")
		ctx, stop := context.WithCancel(t.Context())
		q.fault = func(op string, _ int) fault {
			if op == "receive" {
				stop()
			}
			return fault{}
		}
		err := sqsnotify.Poll(ctx, q, queueURL, func(context.Context, ...sumu.Delivery) []sumu.Outcome {
			t.Error("they are handled")
			return nil
		})
		if err != nil || q.messages[0].receives != 1 {
			t.Fatalf("got %v, %d receives", err, q.messages[0].receives)
		}
		for _, m := range q.messages {
			if m.visibleAt.After(time.Now()) {
				t.Errorf("%s is hidden", m.id)
			}
		}
	})
}

func TestPollSurvives(t *testing.T) {
	for name, tt := range map[string]struct {
		handle sqsnotify.Handler
		logged string
	}{
		"a panic": {func(_ context.Context, msgs ...sumu.Delivery) []sumu.Outcome { panic(string(msgs[0].Body)) }, "panic of type string"},
		"a run-time error": {func(_ context.Context, msgs ...sumu.Delivery) []sumu.Outcome {
			return make([]sumu.Outcome, len(msgs[7].Body))
		}, "out of range"},
		"no outcomes":       {func(context.Context, ...sumu.Delivery) []sumu.Outcome { return nil }, "0 outcomes for 2"},
		"too many outcomes": {func(context.Context, ...sumu.Delivery) []sumu.Outcome { return make([]sumu.Outcome, 3) }, "3 outcomes for 2"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				q := new(queue)
				q.put("secret a", "secret b")
				var log bytes.Buffer
				calls := 0
				p := poll(t, q, func(ctx context.Context, msgs ...sumu.Delivery) []sumu.Outcome {
					if calls++; calls == 1 {
						return tt.handle(ctx, msgs...)
					}
					return handled(ctx, msgs...)
				}, func(o *sqsnotify.PollOptions) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
				time.Sleep(time.Minute)
				p.end(t)
				for _, id := range []string{"m1", "m2"} {
					if got := p.settled[id]; len(got) != 2 || got[0] == nil || got[1] != nil {
						t.Errorf("%s: %v", id, got)
					}
				}
				if !strings.Contains(log.String(), tt.logged) || strings.Contains(log.String(), "secret") {
					t.Errorf("log: %s", &log)
				}
			})
		})
	}
}

func TestPollReceiveErrors(t *testing.T) {
	inBubble(t, func(t *testing.T) { // What may pass is waited for.
		q := new(queue)
		q.put("a")
		q.fault = func(op string, _ int) fault {
			if op == "receive" && q.requests["receive"] < 4 {
				return fault{err: []error{errors.New("reset"), &types.RequestThrottled{}, &types.OverLimit{}}[q.requests["receive"]-1]}
			}
			return fault{}
		}
		p := poll(t, q, handled)
		time.Sleep(time.Second)
		if !q.wasRemoved("m1") {
			t.Error("it is not handled")
		}
		p.end(t)
	})
	inBubble(t, func(t *testing.T) { // What cannot ends it, once handlers are done.
		q := new(queue)
		q.put("a")
		missing := &types.QueueDoesNotExist{}
		q.fault = func(op string, _ int) fault {
			if op == "receive" && q.requests["receive"] > 1 {
				return fault{err: missing}
			}
			return fault{}
		}
		err := sqsnotify.Poll(t.Context(), q, queueURL, func(_ context.Context, msgs ...sumu.Delivery) []sumu.Outcome {
			time.Sleep(time.Second)
			return make([]sumu.Outcome, len(msgs))
		}, func(o *sqsnotify.PollOptions) { o.Pollers = 4 })
		if !errors.Is(err, sumu.ErrInvalid) || !errors.Is(err, missing) || !q.wasRemoved("m1") {
			t.Errorf("got %v, left %v", err, q.left())
		}
	})
}

func TestPollReportsAllThatIsWrong(t *testing.T) {
	err := sqsnotify.Poll(t.Context(), nil, "", nil, func(o *sqsnotify.PollOptions) {
		o.Pollers, o.Batch, o.Wait, o.Visibility, o.Timeout, o.Backoff, o.MaxBackoff = -1, 11, time.Hour, time.Second, 1, -1, 1
	})
	for _, want := range []string{"client", "URL", "handler", "Pollers", "Batch", "Wait", "Visibility", "Timeout", "Backoff", "MaxBackoff"} {
		if !errors.Is(err, sumu.ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not tell of %s", err, want)
		}
	}
}

// The caller's own func may panic, and the handler keep its outcomes.
func TestPollSurvivesItsCaller(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		q := new(queue)
		q.fault = func(op string, _ int) fault {
			if op == "delete" && q.requests["delete"] == 1 {
				return fault{entries: map[int]types.BatchResultErrorEntry{0: {Code: aws.String("ReceiptHandleIsInvalid"), SenderFault: true}}}
			}
			return fault{}
		}
		q.put("a", "b")
		ctx, stop := context.WithCancel(t.Context())
		outcomes := make([]sumu.Outcome, 2)
		reported := 0
		var cause *sumu.PanicError
		err := sqsnotify.Poll(ctx, q, queueURL, func(_ context.Context, msgs ...sumu.Delivery) []sumu.Outcome {
			if msgs[0].Receives == 2 {
				panic("again")
			}
			return outcomes
		}, func(o *sqsnotify.PollOptions) {
			o.Settled = func(_ context.Context, _ sumu.Delivery, err error) {
				if reported++; errors.As(err, &cause) {
					stop()
				}
				panic("oops")
			}
		})
		if err != nil || reported != 3 || outcomes[0].Err != nil || cause == nil || cause.Value != "again" || len(cause.Stack) == 0 {
			t.Errorf("got %v, %d reports, outcomes %v, cause %+v", err, reported, outcomes, cause)
		}
	})
}

// A handler is told when its time is up, and its messages come again.
func TestPollTimesOut(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		q := new(queue)
		q.put("a")
		var took []time.Duration
		p := poll(t, q, func(ctx context.Context, _ ...sumu.Delivery) []sumu.Outcome {
			start := time.Now()
			<-ctx.Done()
			took = append(took, time.Since(start))
			if len(took) == 1 {
				return []sumu.Outcome{{Err: ctx.Err()}}
			}
			return []sumu.Outcome{{}} // It was just done.
		}, func(o *sqsnotify.PollOptions) { o.Timeout = 40 * time.Second })
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if want := []time.Duration{40 * time.Second, 40 * time.Second}; !slices.Equal(took, want) || !q.wasRemoved("m1") {
			t.Errorf("handlers had %v, want %v; left %v", took, want, q.left())
		}
		p.end(t)
		if got := p.settled["m1"]; !errors.Is(got[0], context.DeadlineExceeded) || got[1] != nil {
			t.Errorf("settled: %v", got)
		}
	})
}

// What a handler begins is over before its messages are another consumer's: a
// pusher.Worker leases them for 5 s more than it is given.
func TestPollTimeoutFollowsVisibility(t *testing.T) {
	for visibility, want := range map[time.Duration]time.Duration{
		0:                25 * time.Second,
		10 * time.Second: 5 * time.Second,
		3 * time.Second:  1500 * time.Millisecond,
		12 * time.Hour:   11 * time.Hour,
	} {
		t.Run(visibility.String(), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				q := new(queue)
				q.put("body")
				var got time.Duration
				p := poll(t, q, func(ctx context.Context, batch ...sumu.Delivery) []sumu.Outcome {
					deadline, _ := ctx.Deadline()
					got = time.Until(deadline)
					return make([]sumu.Outcome, len(batch))
				}, func(o *sqsnotify.PollOptions) { o.Visibility = visibility })
				synctest.Wait()
				p.end(t)
				if got != want {
					t.Errorf("a handler has %v, want %v", got, want)
				}
			})
		})
	}
}
