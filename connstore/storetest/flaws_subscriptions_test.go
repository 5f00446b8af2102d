package storetest

import (
	"context"
	"errors"
	"iter"
	"strings"
	"time"

	"github.com/sumu-live/sumu"
)

// missing makes Subscribers leave out those for which drop is true.
func missing(drop func(s subscriber) bool) func(h *hooked) {
	return subscribersAs(func(_ *hooked, _ *sumu.EventReader, all []subscriber) []subscriber { return without(all, drop) })
}

// subscribing makes Subscribe do this.
func subscribing(do func(h *hooked, ctx context.Context, c conn, most int, subs []sub) error) func(h *hooked) {
	return func(h *hooked) {
		h.subscribe = func(ctx context.Context, c conn, most int, subs ...sub) error { return do(h, ctx, c, most, subs) }
	}
}

const findsAll = "An event finds every subscription that matches it, and no other"

var subscriptionFlaws = []flaw{
	{"Subscribers come without their endpoint", subscribersAs(func(_ *hooked, _ *sumu.EventReader, all []subscriber) []subscriber {
		for i := range all {
			all[i].Connection.Endpoint = ""
		}
		return all
	}), "Who subscribed gets the events of the type, with what a sender needs"},
	{"An event without an object has no subscribers", subscribersAs(func(_ *hooked, e *sumu.EventReader, all []subscriber) []subscriber {
		if string(e.Event.Payload) == "null" {
			return nil
		}
		return all
	}), "Who subscribed gets the events of the type, with what a sender needs"},
	{"Subscriptions are not told apart by their fields", subscribing(func(h *hooked, ctx context.Context, c conn, most int, subs []sub) error {
		for i := range subs {
			if len(subs[i].Fields) == 1 {
				subs[i].Fields = nil
			}
		}
		return h.Store.Subscribe(ctx, c, most, subs...)
	}), "A subscription that differs in anything is another, and an equal one the same"},
	{"Unsubscribe removes all of the type", func(h *hooked) {
		h.unsubscribe = func(ctx context.Context, r ref, subs ...sub) error {
			if len(subs) == 2 {
				subs = list(h.Store.Subscriptions(ctx, r))
			}
			return h.Store.Unsubscribe(ctx, r, subs...)
		}
	}, "A subscription that differs in anything is another, and an equal one the same"},
	{"Unsubscribe removes everything", func(h *hooked) {
		h.unsubscribe = func(ctx context.Context, r ref, _ ...sub) error {
			return h.Store.Unsubscribe(ctx, r, list(h.Store.Subscriptions(ctx, r))...)
		}
	}, "Unsubscribe removes what it names, and one that never was is no error"},
	{"Unsubscribe of what never was is an error", func(h *hooked) {
		h.unsubscribe = func(ctx context.Context, r ref, subs ...sub) error {
			if len(list(h.Store.Subscriptions(ctx, r))) == 0 {
				return gone
			}
			return h.Store.Unsubscribe(ctx, r, subs...)
		}
	}, "Unsubscribe removes what it names, and one that never was is no error"},

	{"Any value is found only where there is one", subscribersAs(func(_ *hooked, e *sumu.EventReader, all []subscriber) []subscriber {
		return without(all, func(s subscriber) bool { return s.Subscription.Filter == "*" && e.Field(s.Subscription.Field) == nil })
	}), findsAll},
	{"Long prefixes are lost", missing(func(s subscriber) bool {
		return len(s.Subscription.Filter) > 33 && strings.HasSuffix(s.Subscription.Filter, "*")
	}), findsAll},
	{"Long values are lost", missing(func(s subscriber) bool { return len(s.Subscription.Filter) == 1024 }), findsAll},
	{"Numbers are found as they are written", missing(func(s subscriber) bool { return s.Subscription.Filter == "1e1" }), findsAll},
	{"Comparisons are lost", missing(func(s subscriber) bool { return strings.HasPrefix(s.Subscription.Filter, "<") }), findsAll},
	{"Prefixes of a letter are lost", missing(func(s subscriber) bool { return s.Subscription.Filter == "b*" }), findsAll},
	{"Nested fields are lost", missing(func(s subscriber) bool { return strings.Contains(s.Subscription.Field, ".") }), findsAll},
	{"An event finds everything of its type", func(h *hooked) {
		h.subscribers = func(ctx context.Context, e *sumu.EventReader, after string) iter.Seq2[subscriber, error] {
			return mapped(h.Store.Subscribers(ctx, e, after), func(all []subscriber) []subscriber {
				for _, s := range all[:min(len(all), 1)] {
					for _, other := range list(h.Store.Subscriptions(ctx, s.Connection.Ref())) {
						if other.EventType == e.Event.Type && !e.Matches(&other) {
							all = append(all, subscriber{Connection: s.Connection, Subscription: other})
						}
					}
				}
				return all
			})
		}
	}, findsAll},

	{"Subscribe does not say that there is no row", subscribing(func(h *hooked, ctx context.Context, c conn, most int, subs []sub) error {
		if err := h.Store.Subscribe(ctx, c, most, subs...); !errors.Is(err, sumu.ErrGone) {
			return err
		}
		return nil
	}), "Subscribe without a live row is ErrGone and leaves nothing behind"},
	{"Subscribe without a row leaves a subscriber", func(h *hooked) {
		k := h.kept()
		subscribing(func(h *hooked, ctx context.Context, c conn, most int, subs []sub) error {
			_ = k.Subscribe(ctx, c, 0, subs...)
			return h.Store.Subscribe(ctx, c, most, subs...)
		})(h)
	}, "Subscribe without a live row is ErrGone and leaves nothing behind"},
	{"Subscribe adds what fits", subscribing(func(h *hooked, ctx context.Context, c conn, most int, subs []sub) error {
		err := h.Store.Subscribe(ctx, c, most, subs...)
		if errors.Is(err, sumu.ErrLimit) {
			for _, s := range subs {
				_ = h.Store.Subscribe(ctx, c, most, s)
			}
		}
		return err
	}), "Subscribe above the limit is ErrLimit and leaves nothing behind"},
	{"What it has already counts again", subscribing(func(h *hooked, ctx context.Context, c conn, most int, subs []sub) error {
		if most > 0 && len(list(h.Store.Subscriptions(ctx, c.Ref())))+len(subs) > most {
			return limited
		}
		return h.Store.Subscribe(ctx, c, most, subs...)
	}), "Subscribe above the limit is ErrLimit and leaves nothing behind"},
	{"Subscribe adds what is valid", subscribing(func(h *hooked, ctx context.Context, c conn, most int, subs []sub) error {
		err := h.Store.Subscribe(ctx, c, most, subs...)
		if errors.Is(err, sumu.ErrInvalid) && c.Validate() == nil {
			_ = h.Store.Subscribe(ctx, c, most, subs[0])
		}
		return err
	}), "A subscription or a reference that cannot be is ErrInvalid, and nothing is added"},
	{"Unsubscribe takes anything", func(h *hooked) {
		h.unsubscribe = func(ctx context.Context, r ref, subs ...sub) error {
			if err := h.Store.Unsubscribe(ctx, r, subs...); !errors.Is(err, sumu.ErrInvalid) {
				return err
			}
			return nil
		}
	}, "A subscription or a reference that cannot be is ErrInvalid, and nothing is added"},
}

var subscriberFlaws = []flaw{
	{"Subscribers read one page", subscribersAs(func(_ *hooked, _ *sumu.EventReader, all []subscriber) []subscriber {
		return all[:min(len(all), 250)]
	}), "Subscribers of more than a page come exactly once"},
	{"A cursor of subscribers counts", func(h *hooked) {
		h.subscribers = func(ctx context.Context, e *sumu.EventReader, after string) iter.Seq2[subscriber, error] {
			return byIndex(h.Store.Subscribers(ctx, e, ""), after, func(s *subscriber, at string) { s.Cursor = at })
		}
	}, "Subscribers resume behind any cursor, also of one who has unsubscribed"},
	{"Subscribers resume behind the use of a cursor", func(h *hooked) {
		h.subscribers = func(ctx context.Context, e *sumu.EventReader, after string) iter.Seq2[subscriber, error] {
			use, _, _ := strings.Cut(after, ".")
			return mapped(h.Store.Subscribers(ctx, e, after), func(all []subscriber) []subscriber {
				return without(all, func(s subscriber) bool { return after != "" && strings.HasPrefix(s.Cursor, use+".") })
			})
		}
	}, "Subscribers resume behind any cursor, also of one who has unsubscribed"},
	{"A bad cursor of subscribers is the end", func(h *hooked) {
		h.subscribers = func(ctx context.Context, e *sumu.EventReader, after string) iter.Seq2[subscriber, error] {
			return func(yield func(subscriber, error) bool) {
				for s, err := range h.Store.Subscribers(ctx, e, after) {
					if errors.Is(err, sumu.ErrInvalid) || !yield(s, err) {
						return
					}
				}
			}
		}
	}, "A cursor of subscribers is text that JSON leaves as it is, and one that cannot be is ErrInvalid"},
	{"Subscribers are found by their number", func(h *hooked) {
		h.subscribers = func(ctx context.Context, e *sumu.EventReader, after string) iter.Seq2[subscriber, error] {
			return oneByOne(func() iter.Seq2[subscriber, error] { return h.Store.Subscribers(ctx, e, after) })
		}
	}, "The loop over subscribers may call the store"},
	{"Subscribe does not look at the context", subscribing(func(h *hooked, ctx context.Context, c conn, most int, subs []sub) error {
		return h.Store.Subscribe(context.WithoutCancel(ctx), c, most, subs...)
	}), "Calls about subscriptions with a cancelled context fail with its error"},
	{"Subscriptions outlive the row", func(h *hooked) {
		h.kept()
		h.forget = func(context.Context, ref) error { return nil }
	}, "Subscriptions end with the row, however it ends"},
	{"Subscribe counts, and then writes", subscribing(func(h *hooked, ctx context.Context, c conn, most int, subs []sub) error {
		if n := len(list(h.Store.Subscriptions(ctx, c.Ref()))); most > 0 && n+len(subs) > most {
			return limited
		}
		time.Sleep(roundTrip)
		return h.Store.Subscribe(ctx, c, 0, subs...)
	}), "Of subscriptions at the same time no more succeed than the limit allows"},
	{"Subscribe ends without another look at the row", func(h *hooked) {
		k := h.kept()
		subscribing(func(h *hooked, ctx context.Context, c conn, _ int, subs []sub) error {
			if _, err := h.Store.Get(ctx, c.Ref()); err != nil {
				return err
			}
			time.Sleep(roundTrip)
			return k.Subscribe(ctx, c, 0, subs...)
		})(h)
	}, "A subscription that meets the end of the connection leaves nothing behind"},
	{"Subscriptions do not expire", func(h *hooked) { h.kept() }, "A subscription is absent from the row's DeleteAt on"},
	{"Prolong does nothing for subscriptions", lasting(rowsDeleteAt), "A subscription that is prolonged with its row lasts as long, be it months"},
}
