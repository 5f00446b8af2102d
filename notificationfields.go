package sumu

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"

	"github.com/sumu-live/sumu/internal/strictjson"
)

// wireField says how a member of the wire format is read.
type wireField struct {
	into any
	want string // what it must be, for the error message
}

func (w *notificationJSON) fields() map[string]wireField {
	return map[string]wireField{
		"id":                  {&w.ID, "a string"},
		"users":               {&w.Users, "a list of strings"},
		"channels":            {&w.Channels, "a list of strings"},
		"connections":         {&w.Connections, "a list of objects with user_id and connection_id"},
		"everyone":            {&w.Everyone, "true"},
		"event":               {&w.Event, "an object with type and payload"},
		"exclude_users":       {&w.ExcludeUsers, "a list of strings"},
		"exclude_connections": {&w.ExcludeConnections, "a list of strings"},
		"exclude_channels":    {&w.ExcludeChannels, "a list of strings"},
		"from":                {&w.From, "a string"},
		"data":                {&w.Data, "any JSON value"},
		"deadline":            {&w.Deadline, "a number of seconds since 1970"},
		"part":                {&w.Part, "a string"},
		"attempt":             {&w.Attempt, "a number"},
		"since":               {&w.Since, "a number of milliseconds since 1970"},
		"segment":             {&w.Segment, "an object with index and count"},
		"after":               {&w.After, "a string"},
		"framed":              {&w.Framed, "true or false"},
	}
}

func (f wireField) read(name string, value json.RawMessage) error {
	switch into := f.into.(type) {
	case *json.RawMessage:
		*into = bytes.Clone(value) // The text is the caller's.
		return nil
	case *[]string:
		if value[0] == 'n' {
			*into = []string{}
			return nil
		}
		return readStrings(name, value, into)
	}
	if value[0] == 'n' {
		return nil // As if it were left out.
	}
	switch into := f.into.(type) {
	case *string:
		return readString(name, value, into)
	case *[]ConnectionRef:
		return readRefs(name, value, into, f.want)
	case *ConnectionRef:
		return into.read(name, value, f.want)
	case **Event:
		*into = new(Event)
		return (*into).read(name, value, f.want)
	case **Segment:
		*into = new(Segment)
		return (*into).read(name, value, f.want)
	case *json.Number:
		if value[0] == '"' {
			return invalid("%s is a string; it must be %s", name, f.want) // A json.Number takes "1" too.
		}
	}
	if err := json.Unmarshal(value, f.into); err != nil {
		return invalid("%s is not %s", name, f.want)
	}
	return nil
}

// readNested reads an object of the wire by its known members. What it ignores
// is unknown and no known one misspelt.
func readNested(name string, value json.RawMessage, want string, known map[string]wireField) error {
	if value[0] != '{' {
		return invalid("%s is not %s", name, want)
	}
	members, err := object(value)
	if err != nil {
		return &Error{Op: name, Err: err}
	}
	for _, m := range members {
		field, ok := known[m.Name]
		if !ok {
			if near := nearest(m.Name, slices.Sorted(maps.Keys(known))...); near != "" {
				return &Error{Op: name, Err: unknownMember(m.Name, near)}
			}
			continue
		}
		if err := field.read(name+"."+m.Name, m.Value); err != nil {
			return err
		}
	}
	return nil
}

func readRefs(name string, value json.RawMessage, into *[]ConnectionRef, want string) error {
	elements, ok := strictjson.List(value)
	if !ok {
		return invalid("%s is not %s", name, want)
	}
	for e := range elements {
		var ref ConnectionRef // Of null it stays empty, which is refused later.
		if e[0] != '{' && e[0] != 'n' {
			return invalid("%s is not %s", name, want)
		}
		if e[0] == '{' {
			if err := ref.read(name+"["+itoa(len(*into))+"]", e, want); err != nil {
				return err
			}
		}
		*into = append(*into, ref)
	}
	return nil
}

func (r *ConnectionRef) read(name string, value json.RawMessage, want string) error {
	return readNested(name, value, want, map[string]wireField{
		"user_id":       {&r.UserID, "a string"},
		"connection_id": {&r.ConnectionID, "a string"},
	})
}

func (e *Event) read(name string, value json.RawMessage, want string) error {
	return readNested(name, value, want, map[string]wireField{
		"type":    {&e.Type, "a string"},
		"payload": {&e.Payload, "any JSON value"},
	})
}

// read refuses what it does not know: a part that is not meant for everybody
// must not become the whole.
func (s *Segment) read(name string, value json.RawMessage, want string) error {
	known := map[string]wireField{
		"index": {&s.Index, "a number"},
		"count": {&s.Count, "a number"},
		"after": {&s.After, "an object with user_id and connection_id"},
	}
	if members, err := object(value); err == nil {
		for _, m := range members {
			if _, ok := known[m.Name]; !ok {
				return &Error{Op: name, Err: unknownMember(m.Name, nearest(m.Name, "index", "count", "after"))}
			}
		}
	}
	return readNested(name, value, want, known)
}

func itoa(i int) string { return strconv.Itoa(i) }
