package sumu

import (
	"context"
	"iter"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of a [Subscription].
const (
	MaxEventType     = 256   // bytes
	MaxField         = 256   // bytes of a dotted field
	MaxFilter        = 1_024 // bytes
	MaxDesiredFields = 100
)

// Subscription asks for events of a type, perhaps for some of them and for
// parts of them only. Its JSON is that of clients.
type Subscription struct {
	// EventType is 1 to [MaxEventType] bytes without control characters; it
	// must equal the event's.
	EventType string `json:"event_type"`
	// Field is a dotted field of the payload, such as "player.id", whose value
	// Filter must match; "": every event matches.
	Field string `json:"filter_field,omitempty"`
	// Filter is "*" (anything, also where the field is absent), a prefix of a
	// string such as "blue*", a comparison with a number such as ">= 10" (with
	// <, <=, > or >=), or the value itself: a string's text, a number, true or false.
	Filter string `json:"filter_expr,omitempty"`
	// Fields are the dotted fields that the subscriber wants of the payload; a
	// field that an event does not have is left out. nil: the whole of it.
	Fields []string `json:"desired_fields,omitempty"`
}

// UnmarshalJSON reads the JSON of clients. ErrInvalid is returned with what is
// wrong and where. What every member but the type does is to narrow: so one
// that is not known is ignored only if it does not look like a known one
// misspelt, and has no "field", "filter" or "expr" in its name.
func (s *Subscription) UnmarshalJSON(data []byte) error {
	members, err := object(data)
	if err != nil {
		return err
	}
	var out Subscription
	known := map[string]wireField{
		"event_type":     {&out.EventType, "a string"},
		"filter_field":   {&out.Field, "a string"},
		"filter_expr":    {&out.Filter, "a string"},
		"desired_fields": {&out.Fields, "a list of strings"},
	}
	for _, m := range members {
		if field, ok := known[m.Name]; ok {
			if m.Value[0] == 'n' {
				continue // As if it were left out.
			}
			if err := field.read(m.Name, m.Value); err != nil {
				return err
			}
			continue
		}
		near := nearest(m.Name, slices.Sorted(maps.Keys(known))...)
		folded := fold(m.Name)
		if near != "" || strings.Contains(folded, "field") || strings.Contains(folded, "filter") || strings.Contains(folded, "expr") {
			return unknownMember(m.Name, near)
		}
	}
	*s = out
	return nil
}

// Normalize returns the subscription with its Fields sorted and without
// duplicates. Two that are equal then are the same subscription. ErrInvalid is
// returned for one that cannot be.
func (s Subscription) Normalize() (Subscription, error) {
	switch n := len(s.EventType); {
	case n == 0:
		return s, invalid("event_type is empty")
	case n > MaxEventType:
		return s, invalid("event_type has %d bytes; at most %d are allowed", n, MaxEventType)
	case !utf8.ValidString(s.EventType) || strings.ContainsFunc(s.EventType, unicode.IsControl):
		return s, invalid("event_type holds a control character or is not valid UTF-8")
	case s.Field == "" && s.Filter != "":
		return s, invalid("filter_expr without filter_field; name the field that it is about")
	case s.Field != "" && s.Filter == "":
		return s, invalid("filter_field without filter_expr; use \"*\" for any value")
	}
	if s.Field != "" {
		if err := checkField("filter_field", s.Field); err != nil {
			return s, err
		}
		if _, err := parseFilter(s.Filter); err != nil {
			return s, err
		}
	}
	if s.Fields == nil {
		return s, nil
	}
	if n := len(s.Fields); n == 0 || n > MaxDesiredFields {
		return s, invalid("desired_fields has %d fields; give 1 to %d, or leave it out for all", n, MaxDesiredFields)
	}
	for i, f := range s.Fields {
		if err := checkField("desired_fields["+itoa(i)+"]", f); err != nil {
			return s, err
		}
	}
	s.Fields = slices.Compact(slices.Sorted(slices.Values(s.Fields)))
	return s, nil
}

// maxFieldDepth is more than what payloads are made of.
const maxFieldDepth = 16

func checkField(what, field string) error {
	switch {
	case len(field) > MaxField:
		return invalid("%s has %d bytes; at most %d are allowed", what, len(field), MaxField)
	case !utf8.ValidString(field) || strings.ContainsFunc(field, unicode.IsControl):
		return invalid("%s holds a control character or is not valid UTF-8", what)
	case strings.Count(field, ".") >= maxFieldDepth:
		return invalid("%s is over %d levels deep", what, maxFieldDepth)
	}
	for part := range strings.SplitSeq(field, ".") {
		if part == "" {
			return invalid("%s has an empty name between its dots", what)
		}
	}
	return nil
}

// Subscriber is a connection and one of its subscriptions.
type Subscriber struct {
	Connection   Connection // what a sender needs of it; see [Member]
	Subscription Subscription
	// Cursor is where among the subscribers of an event this one is, for
	// [SubscriptionStore.Subscribers]. It has a meaning to its store alone.
	Cursor string
}

// SubscriptionStore is a [Store] that keeps who has subscribed to which
// events. An event reads only subscriptions that may match it, however many
// others there are. Its contract is enforced by the suite in
// connstore/storetest.
type SubscriptionStore interface {
	AttachmentStore

	// Subscribe adds subscriptions to a connection, until its DeleteAt. One
	// that it has already is no error. ErrGone is returned when the connection
	// has no live row, ErrLimit when it would have more than most
	// subscriptions (0 or less: no limit), ErrInvalid for one that cannot be.
	// Nothing is left behind then.
	Subscribe(ctx context.Context, c Connection, most int, subs ...Subscription) error

	// Unsubscribe removes subscriptions of a connection. One that never was is
	// no error.
	Unsubscribe(ctx context.Context, ref ConnectionRef, subs ...Subscription) error

	// Subscriptions yields those of a connection, in no particular order:
	// strongly consistent.
	Subscriptions(ctx context.Context, ref ConnectionRef) iter.Seq2[Subscription, error]

	// Subscribers yields the subscriptions that match an event, streamed, each
	// exactly once if it is there from beginning to end, also when the reading
	// was stopped and resumed behind the Cursor after; "" is the beginning. It
	// is strongly consistent: a subscription that was answered receives every
	// event that is accepted later. The loop's body may call the store. After
	// an error it yields nothing more.
	Subscribers(ctx context.Context, e *EventReader, after string) iter.Seq2[Subscriber, error]
}
