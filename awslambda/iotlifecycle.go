package awslambda

import (
	"context"
	"log/slog"

	"github.com/aws/aws-lambda-go/events"

	"github.com/sumu-live/sumu/internal/logging"
)

// LifecycleOptions tune a [Lifecycle]. The zero value of a field is its default.
type LifecycleOptions struct {
	// Logger is told of events that failed, at level Error. Default: [slog.Default],
	// warnings and errors; slog.New(slog.DiscardHandler) for silence.
	Logger *slog.Logger
}

// Lifecycle serves what rules of AWS IoT Core hand to a function, or to a queue
// before it: lifecycle events, and by a queue what clients publish for backends.
type Lifecycle struct {
	apply  func(ctx context.Context, event []byte) error
	logger *slog.Logger
}

var _ handler = (*Lifecycle)(nil)

// NewLifecycle returns a handler that hands each event to apply: the method
// Handle of an iot.Lifecycle or, on a queue of its own, of an iot.Inbox. ErrInvalid is returned when apply is nil.
func NewLifecycle(apply func(ctx context.Context, event []byte) error, optFns ...func(*LifecycleOptions)) (*Lifecycle, error) {
	var o LifecycleOptions
	for _, fn := range optFns {
		fn(&o)
	}
	if apply == nil {
		return nil, invalid("a Lifecycle needs a function that applies an event")
	}
	return &Lifecycle{apply: apply, logger: logging.Or(o.Logger)}, nil
}

// Invoke handles events of [KindIoT], whose error makes Lambda try again, and of
// [KindSQS], whose answer names those that failed.
func (l *Lifecycle) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	return invoke(ctx, l, payload)
}

func (l *Lifecycle) handle(ctx context.Context, e *event) (any, error) {
	switch e.kind {
	case KindIoT:
		return nil, l.one(ctx, "", e.payload)
	case KindSQS:
		recs, err := sqsRecords(e)
		if err != nil {
			return nil, err
		}
		return l.all(ctx, recs), nil
	}
	return nil, e.only("Lifecycle", KindIoT, KindSQS)
}

// SQS serves a queue of events. The answer names those that failed.
// ErrInvalid is returned for an event with a message that has no id.
func (l *Lifecycle) SQS(ctx context.Context, in events.SQSEvent) (events.SQSEventResponse, error) {
	recs, err := fromSQSEvent(&in)
	if err != nil {
		return events.SQSEventResponse{}, err
	}
	return l.all(ctx, recs), nil
}

func (l *Lifecycle) all(ctx context.Context, recs []record) events.SQSEventResponse {
	failed := make([]error, len(recs))
	for i := range recs {
		if failed[i] = recs[i].err; failed[i] == nil {
			failed[i] = l.one(ctx, recs[i].id, recs[i].Body)
		}
	}
	return sqsResponse(recs, failed)
}

func (l *Lifecycle) one(ctx context.Context, record string, event []byte) error {
	err := safely(func() error { return l.apply(ctx, event) })
	if err != nil {
		logError(ctx, l.logger, "event of IoT Core failed", err, "record", record)
	}
	return err
}
