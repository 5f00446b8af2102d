// Package pusher delivers notifications to connections: it finds the targets
// in a store, posts to each through a sender, retries what may yet succeed,
// prunes what is gone, and accounts for every target.
//
//	push, err := pusher.New(store, sender)
//	results, err := push.Push(ctx, sumu.Notification{
//		Users: []string{"ann", "bob"},
//		Data:  json.RawMessage(`{"type":"order","id":7}`),
//	})
//
// # Delivery
//
// A failure of one target never stops the others. Every target that was found
// ends as delivered, gone, failed with a reason, or named in the remainder,
// and the counts add up; see [sumu.Result]. Whoever called Push hands the
// remainder to its queue again: it holds nothing that was delivered. A target
// gets a notification twice only where the answer to a post was lost.
//
// Notifications of one batch reach a connection in their order, also when a
// post has to be tried again. Those with the same ID reach it once.
//
// A sender that is a [sumu.BatchSender] posts to many connections of one node by
// one request: the targets of a payload are collected by their endpoint as they
// are found. Each still has an outcome of its own, and only what failed is tried
// again; but when the answer to a batch is lost, each of its posts counts as one
// whose answer was lost.
//
// A notification that names several channels, or users beside them, reaches a
// connection once, also over its remainders: what is left leaves out the members
// of channels that were passed. Whoever joins one of those while a remainder
// waits, and was still to be reached in another way, misses the notification.
//
// A sender that is a [sumu.ChannelSender] has channels of its own: each counts as
// one target, to which the payload is posted once. Its members are not known: a
// connection in several of the channels, or whose user is named beside, gets it
// several times, with one id. To leave anybody out is ErrUnsupported, and so are
// events.
//
// # Queues
//
// A [Worker] does all of this for the messages of a queue, a topic or a stream:
//
//	worker, err := pusher.NewWorker(push, queue, func(o *pusher.WorkerOptions) {
//		o.Records = store // a sumu.StateStore
//	})
//	outcomes := worker.Handle(ctx, deliveries...)
//
// It stops before the deadline, sends what remains to the queue as messages of
// their own, and tells the transport which deliveries to acknowledge. A record
// per message (a lease while it is posted, then what was settled) makes
// redeliveries harmless: every live target is posted to once, but
//
//   - once more for each post whose answer was lost, and
//   - once more for each post of a call that was killed, or whose records the
//     store refused, between its posts and the one write that settles them.
//
// Each message is counted at that write: [sumu.Observer]'s Pushed is told then,
// by the one worker that made it, and never if that worker dies right after.
// The record keeps the counts. Nothing is acknowledged before it is delivered,
// in the queue again, or in the dead letters. Without records every redelivery
// may post and count everything again.
//
// A model test drives Workers through random schedules, faults and crashes, and
// takes out one rule of this protocol at a time to see that each is needed.
//
// # Outages
//
// The attempts of a notification, and the receives that a redrive policy allows,
// are for bad targets and bad messages. What the store, the records, the sender
// or the queue fail at (ErrUnavailable, ErrThrottled, ErrForbidden, no answer)
// spends time instead, up to [Options.MaxOutage]:
//
//   - what could not be looked up, and targets whose posts failed for the
//     sender's fault, go to the queue with their attempts as they were. They
//     wait for as long as the outage has lasted, at most 15 min;
//   - a message that cannot be begun or settled is returned with
//     [sumu.Outcome]'s Fault. From its third receive on, and from the first where
//     the transport does not count (topics, streams), it is sent to the queue
//     instead, to come again in 5 min. Those of a group keep their order and are
//     not: allow a FIFO queue hundreds of receives;
//   - ErrThrottled of a post is an attempt, for it may be one client that reads
//     too slowly, and a panic is the message's own fault.
//
// A consumer that has only faults asks [Worker.Probe] whether they are over.
//
// # Cost
//
// A message without a remainder costs a Worker two conditional writes of a
// record (two WCU of DynamoDB) beside the look-ups and posts; one with a
// remainder three; a redelivery one write that fails and one read.
//
// Memory is flat in the number of targets: connections are streamed from the
// store, at most [Options.Concurrency] posts are in flight, at most some 8,000
// targets wait for their batch and as many are under way in batches, and when too
// many posts fail for a while the push stops and leaves the rest in the
// remainder. The exception is a batch in which several notifications share an
// ID: it remembers their targets.
package pusher

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/logging"
)

// Pusher is a [sumu.Pusher]. It is safe for concurrent use.
type Pusher struct {
	store    sumu.Store
	channels sumu.ChannelStore      // nil: the store keeps none
	events   sumu.SubscriptionStore // nil: the store keeps none
	sender   sumu.Sender
	topics   sumu.ChannelSender // nil: channels are those of the store
	opts     Options
	lines    lines
	random   func(time.Duration) time.Duration // from 0 up to it, without it
}

var _ sumu.Pusher = (*Pusher)(nil)

// New returns a Pusher that finds connections in store and posts through
// sender. ErrInvalid is returned with every option that cannot be.
func New(store sumu.Store, sender sumu.Sender, optFns ...func(*Options)) (*Pusher, error) {
	var o Options
	for _, fn := range optFns {
		fn(&o)
	}
	o.Concurrency = cmp.Or(o.Concurrency, 64)
	o.Batch = max(cmp.Or(o.Batch, 1_000), 0)
	o.Lookahead = cmp.Or(o.Lookahead, 16)
	o.Tries = cmp.Or(o.Tries, 3)
	o.Backoff = cmp.Or(o.Backoff, 100*time.Millisecond)
	o.Attempts = cmp.Or(o.Attempts, 5)
	o.MaxOutage = cmp.Or(o.MaxOutage, 96*time.Hour)
	o.PostTimeout = cmp.Or(o.PostTimeout, 10*time.Second)
	o.PruneAge = cmp.Or(o.PruneAge, 5*time.Second)
	o.PruneAge = max(o.PruneAge, 0)
	o.Logger = logging.Or(o.Logger)
	if o.Now == nil {
		o.Now = time.Now
	}
	var errs []error
	if store == nil {
		errs = append(errs, invalid("a Pusher needs a Store"))
	}
	if sender == nil {
		errs = append(errs, invalid("a Pusher needs a Sender"))
	}
	errs = append(errs,
		inRange("Concurrency", o.Concurrency, 1, 10_000),
		inRange("Batch", o.Batch, 0, 10_000),
		inRange("Lookahead", o.Lookahead, 1, 1_000),
		inRange("Tries", o.Tries, 1, 10),
		inRange("Backoff", o.Backoff, time.Millisecond, time.Minute),
		inRange("Attempts", o.Attempts, 1, 100),
		inRange("MaxOutage", o.MaxOutage, time.Second, 14*24*time.Hour),
		inRange("PostTimeout", o.PostTimeout, time.Millisecond, time.Hour),
	)
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	p := &Pusher{store: store, sender: sender, opts: o, random: rand.N[time.Duration]}
	p.channels, _ = store.(sumu.ChannelStore)
	p.events, _ = store.(sumu.SubscriptionStore)
	p.topics, _ = sender.(sumu.ChannelSender)
	return p, nil
}

// Push delivers a batch; see [sumu.Pusher] and [sumu.Result]. It stops before
// the deadline of ctx, early enough (a tenth of the time it was given, at most
// a second) for the posts in flight to be answered; what it did not reach is in
// the remainders. A result's Err is
//
//   - ErrInvalid for a notification that does not validate, and ErrTooLarge for
//     one over [sumu.MaxPayload]: refused before any post,
//   - ErrExpired when the notification's deadline has passed,
//   - ErrUnsupported for channels and events, where the store does not keep them,
//     and for what a [sumu.ChannelSender] cannot do,
//   - ErrForbidden when the sender is refused: the batch stops,
//   - the store's error, or that of ctx, when it cut the push short.
//
// A panic in the store or the sender is an error like any other, of kind
// ErrUnavailable with a [*sumu.PanicError] inside; one in an observer is ignored.
func (p *Pusher) Push(ctx context.Context, batch ...sumu.Notification) ([]sumu.Result, error) {
	if len(batch) == 0 {
		return nil, nil
	}
	plans := make([]*plan, len(batch))
	for i := range batch {
		plans[i] = p.newPlan(&batch[i])
	}
	p.run(ctx, plans)

	results := make([]sumu.Result, len(plans))
	errs := make([]error, 0, len(plans))
	for i, pl := range plans {
		results[i] = pl.result
		if err := pl.result.Err; err != nil {
			errs = append(errs, &sumu.Error{Op: "push " + pl.n.ID, Err: err})
		}
		p.observePushed(ctx, pl.result)
	}
	return results, errors.Join(errs...)
}

// run posts what the plans ask for, and settles their results.
func (p *Pusher) run(ctx context.Context, plans []*plan) {
	shareTargets(plans)
	newRun(ctx, p, plans).do()
	for _, pl := range plans {
		pl.finish(p.opts.Attempts, p.opts.Now)
		p.logPushed(ctx, pl)
	}
}
