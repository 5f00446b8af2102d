package awslambda

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/logging"
)

// presenceSource is the attribute "source" of presence events.
const presenceSource = "lambda.presence.watchdog"

// BackendOptions say what a [Backend] does. At least one of Message and
// Presence must be given; records of the other are then done at once.
type BackendOptions struct {
	// Message handles what a client sent. Its ID is that of the topic's or the
	// queue's message: the same each time that it comes. nil: left out. Every
	// error spends a receive of the queue, that of a database which is down as
	// well: the queue's visibility timeout times its maxReceiveCount is the outage
	// that it bears before its messages go to the dead-letter queue.
	Message func(ctx context.Context, m sumu.BackendMessage) error
	// Presence handles who came and went. Drop an event whose version is not
	// above the user's last. nil: left out.
	Presence func(ctx context.Context, e sumu.PresenceEvent) error

	// Concurrency is how many records are handled at once. Those of a FIFO
	// queue's group are handled one after the other, and not any more once one
	// of them has failed. Default 1; 1 to 1,000.
	Concurrency int
	// Reject takes a record of a topic that is no message at all; it is done
	// when Reject returns nil. Default nil: it fails, and Lambda tries again.
	// On SQS it is returned as failed.
	Reject func(ctx context.Context, body []byte, reason error) error
	// Logger is told of records that failed. Default: [slog.Default], warnings and
	// errors; slog.New(slog.DiscardHandler) for silence.
	Logger *slog.Logger
}

// Backend runs code of yours on what clients send and on presence events, as
// they come from the output topic or queue. Messages come at least once, and
// may come in another order.
type Backend struct {
	opts BackendOptions
}

var _ handler = (*Backend)(nil)

// NewBackend returns a handler that calls the functions of its options.
// ErrInvalid is returned when there is none, or for a Concurrency out of range.
func NewBackend(o BackendOptions) (*Backend, error) {
	var errs []error
	if o.Message == nil && o.Presence == nil {
		errs = append(errs, invalid("a Backend needs a Message or a Presence function"))
	}
	if o.Concurrency < 0 || o.Concurrency > 1000 {
		errs = append(errs, invalid("Concurrency is %d; it must be 1 to 1000", o.Concurrency))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	o.Concurrency = max(o.Concurrency, 1)
	o.Logger = logging.Or(o.Logger)
	return &Backend{opts: o}, nil
}

// Invoke handles events of [KindSQS] and [KindSNS].
func (b *Backend) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	return invoke(ctx, b, payload)
}

func (b *Backend) handle(ctx context.Context, e *event) (any, error) {
	switch e.kind {
	case KindSQS:
		recs, err := sqsRecords(e)
		if err != nil {
			return nil, err
		}
		return sqsResponse(recs, b.all(ctx, recs, nil)), nil
	case KindSNS:
		recs, err := snsRecords(e)
		if err != nil {
			return nil, err
		}
		return nil, errors.Join(b.all(ctx, recs, b.opts.Reject)...)
	}
	return nil, e.only("Backend", KindSQS, KindSNS)
}

// SQS handles the messages of a queue: plain, in SNS's envelope, or delivered
// raw by it. The answer names those that failed. ErrInvalid is returned for an
// event with a message that has no id.
func (b *Backend) SQS(ctx context.Context, in events.SQSEvent) (events.SQSEventResponse, error) {
	recs, err := fromSQSEvent(&in)
	if err != nil {
		return events.SQSEventResponse{}, err
	}
	return sqsResponse(recs, b.all(ctx, recs, nil)), nil
}

// SNS handles what a topic delivers. An error makes Lambda try again.
func (b *Backend) SNS(ctx context.Context, in events.SNSEvent) error {
	recs, err := fromSNS(&in)
	if err != nil {
		return err
	}
	return errors.Join(b.all(ctx, recs, b.opts.Reject)...)
}

var errEarlier = &sumu.Error{Op: "an earlier message of its group failed", Kind: sumu.ErrUnavailable}

// all handles the records and returns one outcome for each.
func (b *Backend) all(ctx context.Context, recs []record, reject func(context.Context, []byte, error) error) []error {
	failed := make([]error, len(recs))
	var wg sync.WaitGroup
	free := make(chan struct{}, b.opts.Concurrency)
	for _, lane := range lanes(recs) {
		free <- struct{}{}
		wg.Go(func() {
			defer func() { <-free }()
			var before error
			for _, i := range lane {
				if failed[i] = before; before == nil {
					failed[i] = b.one(ctx, &recs[i], reject)
				}
				if failed[i] != nil && recs[i].Group != "" {
					before = errEarlier
				}
			}
		})
	}
	wg.Wait()
	return failed
}

// lanes are the records that follow each other: those of a group; one without
// a group has a lane of its own.
func lanes(recs []record) [][]int {
	var all [][]int
	of := make(map[string]int)
	for i := range recs {
		g := recs[i].Group
		if at, ok := of[g]; ok && g != "" {
			all[at] = append(all[at], i)
			continue
		}
		of[g] = len(all)
		all = append(all, []int{i})
	}
	return all
}

func (b *Backend) one(ctx context.Context, r *record, reject func(context.Context, []byte, error) error) error {
	err := ctx.Err()
	if err == nil {
		err = safely(func() error { return b.call(ctx, r) })
	}
	var bad *notAMessage
	if errors.As(err, &bad) && reject != nil {
		reason := err
		err = safely(func() error { return reject(ctx, r.Body, reason) })
	}
	if err != nil {
		logError(ctx, b.opts.Logger, "record failed", err, "record", r.id)
		return &sumu.Error{Op: "record " + r.id, Err: err}
	}
	return nil
}

// notAMessage marks a record that never becomes a message.
type notAMessage struct{ err error }

func (n *notAMessage) Error() string { return n.err.Error() }
func (n *notAMessage) Unwrap() error { return n.err }

func (b *Backend) call(ctx context.Context, r *record) error {
	if r.err != nil {
		return &notAMessage{r.err}
	}
	// The attribute decides, not the body: a client can write any body.
	if r.Attributes["source"] == presenceSource {
		if b.opts.Presence == nil {
			return nil
		}
		var e sumu.PresenceEvent
		if err := e.UnmarshalJSON(r.Body); err != nil {
			return &notAMessage{invalid("record is no presence event")} // err may repeat a part of it.
		}
		return b.opts.Presence(ctx, e)
	}
	if b.opts.Message == nil {
		return nil
	}
	m, err := r.message()
	if err != nil {
		return &notAMessage{err}
	}
	return b.opts.Message(ctx, m)
}

// message reads what a client sent.
func (r *record) message() (sumu.BackendMessage, error) {
	m := sumu.BackendMessage{
		ID:           r.MessageID,
		UserID:       r.Attributes["user_id"],
		ConnectionID: r.Attributes["connection_id"],
		Source:       r.Attributes["source"],
		Timestamp:    r.SentAt,
		Body:         json.RawMessage(r.Body),
	}
	if err := sumu.ValidateUserID(m.UserID); err != nil {
		return m, &sumu.Error{Op: "attribute user_id", Err: err}
	}
	if text := r.Attributes["timestamp"]; text != "" {
		ms, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(ms) || math.Abs(ms) > 1<<52 {
			return m, invalid("attribute timestamp is not a number")
		}
		m.Timestamp = time.UnixMilli(int64(ms))
	}
	if !json.Valid(m.Body) {
		return m, invalid("message of a client is not JSON")
	}
	return m, nil
}
