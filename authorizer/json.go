package authorizer

import (
	"bytes"
	"encoding/json"
	"slices"
	"unicode/utf8"

	"github.com/sumu-live/sumu/internal/strictjson"
)

// member is one member of a JSON object: its name, unescaped, and the text of
// its value.
type member struct {
	name, value []byte
}

// object is the members of a JSON object in their order.
type object []member

// get returns the text of a member's value; nil when there is none, or it is
// null: who writes an optional member so says that it has none.
func (o object) get(name string) []byte {
	for _, m := range o {
		if string(m.name) == name && !isNull(m.value) {
			return m.value
		}
	}
	return nil
}

func isNull(value []byte) bool { return string(value) == "null" }

// isEmpty reports whether a value is null, "" or [].
func isEmpty(value []byte) bool {
	if elements, ok := strictjson.List(value); ok {
		for range elements {
			return false
		}
		return true
	}
	return isNull(value) || string(value) == `""`
}

// byteOrderMark is what some servers and editors write before UTF-8. JSON has
// none, but who reads it may skip it (RFC 8259, 8.1).
var byteOrderMark = []byte("\xef\xbb\xbf")

// parseObject reads a JSON object of at most limit members. Unlike
// encoding/json it tells "sub" from "Sub" and refuses a name that comes twice:
// two readers of one token must not see two users in it. The result shares the
// memory of data.
func parseObject(data []byte, limit int) (object, bool) {
	if !utf8.Valid(data) {
		return nil, false
	}
	return parseAnyText(data, limit)
}

// parseAnyText is parseObject for what may hold text that is not UTF-8.
func parseAnyText(data []byte, limit int) (object, bool) {
	if !json.Valid(data) {
		return nil, false
	}
	s := strictjson.Scanner{Data: data}
	if s.Peek() != '{' {
		return nil, false
	}
	s.Pos++
	members := make(object, 0, 12)
	for s.Peek() != '}' {
		text := s.Value()
		name := text[1 : len(text)-1]
		if bytes.IndexByte(name, '\\') >= 0 {
			unescaped, ok := unquote(text)
			if !ok {
				return nil, false
			}
			name = []byte(unescaped)
		}
		s.Peek()
		s.Pos++ // The colon.
		s.Peek()
		value := s.Value()
		same := func(m member) bool { return bytes.Equal(m.name, name) }
		// The limit keeps this from being slow.
		if len(members) == limit || slices.ContainsFunc(members, same) {
			return nil, false
		}
		members = append(members, member{name, value})
		if s.Peek() == ',' {
			s.Pos++
		}
	}
	return members, true
}

// unquote returns the string of a JSON value; not ok when it is none, or when
// it holds half of a surrogate pair: two different ids must not become one.
func unquote(value []byte) (string, bool) {
	if len(value) < 2 || value[0] != '"' {
		return "", false
	}
	if bytes.IndexByte(value, '\\') < 0 {
		return string(value[1 : len(value)-1]), true
	}
	var s string
	if json.Unmarshal(value, &s) != nil {
		return "", false
	}
	return s, !bytes.ContainsRune([]byte(s), utf8.RuneError)
}
