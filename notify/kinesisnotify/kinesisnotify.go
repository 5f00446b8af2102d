// Package kinesisnotify sends notifications through a Kinesis data stream.
//
//	client, err := kinesisnotify.New(kinesis.NewFromConfig(cfg), "notifications")
//	id, err := notify.Send(ctx, client, n)
//
// # Delivery
//
// At least once. A record whose answer was lost, or that its shard throttled,
// is put again: it may then be there twice, and behind those of its batch. A
// stream cannot wait: what remains of a push goes to a queue, see sqsnotify.
//
// # Cost
//
// Kinesis bills each record in units of 25 KB. A shard takes 1,000 records and
// 1 MB per second; a user list that does not fit into one record is sent in
// several.
package kinesisnotify

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/notify/internal/outbox"
)

// API is what this package needs of a Kinesis client: a [*kinesis.Client], or
// one's own. It needs the permission kinesis:PutRecords.
type API interface {
	PutRecords(ctx context.Context, in *kinesis.PutRecordsInput, optFns ...func(*kinesis.Options)) (*kinesis.PutRecordsOutput, error)
}

const (
	// DefaultMaxBytes is the largest record of a stream whose maximum was not
	// raised, its partition key included (read 2026-11).
	DefaultMaxBytes = 1 << 20
	// MaxBytes is the most that a stream's maximum record size can be raised
	// to, and the most of one request (read 2026-11).
	MaxBytes = 10 << 20

	maxRecords = 500     // in a request
	batchBytes = 5 << 20 // in a request of records of the default size: emulators and old endpoints take no more

	maxKey      = 256                  // characters of a partition key
	maxKeyBytes = maxKey * utf8.UTFMax // and its bytes
)

// Options tune a [Client]. The zero value of a field is its default.
type Options struct {
	// MaxBytes is how large a record may be, its partition key included: set it
	// to the stream's maximum record size if that was raised. Default
	// [DefaultMaxBytes]; 4,096 to [MaxBytes].
	MaxBytes int
	// Tries is how often a record is tried, on top of what the Kinesis client
	// itself does. Default 3; 1 to 10.
	Tries int
	// Backoff is the longest pause before the second try; it doubles with each
	// further one, up to 20 s, and the actual pause is random between half of
	// it and all. Default 100 ms; 1 ms to 20 s.
	Backoff time.Duration
	// PartitionKey returns the partition key of a notification, which decides
	// its shard. One that is empty or over 256 characters is replaced by the
	// notification's ID or by its hash. Default: the user, of a notification for
	// one user or connections of one; the user who sent it, of an event that a
	// client has submitted; else the ID.
	PartitionKey func(n *sumu.Notification) string
}

// Client puts notifications on a stream. It is safe for concurrent use.
type Client struct {
	name, arn *string // one of them
	out       outbox.Client
	api       API
}

var _ sumu.NotifyClient = (*Client)(nil)

// New returns a Client that writes to the stream with a name or an ARN.
// ErrInvalid is returned with every argument and option that cannot be.
func New(api API, stream string, optFns ...func(*Options)) (*Client, error) {
	var o Options
	for _, fn := range optFns {
		fn(&o)
	}
	var errs []error
	if api == nil {
		errs = append(errs, outbox.Invalid("a Kinesis client is missing"))
	}
	if stream == "" {
		errs = append(errs, outbox.Invalid("the stream's name is empty"))
	}
	tuning := outbox.Tuning{MaxBytes: o.MaxBytes, Tries: o.Tries, Backoff: o.Backoff}
	errs = append(errs, tuning.Complete(DefaultMaxBytes, 4096, MaxBytes))
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	c := &Client{api: api}
	if strings.HasPrefix(stream, "arn:") {
		c.arn = &stream
	} else {
		c.name = &stream
	}
	c.out = outbox.Client{
		Op:         "kinesis",
		MaxMessage: tuning.MaxBytes - maxKeyBytes,
		Limits: outbox.Limits{
			Count: maxRecords, Bytes: max(batchBytes, tuning.MaxBytes),
			Tries: tuning.Tries, Backoff: tuning.Backoff,
		},
		Group: partitionKey(o.PartitionKey),
		Size:  func(m *outbox.Message) int { return len(m.Body) + len(m.Group) },
		Call:  c.call,
	}
	return c, nil
}

func partitionKey(chosen func(n *sumu.Notification) string) func(n *sumu.Notification) string {
	if chosen == nil {
		chosen = outbox.OnlyUser
	}
	return func(n *sumu.Notification) string {
		key := chosen(n)
		switch {
		case key == "":
			return n.ID
		case len(key) > maxKey && utf8.RuneCountInString(key) > maxKey, !utf8.ValidString(key):
			return outbox.Hash(key)
		}
		return key
	}
}

// Send writes a notification, in several records if its users, channels and
// connections do not fit into one. When some of those failed, it is safe to
// call it again with the same notification and ID: the records hold the same
// keys. Errors are
//
//   - ErrInvalid for a notification that does not validate, or a stream that
//     does not exist,
//   - ErrTooLarge for one that does not fit even so,
//   - ErrForbidden when the caller may not write to the stream,
//   - ErrThrottled and ErrUnavailable when it may succeed later.
//
// The cause is reachable with [errors.As].
func (c *Client) Send(ctx context.Context, n sumu.Notification) error {
	return c.SendBatch(ctx, n)[0]
}

// SendBatch writes notifications, as [Client.Send] does, in as few requests as
// possible, and returns one error for each. One that fails does not stop the
// others, and only what failed is put again. Kinesis does not promise the order
// of the records of a request: send one by one where it matters.
func (c *Client) SendBatch(ctx context.Context, ns ...sumu.Notification) []error {
	return c.out.Notifications(ctx, ns)
}

// call writes one batch.
func (c *Client) call(ctx context.Context, messages []outbox.Message) ([]error, error) {
	in := &kinesis.PutRecordsInput{
		StreamName: c.name, StreamARN: c.arn,
		Records: make([]types.PutRecordsRequestEntry, len(messages)),
	}
	for i := range messages {
		m := &messages[i]
		in.Records[i] = types.PutRecordsRequestEntry{Data: []byte(m.Body), PartitionKey: &m.Group}
	}
	out, err := c.api.PutRecords(ctx, in)
	if err != nil {
		return nil, outbox.Classify("", err)
	}
	// The reply names no ids: the records are in their order.
	o := outbox.NewOutcomes(len(messages))
	if len(out.Records) != len(messages) {
		return o, nil
	}
	for i := range out.Records {
		r := &out.Records[i]
		switch {
		case r.ErrorCode != nil:
			o[i] = outbox.EntryError(*r.ErrorCode, aws.ToString(r.ErrorMessage), false)
		case r.SequenceNumber != nil:
			o[i] = nil
		}
	}
	return o, nil
}
