package sqsnotify

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/logging"
	"github.com/sumu-live/sumu/notify/internal/outbox"
)

// PollAPI is what [Poll] needs of an SQS client: an [*sqs.Client], or one's own.
// Its timeout for a request must be longer than [PollOptions.Wait]; Poll asks
// again after 20 s more. It needs the permissions sqs:ReceiveMessage,
// sqs:DeleteMessage and sqs:ChangeMessageVisibility.
type PollAPI interface {
	ReceiveMessage(ctx context.Context, in *sqs.ReceiveMessageInput, optFns ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error)
	DeleteMessageBatch(ctx context.Context, in *sqs.DeleteMessageBatchInput, optFns ...func(*sqs.Options)) (*sqs.DeleteMessageBatchOutput, error)
	ChangeMessageVisibilityBatch(ctx context.Context, in *sqs.ChangeMessageVisibilityBatchInput, optFns ...func(*sqs.Options)) (*sqs.ChangeMessageVisibilityBatchOutput, error)
}

// Handler handles 1 to 10 messages of a queue and returns one outcome for each:
// the method Handle of a pusher.Worker is one. Without an Err the message is
// removed; with one it comes again, after [sumu.Outcome]'s RetryAfter (rounded
// up to seconds, at most 12 hours) or else Poll's own back-off. If there are not
// as many outcomes as messages, or the handler panics (see [sumu.PanicError]),
// all of them come again.
//
// The messages of a FIFO queue are in the order of their groups. To keep it,
// return an error for those of a group that follow one that failed.
type Handler func(ctx context.Context, batch ...sumu.Delivery) []sumu.Outcome

// PollOptions tune [Poll]. The zero value of a field is its default.
type PollOptions struct {
	// Pollers is how many batches are received and handled at once. Default 1;
	// 1 to 1,000.
	Pollers int
	// Batch is how many messages a handler gets at most. Default 10; 1 to 10.
	Batch int
	// Wait is how long a request waits for a message: rounded up to seconds.
	// Default and longest 20 s.
	Wait time.Duration
	// Visibility is how long a message that was received stays hidden from
	// other consumers: how soon it is handled again when this process dies. It
	// is extended at every third of itself while a handler works. Rounded up to
	// seconds; default 30 s; 3 s to 12 h.
	Visibility time.Duration
	// Timeout is how long a handler may take: its ctx ends then. A pusher.Worker
	// leaves what it has not reached until then to another message. It leases
	// messages for so long and 5 s more, or twice so long if that is less: with
	// the default a lease ends no later than Visibility does, and with a longer
	// Timeout messages wait for it when this process dies. Default Visibility
	// less 5 s, at least half of it, at most 11 h; 1 s to 11 h.
	Timeout time.Duration
	// Grace is how long handlers may go on once ctx has ended; theirs ends
	// after it. Poll then deletes what was handled, for 10 s more at most: give
	// the process that much before it is killed. Default 30 s; a negative value
	// means 0.
	Grace time.Duration
	// Backoff is the longest time until a message that failed is visible again.
	// It doubles with each receipt, up to MaxBackoff; the actual time is random
	// between half of it and all, rounded up to seconds. Default 1 s; 1 ms to 1 h.
	// With [sumu.Outcome]'s Fault it begins with 30 s.
	Backoff time.Duration
	// MaxBackoff is the longest that Backoff becomes. Default 5 min; 1 s to 11 h.
	MaxBackoff time.Duration

	// Probe tells, while batches are held, whether what handlers need is there
	// again; the method Probe of a pusher.Worker does. It returns nil when it
	// makes sense to handle messages, within Timeout, and must be cheap. Called
	// from several goroutines. nil: the messages themselves are tried, and a
	// batch is held for 10 min only.
	Probe func(ctx context.Context) error

	// Raw leaves bodies as they are. Default: SNS's envelope is taken off a
	// body that is one and comes without message attributes of its own.
	Raw bool

	// Settled is told of each message once it is dealt with: err is nil when it
	// was handled and is removed from the queue; else it comes again, because of
	// the handler's error or because it could not be removed. Called from
	// several goroutines. nil: nobody is told.
	Settled func(ctx context.Context, d sumu.Delivery, err error)
	// Logger is told of requests to SQS that fail, and of outages: when one
	// begins and when it is over. Default: [slog.Default], warnings and errors;
	// slog.New(slog.DiscardHandler) for silence.
	Logger *slog.Logger
}

func (o *PollOptions) complete() error {
	o.Pollers = cmp.Or(o.Pollers, 1)
	o.Batch = cmp.Or(o.Batch, maxEntries)
	o.Wait = cmp.Or(o.Wait, 20*time.Second)
	o.Visibility = cmp.Or(o.Visibility, 30*time.Second)
	o.Timeout = cmp.Or(o.Timeout, min(max(o.Visibility-handlerMargin, o.Visibility/2, time.Second), maxTimeout))
	o.Grace = max(cmp.Or(o.Grace, 30*time.Second), 0)
	o.Backoff = cmp.Or(o.Backoff, time.Second)
	o.MaxBackoff = cmp.Or(o.MaxBackoff, 5*time.Minute)
	if o.Settled == nil {
		o.Settled = func(context.Context, sumu.Delivery, error) {}
	}
	o.Logger = logging.Or(o.Logger)
	return errors.Join(
		outbox.InRange("Pollers", o.Pollers, 1, 1_000),
		outbox.InRange("Batch", o.Batch, 1, maxEntries),
		outbox.InRange("Wait", o.Wait, time.Millisecond, 20*time.Second),
		outbox.InRange("Visibility", o.Visibility, 3*time.Second, maxVisibility),
		outbox.InRange("Timeout", o.Timeout, time.Second, maxTimeout),
		outbox.InRange("Backoff", o.Backoff, time.Millisecond, time.Hour),
		outbox.InRange("MaxBackoff", o.MaxBackoff, time.Second, 11*time.Hour),
	)
}

const (
	maxVisibility = 12 * time.Hour // the longest that SQS hides a message (read 2026-11)
	maxTimeout    = 11 * time.Hour
	handlerMargin = 5 * time.Second // of a pusher.Worker's lease, beyond the deadline of a call
)

// Poll receives messages from a queue and hands them to a handler until ctx
// ends. Then it receives no more, lets the handlers finish within
// [PollOptions.Grace], makes visible again what was not handled, and returns
// nil. It leaves no goroutine behind: a handler that goes on after its ctx has
// ended holds it up.
//
// Delivery is at least once: a message is removed only after the handler has
// returned nil for it, and comes again when this process dies, when it could
// not be removed in time, or when the handler outlasts SQS's limit of 12 hours.
// The queue's redrive policy says how often a message may fail before it goes
// to the dead-letter queue. An answer of SQS that is lost leaves its messages
// hidden for [PollOptions.Visibility], and counts as a receipt.
//
// An outage of what handlers need spends no more receipts. A batch is held when
// every message of it fails with [sumu.Outcome]'s Fault, none with a RetryAfter
// over 30 s: it stays hidden, and is handled again after 1 s, doubling to 30 s,
// once [PollOptions.Probe] passes.
// What is not received waits in the queue for as long as that keeps it. When the
// batch has failed so five times in a row although Probe passes, or after 11
// hours, its messages come again as others that fail. Those with a Fault in a
// batch that had others are not held: they come again after 30 s, doubling with
// each receipt to MaxBackoff. When ctx ends a held batch is given back at once.
//
// A queue that is throttled or unavailable is tried again, after a pause of up
// to 20 s, for as long as it takes. ErrForbidden and ErrInvalid are returned,
// after the same orderly end, when SQS refuses the request: the permission is
// missing, or the queue. Once it was there a permission is waited for.
// ErrInvalid is also returned at once, with every argument and option that
// cannot be.
func Poll(ctx context.Context, api PollAPI, queueURL string, handle Handler, optFns ...func(*PollOptions)) error {
	var o PollOptions
	for _, fn := range optFns {
		fn(&o)
	}
	errs := []error{checkQueue(api == nil, queueURL), o.complete()}
	if handle == nil {
		errs = append(errs, outbox.Invalid("a handler is missing"))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	receiving, stop := context.WithCancel(ctx)
	defer stop()
	// Not ctx: what was received is still handled when that ends.
	working, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	p := &poller{api: api, queueURL: queueURL, handle: handle, o: o, receiving: receiving, working: working}

	var pollers, grace sync.WaitGroup
	var once sync.Once
	var refused error
	for range o.Pollers {
		pollers.Go(func() {
			defer stop() // An error holds for all of them: it is the same queue.
			if err := p.run(); err != nil {
				once.Do(func() { refused = err })
			}
		})
	}
	grace.Go(func() {
		<-receiving.Done()
		t := time.NewTimer(o.Grace)
		defer t.Stop()
		select {
		case <-t.C:
			cut()
		case <-working.Done():
		}
	})
	pollers.Wait()
	cut()
	grace.Wait()
	return refused
}
