package sumu

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/sumu-live/sumu/internal/strictjson"
)

// EventReader is an event whose payload is being looked into: each field is
// found once, as a rule, however many subscriptions ask for it. It remembers
// 4,096 of them at most. It is not safe for concurrent use.
type EventReader struct {
	Event   *Event
	fields  map[string]json.RawMessage
	objects map[string]map[string]json.RawMessage
	scalars map[string]scalarValue
}

// maxRemembered is how many fields a reader remembers: clients make them up. It
// is more than honest subscribers ask for, and then begins anew.
const maxRemembered = 4_096

// NewEventReader returns a reader of an event that validates.
func NewEventReader(e *Event) *EventReader {
	return &EventReader{
		Event:   e,
		fields:  make(map[string]json.RawMessage),
		objects: make(map[string]map[string]json.RawMessage),
		scalars: make(map[string]scalarValue),
	}
}

func remember[V any](known map[string]V, field string, value V) {
	if len(known) >= maxRemembered {
		clear(known)
	}
	known[field] = value
}

// Field returns the JSON text of a dotted field of the payload, nil where
// there is none.
func (r *EventReader) Field(field string) json.RawMessage {
	if value, known := r.fields[field]; known {
		return value
	}
	parent, name := "", field
	if i := strings.LastIndexByte(field, '.'); i >= 0 {
		parent, name = field[:i], field[i+1:]
	}
	value := r.object(parent)[name]
	remember(r.fields, field, value)
	return value
}

// object returns the members of the object at a dotted field, "" being the
// payload itself; nil where there is none.
func (r *EventReader) object(field string) map[string]json.RawMessage {
	if members, known := r.objects[field]; known {
		return members
	}
	text := r.Event.Payload
	if field != "" {
		text = r.Field(field)
	}
	var members map[string]json.RawMessage
	if each, ok := strictjson.Members(text); ok && json.Valid(text) {
		members = make(map[string]json.RawMessage)
		for nameText, value := range each {
			// Of a name that comes twice the last counts. Half of a surrogate pair
			// is no name: it would be another's.
			if name, ok := strictjson.String(nameText); ok {
				members[name] = value
			}
		}
	}
	remember(r.objects, field, members)
	return members
}

// Text returns the text of a string, number or boolean at a dotted field in
// the spelling that [Subscription.Index] gives it. ok is false when there is
// no such value; isString tells a string from the others.
func (r *EventReader) Text(field string) (text string, isString, ok bool) {
	v := r.scalar(field)
	return v.canonical, v.kind == '"', v.kind != 0
}

// scalar reads a value once, however many filters compare with it: it may be
// long, and they many.
func (r *EventReader) scalar(field string) scalarValue {
	v, known := r.scalars[field]
	if !known {
		v = readScalar(r.Field(field))
		remember(r.scalars, field, v)
	}
	return v
}

// Matches reports whether a subscription, which must be valid, asks for the event.
func (r *EventReader) Matches(s *Subscription) bool {
	if s.EventType != r.Event.Type {
		return false
	}
	if s.Field == "" {
		return true
	}
	f, err := parseFilter(s.Filter)
	return err == nil && (f.kind == FilterAny || f.matches(r.scalar(s.Field)))
}

// Index says where a store looks for a subscription, which must be valid: the
// kind of its filter, and the text that an event's value at Field must equal
// (FilterEqual) or begin with (FilterPrefix). It finds all that match, and few
// others: [EventReader.Matches] decides. For prefixes compare with the text
// that [EventReader.Prefix] returns.
func (s *Subscription) Index() (kind FilterKind, text string) {
	if s.Field == "" {
		return FilterAny, ""
	}
	f, err := parseFilter(s.Filter)
	if err != nil {
		return FilterAny, ""
	}
	if f.kind == FilterEqual {
		return f.kind, canonicalNumber(f.text)
	}
	return f.kind, f.text
}

// Prefix returns the string at a dotted field as it is; ok is false when there
// is none.
func (r *EventReader) Prefix(field string) (text string, ok bool) {
	v := r.scalar(field)
	return v.text, v.kind == '"'
}

// Project returns the payload with nothing but the dotted fields that it has
// of those named, nested as they were; nil: the payload as it is. A payload
// that is no object has none.
func (r *EventReader) Project(fields []string) json.RawMessage {
	if fields == nil {
		if r.Event.Payload == nil {
			return json.RawMessage("null")
		}
		return r.Event.Payload
	}
	root := make(map[string]any)
	for _, field := range fields {
		if value := r.Field(field); value != nil {
			place(root, field, value)
		}
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(root); err != nil {
		panic(err) // Text that was valid JSON before.
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
}

// place puts a value at a dotted field, unless a whole object that holds it
// was put there before.
func place(at map[string]any, field string, value json.RawMessage) {
	for {
		name, rest, nested := strings.Cut(field, ".")
		if !nested {
			at[name] = value
			return
		}
		next, ok := at[name].(map[string]any)
		if !ok {
			if at[name] != nil {
				return
			}
			next = make(map[string]any)
			at[name] = next
		}
		at, field = next, rest
	}
}
