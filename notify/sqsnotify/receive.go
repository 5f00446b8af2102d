package sqsnotify

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/envelope"
	"github.com/sumu-live/sumu/notify/internal/outbox"
)

// poller is what the pollers of one call of Poll share.
type poller struct {
	api      PollAPI
	queueURL string
	handle   Handler
	o        PollOptions

	// They live as long as the call of Poll.
	receiving context.Context // ends when no more is to be received
	working   context.Context // ends when handlers have to

	handling outage      // of what handlers need
	asking   outage      // of the queue
	answered atomic.Bool // it has answered once
}

// received is a message and what names it to SQS.
type received struct {
	sumu.Delivery
	handle string
}

const (
	receiveOp = "receive from SQS"
	// receiveTime is how long an answer may take beyond the time that SQS waits:
	// that of a connection whose other end is gone would never come.
	receiveTime = 20 * time.Second
)

// run receives and handles one batch after the other. It returns the error
// that makes further requests useless.
func (p *poller) run() error {
	for failures := 0; p.receiving.Err() == nil; {
		batch, err := p.receive()
		switch {
		case p.receiving.Err() != nil:
			p.release(batch)
		case err == nil:
			if failures > 0 {
				if lasted, last := p.asking.end(); last {
					p.o.Logger.Warn("sqs: the queue answers again", "after", lasted)
				}
			}
			failures = 0
			p.answered.Store(true)
			p.work(batch)
		case p.final(err):
			return err
		default:
			if failures == 0 && p.asking.begin() {
				p.o.Logger.Warn("sqs: the queue does not answer; it is asked until it does", "error", err)
			}
			p.pause(outbox.Backoff(100*time.Millisecond, 20*time.Second, failures))
			failures++
		}
	}
	return nil
}

// final reports whether further requests are useless. A permission that was
// there and is not, as that of credentials that have expired, may come again:
// the process may hold sockets, and should not end for it.
func (p *poller) final(err error) bool {
	return !sumu.Retryable(err) && !(errors.Is(err, sumu.ErrForbidden) && p.answered.Load())
}

// pause waits; it reports false when no more is to be received.
func (p *poller) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-p.receiving.Done():
	}
	return p.receiving.Err() == nil
}

func (p *poller) receive() ([]received, error) {
	ctx, cancel := context.WithTimeout(p.receiving, p.o.Wait+receiveTime)
	defer cancel()
	out, err := p.api.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl:              &p.queueURL,
		MaxNumberOfMessages:   int32(p.o.Batch),
		WaitTimeSeconds:       seconds(p.o.Wait),
		VisibilityTimeout:     seconds(p.o.Visibility),
		MessageAttributeNames: []string{"All"},
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{
			types.MessageSystemAttributeNameApproximateReceiveCount,
			types.MessageSystemAttributeNameSentTimestamp,
			types.MessageSystemAttributeNameMessageGroupId,
		},
	}, keepAnswer)
	if err != nil {
		return nil, outbox.Classify(receiveOp, err)
	}
	batch := make([]received, len(out.Messages))
	for i := range out.Messages {
		batch[i] = p.read(&out.Messages[i])
	}
	return batch, nil
}

func seconds(d time.Duration) int32 { return int32((d + time.Second - 1) / time.Second) }

func (p *poller) read(m *types.Message) received {
	r := received{handle: aws.ToString(m.ReceiptHandle), Delivery: sumu.Delivery{
		MessageID: aws.ToString(m.MessageId),
		Body:      []byte(aws.ToString(m.Body)),
		Group:     m.Attributes[string(types.MessageSystemAttributeNameMessageGroupId)],
		Receives:  1,
	}}
	if n, err := strconv.Atoi(m.Attributes[string(types.MessageSystemAttributeNameApproximateReceiveCount)]); err == nil {
		r.Receives = max(n, 1)
	}
	if ms, err := strconv.ParseInt(m.Attributes[string(types.MessageSystemAttributeNameSentTimestamp)], 10, 64); err == nil {
		r.SentAt = time.UnixMilli(ms)
	}
	// A topic that wraps its messages sets no attributes beside. A body that
	// comes with some was sent to the queue itself, perhaps by a client: taken
	// for an envelope it could claim to be from anybody.
	if len(m.MessageAttributes) == 0 && !p.o.Raw {
		if e, ok := envelope.Unwrap(aws.ToString(m.Body)); ok {
			r.Body, r.Attributes = []byte(e.Message), e.Attributes
		}
		return r
	}
	r.Attributes = make(map[string]string, len(m.MessageAttributes))
	for name, a := range m.MessageAttributes {
		if !strings.HasPrefix(aws.ToString(a.DataType), "Binary") {
			r.Attributes[name] = aws.ToString(a.StringValue)
		}
	}
	return r
}

// work has a batch handled and settles it.
func (p *poller) work(batch []received) {
	if len(batch) == 0 {
		return
	}
	p.settle(batch, p.outcomes(batch))
}

// outcomes has the batch handled, now or when that becomes possible, and
// returns one outcome for each of it. The batch is hidden meanwhile, no longer:
// that would hide again what is made visible on purpose.
func (p *poller) outcomes(batch []received) []sumu.Outcome {
	defer p.extend(batch)()
	outcomes := p.call(batch)
	if faults(outcomes, false) {
		return p.hold(batch, outcomes)
	}
	return outcomes
}

// call has the batch handled once, and returns one outcome for each of it.
func (p *poller) call(batch []received) (outcomes []sumu.Outcome) {
	ctx, cancel := context.WithTimeout(p.working, p.o.Timeout)
	defer cancel()
	// One batch must not end a process that handles others, and holds sockets.
	defer func() {
		if v := recover(); v != nil {
			cause := &sumu.PanicError{Value: v, Stack: debug.Stack()}
			p.o.Logger.Error("sqs: handler", "error", cause, "stack", string(cause.Stack))
			outcomes = all(len(batch), &sumu.Error{Op: "handler", Kind: sumu.ErrUnavailable, Err: cause})
		}
	}()
	deliveries := make([]sumu.Delivery, len(batch))
	for i := range batch {
		deliveries[i] = batch[i].Delivery
	}
	outcomes = p.handle(ctx, deliveries...)
	if len(outcomes) != len(batch) {
		err := &sumu.Error{Op: fmt.Sprintf("handler: %d outcomes for %d messages", len(outcomes), len(batch)), Kind: sumu.ErrInvalid}
		p.o.Logger.Error("sqs: outcomes", "error", err)
		return all(len(batch), err)
	}
	return slices.Clone(outcomes) // They are the handler's to keep.
}

func all(n int, err error) []sumu.Outcome {
	outcomes := make([]sumu.Outcome, n)
	for i := range outcomes {
		outcomes[i].Err = err
	}
	return outcomes
}
