// Package snsnotify sends notifications through an SNS topic, and hands
// clients' messages and presence events to one.
//
//	client, err := snsnotify.New(sns.NewFromConfig(cfg), topicARN)
//	id, err := notify.Send(ctx, client, n)
//
// # Delivery
//
// At least once to each subscription that takes it: a topic without one
// accepts a notification and drops it. An entry whose answer was lost is sent
// again and may then be there twice, except on a FIFO topic, which drops the
// second by the notification's key for five minutes. A topic cannot wait: what
// remains of a push goes to a queue, see sqsnotify.
//
// # Cost
//
// A request takes up to 10 messages; SNS bills it in units of 64 KiB. A user
// list that does not fit into one message is sent in several.
package snsnotify

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/notify/internal/outbox"
)

// API is what this package needs of an SNS client: an [*sns.Client], or one's
// own. It needs the permission sns:Publish.
type API interface {
	PublishBatch(ctx context.Context, in *sns.PublishBatchInput, optFns ...func(*sns.Options)) (*sns.PublishBatchOutput, error)
}

const (
	// DefaultMaxBytes is the largest message, and the largest batch, of a topic
	// whose MaximumMessageSize was not raised (read 2026-11).
	DefaultMaxBytes = 256 << 10
	// MaxBytes is the most that a topic's MaximumMessageSize can be raised to
	// (read 2026-11).
	MaxBytes = 1 << 20

	maxEntries = 10 // in a batch
)

// Options tune a [Client]. The zero value of a field is its default.
type Options struct {
	// MaxBytes is how large a message, and a batch, may be: set it to the
	// topic's MaximumMessageSize if that was raised. A queue behind the topic
	// must take as much, and more where SNS wraps the message in an envelope.
	// Default [DefaultMaxBytes]; 1,024 to [MaxBytes].
	MaxBytes int
	// Tries is how often a message is tried, on top of what the SNS client
	// itself does. Default 3; 1 to 10.
	Tries int
	// Backoff is the longest pause before the second try; it doubles with each
	// further one, up to 20 s, and the actual pause is random between half of
	// it and all. Default 100 ms; 1 ms to 20 s.
	Backoff time.Duration
	// Group returns the message group of a notification on a FIFO topic: those
	// of a group are delivered in their order. What cannot be a group id is
	// replaced by its hash. Default: the user, of a notification for one user or
	// connections of one; the user who sent it, of an event that a client has
	// submitted; else "all".
	Group func(n *sumu.Notification) string
}

// Client publishes notifications to a topic. It is safe for concurrent use.
type Client struct {
	topicARN string
	fifo     bool
	out      outbox.Client
	api      API
}

var _ sumu.NotifyClient = (*Client)(nil)

// New returns a Client that publishes to a topic; one whose ARN ends in ".fifo"
// is a FIFO topic. ErrInvalid is returned with every argument and option that
// cannot be.
func New(api API, topicARN string, optFns ...func(*Options)) (*Client, error) {
	var o Options
	for _, fn := range optFns {
		fn(&o)
	}
	var errs []error
	if api == nil {
		errs = append(errs, outbox.Invalid("an SNS client is missing"))
	}
	if parts := strings.SplitN(topicARN, ":", 6); len(parts) < 6 || parts[0] != "arn" || parts[2] != "sns" || parts[5] == "" {
		errs = append(errs, outbox.Invalid("the topic is not given by its ARN"))
	}
	tuning := outbox.Tuning{MaxBytes: o.MaxBytes, Tries: o.Tries, Backoff: o.Backoff}
	errs = append(errs, tuning.Complete(DefaultMaxBytes, 1024, MaxBytes))
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	group := o.Group
	if group == nil {
		group = outbox.OnlyUser
	}
	c := &Client{api: api, topicARN: topicARN, fifo: strings.HasSuffix(topicARN, ".fifo")}
	c.out = outbox.Client{
		Op:         "sns",
		MaxMessage: tuning.MaxBytes,
		Limits:     outbox.Limits{Count: maxEntries, Bytes: tuning.MaxBytes, Tries: tuning.Tries, Backoff: tuning.Backoff},
		Group:      func(n *sumu.Notification) string { return outbox.Token(group(n)) },
		Size:       (*outbox.Message).Size,
		Call:       c.call,
	}
	return c, nil
}

// Send publishes a notification, in several messages if its users, channels
// and connections do not fit into one. When some of those failed, it is safe
// to call it again with the same notification and ID: the messages have the
// same keys. Errors are
//
//   - ErrInvalid for a notification that does not validate, or a topic that
//     does not exist,
//   - ErrTooLarge for one that does not fit even so,
//   - ErrForbidden when the caller may not publish to the topic,
//   - ErrThrottled and ErrUnavailable when it may succeed later.
//
// The cause is reachable with [errors.As].
func (c *Client) Send(ctx context.Context, n sumu.Notification) error {
	return c.SendBatch(ctx, n)[0]
}

// SendBatch publishes notifications, as [Client.Send] does, in as few requests
// as possible and in their order, and returns one error for each. One that
// fails does not stop the others. A message that has to be tried again comes
// after those of its batch: send one by one where a FIFO's order must hold even
// then.
func (c *Client) SendBatch(ctx context.Context, ns ...sumu.Notification) []error {
	return c.out.Notifications(ctx, ns)
}

// Backend returns a [sumu.Backend] that publishes clients' messages to the
// topic:
//
//	publish, err := snsnotify.Backend(client, topicARN)
//	app.Handle("publish", sumu.ToBackend("apigw.route.publish", publish))
//
// The body is the JSON text of the client's message; the characters U+FFFE and
// U+FFFF, which a queue behind the topic would refuse, are escaped in it. The
// attributes are user_id and connection_id (String), timestamp (Number, epoch
// ms) and source (String). On a FIFO topic the group is the user.
//
// ErrTooLarge is returned for a message that does not fit, ErrInvalid for one
// that is empty or has a user id that an attribute cannot carry; all others
// are ErrThrottled and ErrUnavailable, a refusal by SNS included: it is not the
// client's fault.
func Backend(api API, topicARN string, optFns ...func(*Options)) (sumu.Backend, error) {
	c, err := New(api, topicARN, optFns...)
	if err != nil {
		return nil, err
	}
	return c.out.Backend, nil
}

// Presence returns a publisher that publishes presence events to the topic:
// the event's JSON with the attributes source ("lambda.presence.watchdog"),
// user_id (String) and timestamp (Number, epoch ms). On a FIFO topic the group
// is the user. Errors are those of [Client.Send].
func Presence(api API, topicARN string, optFns ...func(*Options)) (sumu.PresencePublisher, error) {
	c, err := New(api, topicARN, optFns...)
	if err != nil {
		return nil, err
	}
	return sumu.PresencePublisherFunc(c.out.PublishPresence), nil
}

// call publishes one batch.
func (c *Client) call(ctx context.Context, messages []outbox.Message) ([]error, error) {
	in := &sns.PublishBatchInput{
		TopicArn:                   &c.topicARN,
		PublishBatchRequestEntries: make([]types.PublishBatchRequestEntry, len(messages)),
	}
	for i := range messages {
		in.PublishBatchRequestEntries[i] = c.entry(i, &messages[i])
	}
	out, err := c.api.PublishBatch(ctx, in)
	if err != nil {
		return nil, outbox.Classify("", err)
	}
	o := outbox.NewOutcomes(len(messages))
	for i := range out.Successful {
		o.Set(out.Successful[i].Id, nil)
	}
	for i := range out.Failed {
		f := &out.Failed[i]
		o.Set(f.Id, outbox.EntryError(aws.ToString(f.Code), aws.ToString(f.Message), f.SenderFault))
	}
	return o, nil
}

func (c *Client) entry(i int, m *outbox.Message) types.PublishBatchRequestEntry {
	e := types.PublishBatchRequestEntry{Id: outbox.EntryID(i), Message: &m.Body}
	if c.fifo {
		e.MessageGroupId, e.MessageDeduplicationId = &m.Group, &m.Dedup
	}
	if len(m.Attributes) > 0 {
		e.MessageAttributes = make(map[string]types.MessageAttributeValue, len(m.Attributes))
	}
	for _, a := range m.Attributes {
		e.MessageAttributes[a.Name] = types.MessageAttributeValue{DataType: aws.String(a.Type), StringValue: aws.String(a.Value)}
	}
	return e
}
