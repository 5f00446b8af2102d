package events

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/sumu-live/sumu"
)

// handleSubscribe adds all of a message's subscriptions or none.
func (e *Events) handleSubscribe(ctx context.Context, m sumu.Message) ([]byte, error) {
	subs, err := e.read(&m)
	if err != nil {
		return nil, err
	}
	for _, s := range subs {
		if err := e.allow(ctx, m.Identity, sumu.VerbSubscribe, s.EventType); err != nil {
			return nil, err
		}
	}
	if err := e.limitRate(&m, len(subs)); err != nil {
		return nil, err
	}
	switch err := e.store.Subscribe(ctx, m.Connection, e.opts.MaxSubscriptions, subs...); {
	case errors.Is(err, sumu.ErrLimit):
		return nil, &sumu.Error{
			Op:   fmt.Sprintf("at most %d subscriptions per connection are allowed; unsubscribe from some first", e.opts.MaxSubscriptions),
			Kind: sumu.ErrLimit, Err: err,
		}
	case err != nil:
		return nil, fault("subscribe", err)
	}
	return m.Ack(m.RequestID), nil
}

// read returns the subscriptions of a message, normalized and each once.
func (e *Events) read(m *sumu.Message) ([]sumu.Subscription, error) {
	var raw []json.RawMessage
	switch field := m.Field("subscriptions"); {
	case field == nil:
		return nil, invalid("subscriptions is missing")
	case json.Unmarshal(field, &raw) != nil || raw == nil:
		return nil, invalid("subscriptions is not a list")
	case len(raw) == 0:
		return nil, invalid("subscriptions is empty")
	case len(raw) > e.opts.MaxPerMessage:
		return nil, &sumu.Error{
			Op:   fmt.Sprintf("subscriptions has %d entries; at most %d are allowed in one message", len(raw), e.opts.MaxPerMessage),
			Kind: sumu.ErrLimit,
		}
	}
	subs := make([]sumu.Subscription, 0, len(raw))
	for i, text := range raw {
		s, err := readOne(text)
		if err != nil {
			return nil, invalid("subscriptions[%d]: %s", i, reason(err))
		}
		if !slices.ContainsFunc(subs, func(other sumu.Subscription) bool { return equal(s, other) }) {
			subs = append(subs, s)
		}
	}
	return subs, nil
}

func readOne(text json.RawMessage) (sumu.Subscription, error) {
	if text[0] != '{' {
		return sumu.Subscription{}, invalid("it is not an object")
	}
	var s sumu.Subscription
	if err := s.UnmarshalJSON(text); err != nil {
		return s, err
	}
	return s.Normalize()
}

// reason is what is wrong, without the kind, which the error has anyway.
func reason(err error) string {
	var e *sumu.Error
	if errors.As(err, &e) && e.Op != "" {
		return e.Op
	}
	return err.Error()
}

func equal(a, b sumu.Subscription) bool {
	return a.EventType == b.EventType && a.Field == b.Field && a.Filter == b.Filter &&
		(a.Fields == nil) == (b.Fields == nil) && slices.Equal(a.Fields, b.Fields)
}
