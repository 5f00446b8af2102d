// Package sqsnotify sends notifications through an SQS queue, hands clients'
// messages to a backend's queue, and consumes a queue.
//
//	client, err := sqsnotify.New(sqs.NewFromConfig(cfg), queueURL)
//	id, err := notify.Send(ctx, client, n)
//
//	// In the process that pushes:
//	err = sqsnotify.Poll(ctx, sqs.NewFromConfig(cfg), queueURL, handle)
//
// # Delivery
//
// At least once. A notification was accepted when Send has returned nil. An
// entry whose answer was lost is sent again and may then be there twice, except
// on a FIFO queue, which drops the second by the notification's key for five
// minutes.
//
// # Cost
//
// A request takes up to 10 messages; SQS bills it in units of 64 KiB. A user
// list that does not fit into one message is sent in several.
package sqsnotify

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/notify/internal/outbox"
)

// API is what this package needs of an SQS client to send: an [*sqs.Client], or
// one's own. It needs the permission sqs:SendMessage.
type API interface {
	SendMessageBatch(ctx context.Context, in *sqs.SendMessageBatchInput, optFns ...func(*sqs.Options)) (*sqs.SendMessageBatchOutput, error)
}

// MaxBytes is the largest message, and the largest batch, of SQS (read 2026-11).
const MaxBytes = 1 << 20

const (
	maxEntries = 10               // in a batch
	maxDelay   = 15 * time.Minute // of a message
)

// Options tune a [Client]. The zero value of a field is its default.
type Options struct {
	// MaxBytes is how large a message may be: set it to the queue's
	// MaximumMessageSize if that is lower. Default [MaxBytes]; 1,024 to that.
	MaxBytes int
	// Tries is how often a message is tried, on top of what the SQS client
	// itself does. Default 3; 1 to 10.
	Tries int
	// Backoff is the longest pause before the second try; it doubles with each
	// further one, up to 20 s, and the actual pause is random between half of
	// it and all. Default 100 ms; 1 ms to 20 s.
	Backoff time.Duration
	// Group returns the message group of a notification on a FIFO queue: those
	// of a group are received in their order, one group does not wait for
	// another. What cannot be a group id is replaced by its hash. Default: the
	// user, of a notification for one user or connections of one; the user who
	// sent it, of an event that a client has submitted; else "all".
	Group func(n *sumu.Notification) string
}

// Client sends notifications to a queue. It is safe for concurrent use.
type Client struct {
	queueURL string
	fifo     bool
	out      outbox.Client
	api      API
}

var (
	_ sumu.NotifyClient = (*Client)(nil)
	_ sumu.Requeuer     = (*Client)(nil)
)

// New returns a Client that sends to the queue with a URL; one that ends in
// ".fifo" is a FIFO queue. ErrInvalid is returned with every argument and
// option that cannot be.
func New(api API, queueURL string, optFns ...func(*Options)) (*Client, error) {
	var o Options
	for _, fn := range optFns {
		fn(&o)
	}
	tuning := outbox.Tuning{MaxBytes: o.MaxBytes, Tries: o.Tries, Backoff: o.Backoff}
	err := errors.Join(
		checkQueue(api == nil, queueURL),
		tuning.Complete(MaxBytes, 1024, MaxBytes),
	)
	if err != nil {
		return nil, err
	}
	group := o.Group
	if group == nil {
		group = outbox.OnlyUser
	}
	c := &Client{api: api, queueURL: queueURL, fifo: strings.HasSuffix(queueURL, ".fifo")}
	c.out = outbox.Client{
		Op:         "sqs",
		MaxMessage: tuning.MaxBytes,
		Limits:     outbox.Limits{Count: maxEntries, Bytes: MaxBytes, Tries: tuning.Tries, Backoff: tuning.Backoff},
		Group:      func(n *sumu.Notification) string { return outbox.Token(group(n)) },
		Size:       (*outbox.Message).Size,
		Call:       c.call(0),
	}
	return c, nil
}

func checkQueue(noAPI bool, queueURL string) error {
	var errs []error
	if noAPI {
		errs = append(errs, outbox.Invalid("an SQS client is missing"))
	}
	u, err := url.Parse(queueURL)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		errs = append(errs, outbox.Invalid("the queue is not given by its URL"))
	}
	return errors.Join(errs...)
}

// Send sends a notification, in several messages if its users, channels and
// connections do not fit into one. When some of those failed, it is safe to
// call it again with the same notification and ID: the messages have the same
// keys. Errors are
//
//   - ErrInvalid for a notification that does not validate, or a queue that
//     does not exist,
//   - ErrTooLarge for one that does not fit even so,
//   - ErrForbidden when the caller may not send to the queue,
//   - ErrThrottled and ErrUnavailable when it may succeed later.
//
// The cause is reachable with [errors.As].
func (c *Client) Send(ctx context.Context, n sumu.Notification) error {
	return c.SendBatch(ctx, n)[0]
}

// SendBatch sends notifications, as [Client.Send] does, in as few requests as
// possible and in their order, and returns one error for each. One that fails
// does not stop the others. A message that has to be tried again comes after
// those of its batch: send one by one where a FIFO's order must hold even then.
func (c *Client) SendBatch(ctx context.Context, ns ...sumu.Notification) []error {
	return c.out.Notifications(ctx, ns)
}

// Requeue is Send after a delay of up to 15 minutes, rounded up to a second; a
// longer one becomes 15 minutes. A FIFO queue does not delay single messages: it
// delivers at once. A delay of 0 or less is the queue's own.
func (c *Client) Requeue(ctx context.Context, n sumu.Notification, delay time.Duration) error {
	out := c.out
	if !c.fifo {
		out.Call = c.call(int32((min(max(delay, 0), maxDelay) + time.Second - 1) / time.Second))
	}
	return out.Notifications(ctx, []sumu.Notification{n})[0]
}

// Backend returns a [sumu.Backend] that sends clients' messages to the queue:
//
//	send, err := sqsnotify.Backend(client, queueURL)
//	app.Handle("send", sumu.ToBackend("apigw.route.send", send))
//
// The body is the JSON text of the client's message; the characters U+FFFE and
// U+FFFF, which SQS refuses, are escaped in it. The attributes are user_id and
// connection_id (String), timestamp (Number, epoch ms) and source (String). On
// a FIFO queue the group is the user.
//
// ErrTooLarge is returned for a message that does not fit, ErrInvalid for one
// that is empty or has a user id that an attribute cannot carry; all others
// are ErrThrottled and ErrUnavailable, a refusal by SQS included: it is not the
// client's fault.
func Backend(api API, queueURL string, optFns ...func(*Options)) (sumu.Backend, error) {
	c, err := New(api, queueURL, optFns...)
	if err != nil {
		return nil, err
	}
	return c.out.Backend, nil
}

// Presence returns a publisher that sends presence events to the queue: the
// event's JSON with the attributes source ("lambda.presence.watchdog"), user_id
// (String) and timestamp (Number, epoch ms). On a FIFO queue the group is the
// user. Errors are those of [Client.Send].
func Presence(api API, queueURL string, optFns ...func(*Options)) (sumu.PresencePublisher, error) {
	c, err := New(api, queueURL, optFns...)
	if err != nil {
		return nil, err
	}
	return sumu.PresencePublisherFunc(c.out.PublishPresence), nil
}
