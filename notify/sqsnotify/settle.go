package sqsnotify

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/notify/internal/outbox"
)

// settleTime bounds the requests after a handler, also when Poll is to end.
const settleTime = 10 * time.Second

// settleLimits are those of the requests that delete messages or change how
// long they are hidden.
var settleLimits = outbox.Limits{Count: maxEntries, Tries: 4, Backoff: 100 * time.Millisecond}

// visibility asks for a message to be hidden for a while from now on.
type visibility struct {
	handle  string
	seconds int32
}

// settle removes what was handled, and has the rest come again.
func (p *poller) settle(batch []received, outcomes []sumu.Outcome) {
	// The batch is settled whether or not Poll is to end.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(p.working), settleTime)
	defer cancel()
	var done []int
	var failed []visibility
	for i := range outcomes {
		if outcomes[i].Err == nil {
			done = append(done, i)
		} else {
			failed = append(failed, visibility{batch[i].handle, seconds(p.until(&batch[i], &outcomes[i]))})
		}
	}
	for k, err := range p.remove(ctx, batch, done) {
		outcomes[done[k]].Err = err
		if err != nil {
			p.o.Logger.Warn("sqs: a message was handled and not removed; it comes again",
				"id", batch[done[k]].MessageID, "error", err)
		}
	}
	p.unchanged(p.hide(ctx, failed, settleLimits))
	for i := range batch {
		p.settled(ctx, batch[i].Delivery, outcomes[i].Err)
	}
}

// settled reports a message. A panic there is no reason to end the process.
func (p *poller) settled(ctx context.Context, d sumu.Delivery, err error) {
	defer func() {
		if v := recover(); v != nil {
			p.o.Logger.Error("sqs: settled", "error", &sumu.PanicError{Value: v})
		}
	}()
	p.o.Settled(ctx, d, err)
}

// until is when a message that failed comes again.
func (p *poller) until(m *received, out *sumu.Outcome) time.Duration {
	after := min(out.RetryAfter, maxVisibility-time.Minute) // SQS counts from the receipt.
	switch {
	case out.Fault && p.receiving.Err() == nil:
		return max(after, outbox.Backoff(faultBackoff, p.o.MaxBackoff, m.Receives-1))
	case after > 0:
		return after
	case out.Fault, p.working.Err() != nil:
		return 0 // This Poll ends: another consumer may go on at once.
	}
	return outbox.Backoff(p.o.Backoff, p.o.MaxBackoff, m.Receives-1)
}

// remove deletes the messages with the indices and returns one outcome for each.
func (p *poller) remove(ctx context.Context, batch []received, which []int) []error {
	handles := make([]string, len(which))
	for k, i := range which {
		handles[k] = batch[i].handle
	}
	return outbox.Deliver(ctx, handles, nil, settleLimits, func(ctx context.Context, handles []string) ([]error, error) {
		in := &sqs.DeleteMessageBatchInput{QueueUrl: &p.queueURL}
		for i := range handles {
			in.Entries = append(in.Entries, types.DeleteMessageBatchRequestEntry{Id: outbox.EntryID(i), ReceiptHandle: &handles[i]})
		}
		out, err := p.api.DeleteMessageBatch(ctx, in)
		if err != nil {
			return nil, outbox.Classify("delete from SQS", err)
		}
		o := outbox.NewOutcomes(len(handles))
		for i := range out.Successful {
			o.Set(out.Successful[i].Id, nil)
		}
		setFailed(o, out.Failed)
		return o, nil
	})
}

// hide changes how long messages stay hidden. Where that fails they come
// again when the time has passed that they are hidden for now.
func (p *poller) hide(ctx context.Context, which []visibility, limits outbox.Limits) error {
	return errors.Join(outbox.Deliver(ctx, which, nil, limits, func(ctx context.Context, which []visibility) ([]error, error) {
		in := &sqs.ChangeMessageVisibilityBatchInput{QueueUrl: &p.queueURL}
		for i := range which {
			in.Entries = append(in.Entries, types.ChangeMessageVisibilityBatchRequestEntry{
				Id: outbox.EntryID(i), ReceiptHandle: &which[i].handle, VisibilityTimeout: which[i].seconds,
			})
		}
		out, err := p.api.ChangeMessageVisibilityBatch(ctx, in)
		if err != nil {
			return nil, outbox.Classify("change visibility", err)
		}
		o := outbox.NewOutcomes(len(which))
		for i := range out.Successful {
			o.Set(out.Successful[i].Id, nil)
		}
		setFailed(o, out.Failed)
		return o, nil
	})...)
}

// unchanged tells of visibility that was not changed.
func (p *poller) unchanged(err error) {
	if err != nil {
		p.o.Logger.Warn("sqs: visibility of messages was not changed", "error", err)
	}
}

// release makes visible what was received too late to be handled.
func (p *poller) release(batch []received) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(p.working), settleTime)
	defer cancel()
	which := make([]visibility, len(batch))
	for i := range batch {
		which[i] = visibility{batch[i].handle, 0}
	}
	p.unchanged(p.hide(ctx, which, settleLimits))
}

// extend keeps a batch hidden until it is told to stop; it has stopped when
// that returns.
func (p *poller) extend(batch []received) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(p.working))
	which := make([]visibility, len(batch))
	for i := range batch {
		which[i] = visibility{batch[i].handle, seconds(p.o.Visibility)}
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		every := p.o.Visibility / 3
		limits := settleLimits
		limits.Tries = 2 // The next third is another chance.
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for failed := false; ; {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			call, done := context.WithTimeout(ctx, every)
			err := p.hide(call, which, limits)
			done()
			if ctx.Err() == nil { // Else it was told to stop.
				if !failed { // A batch may be held for hours.
					p.unchanged(err)
				}
				failed = err != nil
			}
		}
	})
	return func() {
		cancel()
		wg.Wait()
	}
}
