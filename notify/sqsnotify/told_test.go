package sqsnotify_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/notify/sqsnotify"
)

// An outage, of handlers or of the queue, is told twice: when it begins and when
// it ends, whatever the number of pollers and tries.
func TestPollTellsOfAnOutageTwice(t *testing.T) {
	refused := &types.RequestThrottled{}
	for name, tt := range map[string]struct {
		fails func(op string) bool
		want  []string
	}{
		"of the store":             {func(op string) bool { return op == "handle" }, []string{"cannot be handled", "are handled again"}},
		"of the queue":             {func(op string) bool { return op == "receive" }, []string{"does not answer", "answers again"}},
		"of the store, then of it": {func(op string) bool { return op != "send" }, []string{"cannot be handled", "does not answer", "was not changed", "answers again", "are handled again"}},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				q := new(queue)
				q.put("a", "b", "c", "d", "e")
				var down atomic.Bool
				q.fault = func(op string, _ int) fault {
					if down.Load() && tt.fails(op) {
						return fault{err: refused}
					}
					return fault{}
				}
				var log bytes.Buffer
				p := poll(t, q, func(_ context.Context, batch ...sumu.Delivery) []sumu.Outcome {
					if down.Load() && tt.fails("handle") {
						return faulty(len(batch))
					}
					return make([]sumu.Outcome, len(batch))
				}, func(o *sqsnotify.PollOptions) {
					o.Pollers, o.Batch = 3, 5
					o.Logger = slog.New(slog.NewTextHandler(&log, nil))
				})
				time.Sleep(30 * time.Second) // All are asking.
				down.Store(true)
				q.put("f")
				time.Sleep(5 * time.Minute)
				down.Store(false)
				time.Sleep(2 * time.Minute)
				q.put("g")
				time.Sleep(time.Minute)
				synctest.Wait()
				p.end(t)
				if left := q.left(); len(left) > 0 {
					t.Errorf("left: %v", left)
				}
				lines := strings.Split(strings.TrimSpace(log.String()), "\n")
				if len(lines) > len(tt.want) {
					t.Errorf("log:\n%s", &log)
				}
				for _, want := range tt.want {
					if !strings.Contains(log.String(), want) {
						t.Errorf("%q is not in the log:\n%s", want, &log)
					}
				}
			})
		})
	}
}

// A permission that is taken away is waited for, once there was one: the process
// holds sockets.
func TestPollWaitsForItsPermission(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		q := new(queue)
		q.put("a")
		q.fault = func(op string, _ int) fault {
			if n := q.requests["receive"]; op == "receive" && 1 < n && n < 10 {
				return fault{err: &smithy.GenericAPIError{Code: "ExpiredToken", Fault: smithy.FaultClient}}
			}
			return fault{}
		}
		p := poll(t, q, handled)
		time.Sleep(2 * time.Minute)
		q.put("b")
		synctest.Wait()
		if left := q.left(); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
		p.end(t)
	})
	q := &queue{fault: func(string, int) fault {
		return fault{err: &smithy.GenericAPIError{Code: "AccessDenied", Fault: smithy.FaultClient}}
	}}
	if err := sqsnotify.Poll(t.Context(), q, queueURL, handled); !errors.Is(err, sumu.ErrForbidden) {
		t.Errorf("without any: %v", err)
	}
}

// mute is a queue whose first request for messages is never answered, as by a
// connection whose other end is gone.
type mute struct {
	*queue
	asked atomic.Bool
}

func (m *mute) ReceiveMessage(ctx context.Context, in *sqs.ReceiveMessageInput, optFns ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error) {
	if !m.asked.Swap(true) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return m.queue.ReceiveMessage(ctx, in, optFns...)
}

// A queue that does not answer is asked again.
func TestPollOutlivesARequest(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		q := &mute{queue: new(queue)}
		q.put("a")
		p := poll(t, q, handled)
		time.Sleep(time.Minute)
		synctest.Wait()
		if left := q.left(); len(left) > 0 {
			t.Errorf("after a minute %v are left", left)
		}
		p.end(t)
	})
}
