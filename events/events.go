// Package events lets clients subscribe to events by type, by the value of a
// field, and for some of the fields only:
//
//	feed, err := events.New(store)
//	if err != nil {
//		return err
//	}
//	if err := feed.Attach(app); err != nil {
//		return err
//	}
//
// The App then handles the actions "subscribe" and "unsubscribe":
//
//	{"action":"subscribe","subscriptions":[
//	  {"event_type":"NESClick","filter_field":"color","filter_expr":"blue*","desired_fields":["color","x"]}]}
//
// and acknowledges them. What a filter may be is said at [sumu.Subscription].
// For an event {"type":"NESClick","payload":{"color":"blue","x":3,"y":4}} the
// subscriber receives
//
//	{"message_type":"NESClick","payload":"{\"color\":\"blue\",\"x\":3}"}
//
// whose payload is JSON in a string, once for each of its subscriptions that
// match. Events come as notifications of a backend, see notify.ToEvent; from
// clients, see [Events.Submit]; or from a Kinesis stream, see [Records].
//
// Who may subscribe is decided by the grants of the token, without any read:
// [sumu.VerbSubscribe] for the event's type, and [sumu.VerbPost] to submit one.
// What no grant names is refused. To unsubscribe needs no grant.
package events

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/ratelimit"
)

// Options tune [Events]. The zero value of a field is its default.
type Options struct {
	// Open lets every client subscribe to every event, and submit it, for demos. Default: as
	// the grants of its token say.
	Open bool
	// Policy decides instead of the grants: nil allows. ErrForbidden refuses,
	// and its text is told to the client; any other error is a fault on our
	// side. The verb is VerbSubscribe or VerbPost. Default nil: the grants decide.
	Policy func(ctx context.Context, id sumu.Identity, verb sumu.Verb, eventType string) error
	// MaxSubscriptions is how many a connection may have. More are refused with
	// limit_exceeded. Default 100; a negative value: no limit.
	MaxSubscriptions int
	// MaxPerMessage is how many one message may name. Default 100; 1 to 1,000.
	MaxPerMessage int
	// Rate is how many subscriptions a connection may make and end per second,
	// after Burst at once. More are refused with rate_limited. It counts within
	// this process alone, which on Lambda is one of many: best effort there.
	// Default 20, and 300 at once; a negative Rate: no limit. Burst must be at
	// least MaxPerMessage.
	Rate  float64
	Burst int
	// Now is the clock. Default [time.Now].
	Now func() time.Time
}

// Events answers clients. It is safe for concurrent use.
type Events struct {
	store sumu.SubscriptionStore
	opts  Options
	rate  *ratelimit.Limiter
}

// New returns Events whose subscriptions are kept in store, which must be that
// of the App and of the pusher. ErrInvalid is returned with every option that
// cannot be, ErrUnsupported when store is not a [sumu.SubscriptionStore].
func New(store sumu.Store, optFns ...func(*Options)) (*Events, error) {
	var o Options
	for _, fn := range optFns {
		fn(&o)
	}
	o.MaxSubscriptions = cmp.Or(o.MaxSubscriptions, 100)
	o.MaxPerMessage = cmp.Or(o.MaxPerMessage, 100)
	o.Rate = cmp.Or(o.Rate, 20)
	o.Burst = cmp.Or(o.Burst, max(300, 3*o.MaxPerMessage))
	if o.Now == nil {
		o.Now = time.Now
	}
	var errs []error
	subscriptions, ok := store.(sumu.SubscriptionStore)
	switch {
	case store == nil:
		errs = append(errs, invalid("Events need a Store"))
	case !ok:
		errs = append(errs, &sumu.Error{Op: "events need a store that is a SubscriptionStore", Kind: sumu.ErrUnsupported})
	}
	if o.Open && o.Policy != nil {
		errs = append(errs, invalid("both Open and a Policy are given; a Policy alone decides everything"))
	}
	if o.MaxPerMessage < 1 || o.MaxPerMessage > 1000 {
		errs = append(errs, invalid("MaxPerMessage is %d; it must be 1 to 1000", o.MaxPerMessage))
	}
	if o.Burst < o.MaxPerMessage {
		errs = append(errs, invalid("Burst is %d; it must be at least MaxPerMessage, %d", o.Burst, o.MaxPerMessage))
	}
	if o.Rate != o.Rate {
		errs = append(errs, invalid("Rate is not a number"))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	e := &Events{store: subscriptions, opts: o}
	if o.Rate > 0 {
		e.rate = ratelimit.New(o.Rate, o.Burst, o.Now)
	}
	return e, nil
}

// Attach has app handle the actions subscribe and unsubscribe, and end
// subscriptions with their connections. Call it once, before the first
// connection. ErrUnsupported is returned when the App's store keeps none.
func (e *Events) Attach(app *sumu.App) error {
	if err := app.KeepAttachments(); err != nil {
		return err
	}
	app.Handle("subscribe", e.handleSubscribe)
	app.Handle("unsubscribe", e.handleUnsubscribe)
	return nil
}

// Of yields the subscriptions of a connection, in no particular order.
func (e *Events) Of(ctx context.Context, ref sumu.ConnectionRef) iter.Seq2[sumu.Subscription, error] {
	return e.store.Subscriptions(ctx, ref)
}

// allow returns ErrForbidden, as the client may read it, unless an identity may
// do what the verb says with a type of events.
func (e *Events) allow(ctx context.Context, id sumu.Identity, verb sumu.Verb, eventType string) error {
	switch {
	case e.opts.Open:
		return nil
	case e.opts.Policy != nil:
		return e.opts.Policy(ctx, id, verb, eventType)
	case id.Grants.Allow(verb, eventType):
		return nil
	}
	return &sumu.Error{Op: fmt.Sprintf("your token does not allow to %s these events", phrase(verb)), Kind: sumu.ErrForbidden}
}

func phrase(verb sumu.Verb) string {
	if verb == sumu.VerbPost {
		return "submit"
	}
	return "subscribe to"
}

// limitRate returns ErrThrottled for a connection that changes too much too often.
func (e *Events) limitRate(m *sumu.Message, n int) error {
	if e.rate.Allow(m.Connection.ID, n) {
		return nil
	}
	return &sumu.Error{Op: "too many subscriptions in a short time; slow down", Kind: sumu.ErrThrottled}
}

func invalid(format string, args ...any) error {
	return &sumu.Error{Op: fmt.Sprintf(format, args...), Kind: sumu.ErrInvalid}
}

// fault is an error of a driver as a client is told of it: that a driver
// refuses us, or finds something of ours invalid, is not its bad request.
func fault(op string, err error) error {
	kind := sumu.ErrUnavailable
	if errors.Is(err, sumu.ErrThrottled) {
		kind = sumu.ErrThrottled
	}
	return &sumu.Error{Op: op, Kind: kind, Err: err}
}
