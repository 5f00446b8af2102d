package awslambda

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/logging"
)

// Watcher evaluates users: a [*presence.Watcher].
type Watcher interface {
	sumu.PresenceWatcher

	// Check evaluates users without a change of theirs. It has one outcome for
	// each.
	Check(ctx context.Context, userIDs ...string) ([]error, error)
}

// PresenceOptions tune a [Presence]. The zero value of a field is its default.
type PresenceOptions struct {
	// Later hands a delayed check of a user to a queue that comes back to this
	// handler; see [CheckMessage]. It is called for a user whose evaluation
	// failed, and the stream's record is done when it returns nil: so one user
	// holds up nobody else. It may be the same function as presence's
	// Options.Delay. Default nil: the record fails, and comes again with all
	// that follow it in its shard.
	Later func(ctx context.Context, userID string, after time.Duration) error
	// RetryAfter is the delay of such a check. Default 10 s.
	RetryAfter time.Duration
	// Logger is told of records that failed or name no user. Default:
	// [slog.Default], warnings and errors; slog.New(slog.DiscardHandler) for
	// silence.
	Logger *slog.Logger
}

// Presence evaluates the users whose connections changed: it follows the stream
// of the connections table, of whatever view type, and serves the queue of
// delayed checks.
type Presence struct {
	watcher Watcher
	opts    PresenceOptions
}

var _ handler = (*Presence)(nil)

// NewPresence returns a handler that has watcher evaluate. ErrInvalid is
// returned when watcher is nil, or RetryAfter negative.
func NewPresence(watcher Watcher, optFns ...func(*PresenceOptions)) (*Presence, error) {
	var o PresenceOptions
	for _, fn := range optFns {
		fn(&o)
	}
	var errs []error
	if watcher == nil {
		errs = append(errs, invalid("a Presence needs a Watcher"))
	}
	if o.RetryAfter < 0 {
		errs = append(errs, invalid("RetryAfter is %v; it must not be negative", o.RetryAfter))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if o.RetryAfter == 0 {
		o.RetryAfter = 10 * time.Second
	}
	o.Logger = logging.Or(o.Logger)
	return &Presence{watcher: watcher, opts: o}, nil
}

// Invoke handles events of [KindDynamoDB], and delayed checks of [KindSQS].
func (p *Presence) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	return invoke(ctx, p, payload)
}

func (p *Presence) handle(ctx context.Context, e *event) (any, error) {
	switch e.kind {
	case KindDynamoDB:
		recs, err := streamRecords(e)
		if err != nil {
			return nil, err
		}
		return p.stream(ctx, recs), nil
	case KindSQS:
		recs, err := sqsRecords(e)
		if err != nil {
			return nil, err
		}
		return p.checks(ctx, recs), nil
	}
	return nil, e.only("Presence", KindDynamoDB, KindSQS)
}

// streamRecord is a change of a row. Only keys are read: an image that cannot
// be is no reason to fail.
type streamRecord struct {
	seq    string
	change sumu.Change
}

// streamKeys is what every view type has, KEYS_ONLY included.
type streamKeys struct {
	Change struct {
		Keys           map[string]struct{ S *string }
		SequenceNumber string
	} `json:"dynamodb"`
}

func streamRecords(e *event) ([]streamRecord, error) {
	recs := make([]streamRecord, len(e.records))
	for i, raw := range e.records {
		var k streamKeys
		_ = json.Unmarshal(raw, &k) // It reads what it can; a key that is missing is seen to later.
		r := streamRecord{seq: k.Change.SequenceNumber}
		if s := k.Change.Keys["user_id"].S; s != nil {
			r.change.UserID = *s
		}
		if s := k.Change.Keys["connection_id"].S; s != nil {
			r.change.ConnectionID = *s
		}
		if r.seq == "" {
			return nil, invalid("Records[%d] has no sequence number", i)
		}
		recs[i] = r
	}
	return recs, nil
}

// DynamoDB evaluates the users of a stream's records: written, changed, removed
// by a program or by TTL. The answer names the first record whose user could
// not be evaluated: it comes again, and so does all that follows it, which
// changes nothing for users that are up to date. A record without a user_id can
// never succeed: it is logged and left out. ErrInvalid is returned for an event
// with a record that has no sequence number.
func (p *Presence) DynamoDB(ctx context.Context, in events.DynamoDBEvent) (events.DynamoDBEventResponse, error) {
	recs := make([]streamRecord, len(in.Records))
	for i := range in.Records {
		c := &in.Records[i].Change
		recs[i] = streamRecord{seq: c.SequenceNumber, change: sumu.Change{
			UserID: stringKey(c.Keys, "user_id"), ConnectionID: stringKey(c.Keys, "connection_id"),
		}}
		if c.SequenceNumber == "" {
			return events.DynamoDBEventResponse{}, invalid("Records[%d] has no sequence number", i)
		}
	}
	return p.stream(ctx, recs), nil
}

func stringKey(keys map[string]events.DynamoDBAttributeValue, name string) string {
	if v, ok := keys[name]; ok && v.DataType() == events.DataTypeString {
		return v.String()
	}
	return ""
}

func (p *Presence) stream(ctx context.Context, recs []streamRecord) events.DynamoDBEventResponse {
	changes := make([]sumu.Change, 0, len(recs))
	seqs := make([]string, 0, len(recs)) // of the changes
	for _, r := range recs {
		if err := sumu.ValidateUserID(r.change.UserID); err != nil {
			logError(ctx, p.opts.Logger, "stream record names no user; is this the connections table?", err, "record", r.seq)
			continue
		}
		changes = append(changes, r.change)
		seqs = append(seqs, r.seq)
	}
	errs := outcomes(len(changes), func() ([]error, error) { return p.watcher.Observe(ctx, changes...) })
	handed := make(map[string]error, len(changes)) // users whose check was asked for
	answer := events.DynamoDBEventResponse{BatchItemFailures: []events.DynamoDBBatchItemFailure{}}
	for i, err := range errs {
		if err == nil {
			continue
		}
		logError(ctx, p.opts.Logger, "presence record failed", err, "record", seqs[i], "user_id", changes[i].UserID)
		if p.later(ctx, changes[i].UserID, handed) != nil && len(answer.BatchItemFailures) == 0 {
			answer.BatchItemFailures = append(answer.BatchItemFailures, events.DynamoDBBatchItemFailure{ItemIdentifier: seqs[i]})
		}
	}
	return answer
}

var errNoLater = errors.New("no queue of delayed checks")

// later asks for a delayed check, once for each user of a batch.
func (p *Presence) later(ctx context.Context, userID string, handed map[string]error) error {
	if p.opts.Later == nil {
		return errNoLater
	}
	err, asked := handed[userID]
	if !asked {
		err = safely(func() error { return p.opts.Later(ctx, userID, p.opts.RetryAfter) })
		handed[userID] = err
		if err != nil {
			logError(ctx, p.opts.Logger, "delayed check could not be asked for", err, "user_id", userID)
		}
	}
	return err
}

// outcomes calls what returns one outcome for each of n, and sees to it that
// there are n: what was not evaluated must not count as done.
func outcomes(n int, call func() ([]error, error)) []error {
	if n == 0 {
		return nil
	}
	var errs []error
	err := safely(func() (err error) {
		errs, err = call()
		if len(errs) != n {
			return errors.Join(invalid("%d outcomes for %d", len(errs), n), err)
		}
		return nil
	})
	if err == nil {
		return errs
	}
	errs = make([]error, n)
	for i := range errs {
		errs[i] = err
	}
	return errs
}
