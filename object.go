package sumu

import (
	"bytes"
	"encoding/json"
	"io"
	"unicode/utf8"
)

// object reads the members of a JSON object, each as the text it had. Unlike
// encoding/json it tells "users" from "Users", and refuses a name that comes
// twice: reading either leniently could turn one audience into another.
func object(data []byte) (map[string]json.RawMessage, error) {
	if !utf8.Valid(data) {
		return nil, invalid("text is not valid UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	if tok, err := dec.Token(); err != nil {
		return nil, notJSON(err)
	} else if tok != json.Delim('{') {
		return nil, invalid("not a JSON object")
	}
	members := make(map[string]json.RawMessage)
	for dec.More() {
		tok, err := dec.Token()
		if err != nil {
			return nil, notJSON(err)
		}
		name := tok.(string) // The decoder accepts nothing else here.
		if _, twice := members[name]; twice {
			return nil, invalid("member %q comes twice", name)
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, notJSON(err)
		}
		members[name] = value
	}
	if _, err := dec.Token(); err != nil {
		return nil, notJSON(err)
	}
	if _, err := dec.Token(); err != io.EOF { // Never wrapped. Not More: it takes a stray "}" for an end.
		return nil, invalid("text goes on after the JSON object")
	}
	return members, nil
}

// notJSON leaves out what the decoder saw: it may be part of a payload.
func notJSON(err error) error {
	if syntax, ok := err.(*json.SyntaxError); ok { // Never wrapped.
		return invalid("not valid JSON (at byte %d)", syntax.Offset)
	}
	return invalid("not valid JSON: it ends too early")
}

// kindOf names the kind of a JSON value, for error messages.
func kindOf(v json.RawMessage) string {
	switch v[0] {
	case '{':
		return "an object"
	case '[':
		return "a list"
	case '"':
		return "a string"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	}
	return "a number"
}
