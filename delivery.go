package sumu

import "time"

// Delivery is a message of a queue, a topic or a stream, as a transport hands
// it to whoever handles it: a pusher.Worker, or a backend of your own.
type Delivery struct {
	// Body is what was sent, without the transport's envelope.
	Body []byte
	// MessageID is the transport's: the same each time it delivers this
	// message, and different from that of any other. A request without an id
	// of its own goes by it; an id of its own is better, because SQS gives a
	// message that is redriven from a dead-letter queue a new one.
	MessageID string
	// Attributes are the message attributes but binary ones, as text: those of
	// SNS's envelope if there was one. Nil where the transport has none.
	Attributes map[string]string
	// Group orders messages: those of one group are handled in the order of the
	// batch, and one that fails is returned with all later ones of its group.
	// "": no order.
	Group string
	// Receives is how often the message was received, this time included, as
	// far as the transport tells: SQS's count is approximate. 0: it does not
	// tell, as topics and streams.
	Receives int
	// SentAt is when the message was sent, to the millisecond. Zero: not known.
	SentAt time.Time
}

// Outcome is what a transport does with a [Delivery].
type Outcome struct {
	// Err is nil when the message is to be acknowledged. Otherwise it is to be
	// returned as failed, so that the transport delivers it again.
	Err error
	// RetryAfter, with an Err, is how long it makes no sense to deliver the
	// message again: make it invisible for so long. 0: the transport's own
	// back-off.
	RetryAfter time.Duration
	// Rejected: the message is not valid, and no redelivery will change that.
	// Without an Err, it was handed to a dead-letter queue.
	Rejected bool
	// Fault: the message is not to blame for the Err. What it takes to handle
	// any message (the store, the queue that the remainder goes to) was
	// unavailable, throttled, or refused the request. It should not spend the
	// receives that a queue's redrive policy allows to a bad message.
	Fault bool
	// Result is what was posted and settled by this call. It is zero when
	// nothing was: the message was done before, belongs to another worker, or
	// could not be settled.
	Result Result
}
