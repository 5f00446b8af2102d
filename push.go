package sumu

import (
	"context"
	"sync"
	"time"
)

// NotifyClient hands a notification to whatever delivers it: a queue, a topic,
// or a pusher in the same process. Most code calls notify.Send, which makes an
// id and validates first.
type NotifyClient interface {
	// Send returns nil once the transport has accepted the notification: from
	// then on it is not lost.
	Send(ctx context.Context, n Notification) error
}

// Requeuer is a [NotifyClient] that can wait: where the remainder of a push goes.
type Requeuer interface {
	// Requeue is Send after a delay, as far as the transport can delay: it may
	// deliver earlier. It returns nil once the notification is not lost.
	Requeue(ctx context.Context, n Notification, delay time.Duration) error
}

// Pusher delivers notifications to connections.
type Pusher interface {
	// Push returns one result for each notification, in their order, and the
	// errors of the results joined. One notification's failure never stops
	// another's. A connection that several notifications with the same ID
	// reach gets the first of them only.
	Push(ctx context.Context, batch ...Notification) ([]Result, error)
}

// Sender posts to one connection.
type Sender interface {
	// Post returns nil once the connection has taken the payload. ErrGone is
	// returned when the connection is no more, ErrThrottled when the account or
	// this one connection needs a pause, ErrForbidden when the sender itself is
	// refused: a fault of configuration that holds for every connection.
	Post(ctx context.Context, c Connection, p *Payload) error
}

// BatchSender is a [Sender] that can post to many connections by one request. A
// pusher collects the targets of a payload for it, by their Endpoint.
type BatchSender interface {
	Sender

	// MaxBatch returns how many connections with the Endpoint of c one
	// PostBatch may be given. Less than 2: Post is called for each. It must be
	// quick, and may change at any time.
	MaxBatch(c Connection) int

	// PostBatch posts p to connections that all have the same Endpoint, once,
	// and returns one outcome for each, in their order: what Post would have
	// returned. Where it is not known what became of a connection, because an
	// answer was lost, its outcome is one that [Retryable] reports.
	// ErrUnsupported says that nothing was posted to the connection, by a
	// batch it cannot be, and Post is to be called instead.
	PostBatch(ctx context.Context, conns []Connection, p *Payload) []error
}

// ChannelSender is a [Sender] whose transport keeps the members of channels
// itself, such as a broker of which a channel is a topic. A pusher hands it what
// is for a channel, once, instead of posting to each member that its store
// knows of. Who they are nobody tells: a pusher refuses to leave any of them out,
// and refuses events, of which no store has the subscribers either.
type ChannelSender interface {
	Sender

	// PostChannel returns nil once the transport has accepted the payload for
	// the members of the channel. ErrInvalid is returned for a channel that it
	// cannot have; other errors are those of Post, of which ErrGone is none.
	PostChannel(ctx context.Context, channel string, p *Payload) error
}

// Result tells what became of one notification. Of the targets that were
// found,
//
//	Targets == Delivered + Gone + Failed + Requeued
//
// always holds.
type Result struct {
	ID   string
	Part string

	Targets   int // connections that were found, and channels of a ChannelSender
	Delivered int // posts that were accepted
	Gone      int // connections that are no more; their rows were pruned
	Failed    int // posts that cannot succeed or were tried often enough
	Requeued  int // posts that may yet succeed: they are in Remainder

	// Failures holds the first MaxFailures of the failed targets.
	Failures []Failure

	// Remainder is what is left to send, and nothing that was delivered: the
	// caller hands it to its queue again. It holds the targets that may yet
	// succeed and, where the push was cut short (by the deadline, or because
	// the store failed), the targets that were not reached.
	Remainder []Notification

	// GivenUp is what was tried for the last time and did not succeed: the
	// caller hands it to its dead-letter queue. Its connections are Failed.
	GivenUp []Notification

	// Err is why the push was cut short or refused: ErrInvalid, ErrTooLarge,
	// ErrExpired, ErrForbidden, the store's error or the context's. It is nil
	// when every target was found and posted to, whatever the posts' outcome.
	Err error
}

// Refused reports whether nothing was done for the notification and nothing
// will be: it is invalid, too large, unsupported or past its deadline.
func (r *Result) Refused() bool {
	return r.Err != nil && r.Targets == 0 && len(r.Remainder)+len(r.GivenUp) == 0
}

// MaxFailures is how many failures a [Result] names, so that its size does not
// grow with the targets.
const MaxFailures = 100

// Failure is one target that failed, and why.
type Failure struct {
	Target ConnectionRef // a channel of a ChannelSender: its name as ConnectionID, and no user
	Err    error
}

// Payload is what is posted: prepared once, shared by all targets.
type Payload struct {
	data    []byte
	mu      sync.Mutex
	derived []derivedForm
}

type derivedForm struct {
	key, value any
}

// NewPayload returns a payload that holds data, which must not change after.
// ErrTooLarge is returned when it has more than [MaxPayload] bytes.
func NewPayload(data []byte) (*Payload, error) {
	if len(data) > MaxPayload {
		return nil, tooLarge("payload has %d bytes; at most %d are allowed", len(data), MaxPayload)
	}
	return &Payload{data: data}, nil
}

// Bytes returns the payload itself. It must not be changed.
func (p *Payload) Bytes() []byte { return p.data }

// Derived returns what derive makes of the payload, computed once for each key:
// a sender's hash or frame is shared by all targets too. A key is a value of
// a type of the caller's own, as with [context.WithValue].
func (p *Payload) Derived(key any, derive func(data []byte) any) any {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, d := range p.derived {
		if d.key == key {
			return d.value
		}
	}
	v := derive(p.data)
	p.derived = append(p.derived, derivedForm{key, v})
	return v
}
