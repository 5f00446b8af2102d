package awslambda

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/logging"
)

// Worker handles notification requests: a pusher.Worker.
type Worker interface {
	Handle(ctx context.Context, batch ...sumu.Delivery) []sumu.Outcome
}

// PusherOptions tune a [Pusher]. The zero value of a field is its default.
type PusherOptions struct {
	// Reject takes a request of a topic or a stream that is not valid, such as
	// into a dead-letter queue; the record is done when it returns nil. On SQS
	// such a record is returned as failed, for the queue's own dead-letter
	// queue. Default nil: on a topic the invocation fails, and on a stream the
	// record, which then holds up its shard for as long as its event source
	// mapping tries again: set MaximumRetryAttempts and a destination there.
	Reject func(ctx context.Context, d sumu.Delivery, reason error) error
	// Ordered keeps the order of the records of a Kinesis stream that have one
	// partition key. The worker needs Records for it. FIFO queues always keep
	// that of their groups.
	Ordered bool
	// Decode makes the notification requests out of a record of a Kinesis
	// stream; with an error it yields what of the record is none, which goes to
	// Reject. One record may hold several: it is done when all of them are.
	// Package events has one for streams of events, events.Records. Default: a
	// record is a request.
	Decode func(data []byte) iter.Seq2[[]byte, error]
	// Postpone makes an SQS message that failed invisible for a time before
	// which it makes no sense to deliver it again: until a lease ends, or, where
	// an outage keeps it ([sumu.Outcome]'s Fault), 30 s, doubling with each
	// receive, to 5 min. Its error is logged. Default nil: it is invisible for as
	// long as the queue's visibility timeout, which must then be at least the
	// worker's lease; 6 times the function's timeout, as AWS advises, are minutes.
	Postpone func(ctx context.Context, m events.SQSMessage, d time.Duration) error
	// Logger is told of records that failed or were rejected. Default:
	// [slog.Default], warnings and errors; slog.New(slog.DiscardHandler) for
	// silence.
	Logger *slog.Logger
}

// Pusher pushes the notifications that come by SQS, SNS or Kinesis. While the
// store or the records of a pusher.Worker are down, it hands what a topic or an
// unordered stream delivers to the worker's queue, and so it does with messages
// of a queue from their third receive on. An ordered stream and a FIFO queue
// wait: have the event source mapping try again until a record expires, and
// allow the queue many receives.
type Pusher struct {
	worker Worker
	opts   PusherOptions
}

var _ handler = (*Pusher)(nil)

// NewPusher returns a handler that hands requests to worker. ErrInvalid is
// returned when worker is nil.
func NewPusher(worker Worker, optFns ...func(*PusherOptions)) (*Pusher, error) {
	var o PusherOptions
	for _, fn := range optFns {
		fn(&o)
	}
	if worker == nil {
		return nil, invalid("a Pusher needs a Worker")
	}
	o.Logger = logging.Or(o.Logger)
	return &Pusher{worker: worker, opts: o}, nil
}

// Invoke handles events of [KindSQS], [KindSNS] and [KindKinesis].
func (p *Pusher) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	return invoke(ctx, p, payload)
}

func (p *Pusher) handle(ctx context.Context, e *event) (any, error) {
	switch e.kind {
	case KindSQS:
		recs, err := sqsRecords(e)
		if err != nil {
			return nil, err
		}
		return p.sqs(ctx, recs), nil
	case KindSNS:
		recs, err := snsRecords(e)
		if err != nil {
			return nil, err
		}
		return nil, p.sns(ctx, recs)
	case KindKinesis:
		recs, err := kinesisRecords(e)
		if err != nil {
			return nil, err
		}
		return p.kinesis(ctx, recs), nil
	}
	return nil, e.only("Pusher", KindSQS, KindSNS, KindKinesis)
}

// SQS pushes the messages of a queue: plain, in SNS's envelope, or delivered
// raw by it. The answer names those that are to come again. ErrInvalid is
// returned for an event with a message that has no id.
func (p *Pusher) SQS(ctx context.Context, in events.SQSEvent) (events.SQSEventResponse, error) {
	recs, err := fromSQSEvent(&in)
	if err != nil {
		return events.SQSEventResponse{}, err
	}
	return p.sqs(ctx, recs), nil
}

func fromSQSEvent(in *events.SQSEvent) ([]record, error) {
	recs := make([]record, len(in.Records))
	for i := range in.Records {
		recs[i] = fromSQS(&in.Records[i])
	}
	return recs, named(recs)
}

func (p *Pusher) sqs(ctx context.Context, recs []record) events.SQSEventResponse {
	outcomes := p.push(ctx, recs, false)
	failed := make([]error, len(recs))
	for i, out := range outcomes {
		failed[i] = out.Err
		pause := pauseOf(&out, recs[i].Receives)
		if out.Err == nil || pause <= 0 || p.opts.Postpone == nil || recs[i].sqs == nil {
			continue
		}
		err := safely(func() error { return p.opts.Postpone(ctx, *recs[i].sqs, pause) })
		if err != nil {
			logError(ctx, p.opts.Logger, "a message could not be postponed", err, "message_id", recs[i].id)
		}
	}
	return sqsResponse(recs, failed)
}

const (
	faultPause    = 30 * time.Second // after the first receive
	maxFaultPause = 5 * time.Minute
)

// pauseOf is how long a message that failed is hidden; 0: as long as the queue
// says. One that is not to blame must not spend its receives on one outage.
func pauseOf(out *sumu.Outcome, receives int) time.Duration {
	if !out.Fault {
		return out.RetryAfter
	}
	pause := min(faultPause<<min(max(receives-1, 0), 4), maxFaultPause)
	return max(pause, out.RetryAfter)
}

// SNS pushes what a topic delivers. An error makes Lambda try again, all of the
// event: it holds one record.
func (p *Pusher) SNS(ctx context.Context, in events.SNSEvent) error {
	recs, err := fromSNS(&in)
	if err != nil {
		return err
	}
	return p.sns(ctx, recs)
}

func (p *Pusher) sns(ctx context.Context, recs []record) error {
	var errs []error
	for _, out := range p.push(ctx, recs, true) {
		errs = append(errs, out.Err)
	}
	return errors.Join(errs...)
}

// Kinesis pushes the records of a stream. The answer names the first that
// failed: it comes again, and so does all that follows it. ErrInvalid is
// returned for an event with a record that has no sequence number.
func (p *Pusher) Kinesis(ctx context.Context, in events.KinesisEvent) (events.KinesisEventResponse, error) {
	recs := make([]record, len(in.Records))
	for i := range in.Records {
		recs[i] = fromKinesis(&in.Records[i])
	}
	if err := named(recs); err != nil {
		return events.KinesisEventResponse{}, err
	}
	return p.kinesis(ctx, recs), nil
}

func (p *Pusher) kinesis(ctx context.Context, recs []record) events.KinesisEventResponse {
	if !p.opts.Ordered {
		for i := range recs {
			recs[i].Group = ""
		}
	}
	if p.opts.Decode != nil {
		recs = decodeAll(recs, p.opts.Decode)
	}
	answer := events.KinesisEventResponse{BatchItemFailures: []events.KinesisBatchItemFailure{}}
	for i, out := range p.push(ctx, recs, true) {
		if out.Err != nil {
			answer.BatchItemFailures = append(answer.BatchItemFailures, events.KinesisBatchItemFailure{ItemIdentifier: recs[i].id})
			break
		}
	}
	return answer
}

// push hands all records that can be read to the worker, in one batch, and
// returns one outcome for each record. With sink, what is not valid goes to Reject.
func (p *Pusher) push(ctx context.Context, recs []record, sink bool) []sumu.Outcome {
	outcomes := make([]sumu.Outcome, len(recs))
	batch := make([]sumu.Delivery, 0, len(recs))
	place := make([]int, 0, len(recs)) // in recs, of a delivery
	for i := range recs {
		if recs[i].err != nil {
			outcomes[i] = sumu.Outcome{Err: recs[i].err, Rejected: true}
			continue
		}
		batch = append(batch, recs[i].Delivery)
		place = append(place, i)
	}
	var handled []sumu.Outcome
	err := safely(func() error {
		handled = p.worker.Handle(ctx, batch...)
		if len(handled) != len(batch) {
			return invalid("the worker has %d outcomes for %d records", len(handled), len(batch))
		}
		return nil
	})
	for j, i := range place {
		if err != nil {
			outcomes[i].Err = err
		} else {
			outcomes[i] = handled[j]
		}
	}
	for i := range outcomes {
		p.settle(ctx, &recs[i], &outcomes[i], sink)
	}
	return outcomes
}

// settle hands to Reject what the worker has not, and logs what became of it.
func (p *Pusher) settle(ctx context.Context, r *record, out *sumu.Outcome, sink bool) {
	if out.Err == nil {
		return
	}
	if sink && out.Rejected && p.opts.Reject != nil {
		reason := out.Err
		out.Err = safely(func() error {
			return p.opts.Reject(ctx, r.Delivery, reason)
		})
		if out.Err == nil {
			p.opts.Logger.WarnContext(ctx, "request rejected", "record", r.id, "error", reason.Error())
			return
		}
		out.Err = &sumu.Error{Op: "reject " + r.id, Err: out.Err}
	}
	logError(ctx, p.opts.Logger, "record failed", out.Err, "record", r.id, "rejected", out.Rejected, "retry_after", out.RetryAfter)
}

// sqsResponse names the records that failed.
func sqsResponse(recs []record, failed []error) events.SQSEventResponse {
	answer := events.SQSEventResponse{BatchItemFailures: []events.SQSBatchItemFailure{}}
	for i, err := range failed {
		if err != nil {
			answer.BatchItemFailures = append(answer.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: recs[i].id})
		}
	}
	return answer
}
