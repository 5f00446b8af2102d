// Package strictjson reads JSON of the outside where encoding/json is lenient:
// a name that comes twice, or in another case, would let two readers of one
// text see two users in it; and half of a surrogate pair would be read as
// U+FFFD, one name for many. It imports the standard library only.
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"unicode/utf8"
)

// Member is a member of an object: its name, unescaped, and the text of its value.
type Member struct {
	Name  string
	Value json.RawMessage
}

// Object is the members of a JSON object in their order.
type Object []Member

// Get returns the text of a member's value; nil when there is none.
func (o Object) Get(name string) json.RawMessage {
	for _, m := range o {
		if m.Name == name {
			return m.Value
		}
	}
	return nil
}

// The errors of Parse; they are meant for whoever sent the text, and repeat
// none of it but a name.
var (
	errNotUTF8    = errors.New("text is not valid UTF-8")
	errEnd        = errors.New("not valid JSON: it ends too early")
	errBehind     = errors.New("text goes on after the JSON object")
	errNotObject  = errors.New("not a JSON object")
	errHalfInName = errors.New("a name holds half of a surrogate pair")
)

// few is up to how many members are compared one by one.
const few = 16

// Parse reads a JSON object of at most limit members; 0: any number. The values
// share the memory of data.
func Parse(data []byte, limit int) (Object, error) {
	if err := check(data); err != nil {
		return nil, err
	}
	each, ok := Members(data)
	if !ok {
		return nil, errNotObject
	}
	members := make(Object, 0, 12)
	var seen map[string]struct{} // of more than a few
	for text, value := range each {
		name, ok := String(text)
		if !ok {
			return nil, errHalfInName
		}
		twice := false
		if len(members) < few {
			twice = members.Get(name) != nil
		} else {
			if seen == nil {
				seen = make(map[string]struct{})
				for _, m := range members {
					seen[m.Name] = struct{}{}
				}
			}
			_, twice = seen[name]
			seen[name] = struct{}{}
		}
		if twice {
			return nil, fmt.Errorf("member %.64q comes twice", name)
		}
		if len(members) == limit && limit > 0 {
			return nil, fmt.Errorf("it has more than %d members", limit)
		}
		members = append(members, Member{name, value})
	}
	return members, nil
}

// Members yields the members of a JSON object as they are written: the text of
// the name, for [String], and that of the value; not ok when data, which must be
// valid JSON, is none.
func Members(data []byte) (members iter.Seq2[[]byte, []byte], ok bool) {
	s := Scanner{Data: data}
	if len(data) == 0 || s.Peek() != '{' {
		return nil, false
	}
	return func(yield func(name, value []byte) bool) {
		s := s
		for s.Pos++; s.Peek() != '}'; {
			name := s.Value()
			s.Peek()
			s.Pos++ // The colon.
			s.Peek()
			if !yield(name, s.Value()) {
				return
			}
			if s.Peek() == ',' {
				s.Pos++
			}
		}
	}, true
}

// check returns an error unless data is one JSON value.
func check(data []byte) error {
	switch {
	case !utf8.Valid(data):
		return errNotUTF8
	case json.Valid(data):
		return nil
	}
	// Once more, for what is wrong with it. What the decoder saw may be part of
	// a payload, and is left out.
	dec := json.NewDecoder(bytes.NewReader(data))
	var v json.RawMessage
	err := dec.Decode(&v)
	var syntax *json.SyntaxError
	switch {
	case err == nil:
		return errBehind
	case errors.As(err, &syntax):
		return fmt.Errorf("not valid JSON (at byte %d)", syntax.Offset)
	}
	return errEnd
}

// List yields the elements of a JSON list, each as its text, so that a list of
// millions costs no memory; not ok when data, which must be valid JSON, is none.
func List(data []byte) (elements iter.Seq[[]byte], ok bool) {
	s := Scanner{Data: data}
	if len(data) == 0 || s.Peek() != '[' {
		return nil, false
	}
	return func(yield func([]byte) bool) {
		s := s
		for s.Pos++; s.Peek() != ']'; {
			if !yield(s.Value()) {
				return
			}
			if s.Peek() == ',' {
				s.Pos++
			}
		}
	}, true
}

// String returns the string of a JSON value, which must be valid JSON; not ok
// when it is none, or holds half of a surrogate pair.
func String(value []byte) (s string, ok bool) {
	if len(value) < 2 || value[0] != '"' {
		return "", false
	}
	if bytes.IndexByte(value, '\\') < 0 {
		return string(value[1 : len(value)-1]), true
	}
	if HalfSurrogate(value) || json.Unmarshal(value, &s) != nil {
		return "", false
	}
	return s, true
}

// HalfSurrogate reports whether a string in a JSON text, which must be valid,
// holds half of a surrogate pair.
func HalfSurrogate(text []byte) bool {
	for {
		i := bytes.IndexByte(text, '\\')
		if i < 0 {
			return false
		}
		if text[i+1] != 'u' {
			text = text[i+2:]
			continue
		}
		unit := hex4(text[i+2:])
		text = text[i+6:]
		if unit < 0xd800 || unit > 0xdfff {
			continue
		}
		if unit > 0xdbff || text[0] != '\\' || text[1] != 'u' {
			return true
		}
		if low := hex4(text[2:]); low < 0xdc00 || low > 0xdfff {
			return true
		}
		text = text[6:]
	}
}

// hex4 reads the four digits behind a \u.
func hex4(text []byte) (unit uint32) {
	for _, c := range text[:4] {
		digit := c - '0'
		if digit > 9 {
			digit = c | 0x20 - 'a' + 10
		}
		unit = unit<<4 | uint32(digit)
	}
	return unit
}
