// Package eventindex says where stores keep subscriptions, so that an event
// reads only those that may match it. Subscriptions of a type are kept in
// partitions: one for all without a filter, one for each field and value that
// filters ask for, one for each field and prefix, and one for each field that is
// compared with numbers. A store remembers which [Use]s there are of a type; a
// Use and an event give the one partition to look at.
package eventindex

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/sumu-live/sumu"
)

// Use is a way in which subscriptions of a type filter.
type Use struct {
	Kind   sumu.FilterKind
	Prefix int    // of FilterPrefix: how many bytes of a value are compared
	Field  string // "" for FilterAny
}

// exactPrefix is the longest prefix, in bytes, that has a partition for itself.
// Longer ones share it with those that begin with the same 64, 128, 256, 512 or
// 1,024 bytes, or these 32. It bounds the partitions that an event looks at,
// whatever clients have subscribed to: 37 for each field that the event has.
const exactPrefix = 32

// prefixLength is how many bytes of a prefix of n bytes are compared: at most n.
func prefixLength(n int) int {
	if n <= exactPrefix {
		return n
	}
	length := exactPrefix
	for 2*length <= n {
		length *= 2
	}
	return length
}

// Of returns the use that a subscription, which must be valid, makes, and the
// text that stands for it in its partition.
func Of(s *sumu.Subscription) (u Use, text string) {
	kind, text := s.Index()
	switch kind {
	case sumu.FilterAny: // With a field or without: every event matches.
		return Use{Kind: kind}, ""
	case sumu.FilterPrefix:
		n := prefixLength(len(text))
		return Use{kind, n, s.Field}, text[:n]
	case sumu.FilterCompare:
		return Use{Kind: kind, Field: s.Field}, ""
	}
	return Use{Kind: kind, Field: s.Field}, text
}

// Text returns the text of the one partition of a use in which subscriptions
// may match the event; ok is false when there is none.
func (u Use) Text(e *sumu.EventReader) (text string, ok bool) {
	switch u.Kind {
	case sumu.FilterAny:
		return "", true
	case sumu.FilterEqual:
		text, _, ok = e.Text(u.Field)
		return text, ok
	case sumu.FilterPrefix:
		// Bytes, not characters: a cut within one matches nothing but itself.
		text, ok = e.Prefix(u.Field)
		if !ok || len(text) < u.Prefix {
			return "", false
		}
		return text[:u.Prefix], true
	case sumu.FilterCompare:
		text, isString, ok := e.Text(u.Field)
		return "", ok && !isString && text != "true" && text != "false"
	}
	return "", false
}

// String is a use as text; [Parse] is its inverse. Uses are looked at in the
// byte order of it.
func (u Use) String() string {
	if u.Kind == sumu.FilterAny {
		return "0"
	}
	return fmt.Sprintf("%d/%d/%s", u.Kind, u.Prefix, u.Field)
}

// Parse reads what String has written; ok is false for any other text.
func Parse(text string) (u Use, ok bool) {
	if text == "0" {
		return Use{}, true
	}
	kind, rest, _ := strings.Cut(text, "/")
	prefix, field, _ := strings.Cut(rest, "/")
	k, err1 := strconv.Atoi(kind)
	n, err2 := strconv.Atoi(prefix)
	u = Use{sumu.FilterKind(k), n, field}
	return u, err1 == nil && err2 == nil && field != "" && u.String() == text &&
		u.Kind > sumu.FilterAny && u.Kind <= sumu.FilterCompare && (n > 0) == (u.Kind == sumu.FilterPrefix) && n >= 0
}

// Partition names the partition of a use and a text among those of all types.
// The parts but the last hold no control characters, so no two meet.
func Partition(eventType string, u Use, text string) string {
	return strings.Join([]string{eventType, u.Field, strconv.Itoa(int(u.Kind)), text}, "\x00")
}

// IDSize is the length of what [ID] returns.
const IDSize = sha256.Size

// ID names a normalized subscription: equal ones alone have the same. They are
// raw bytes.
func ID(s *sumu.Subscription) string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // Strings always can be written.
	}
	sum := sha256.Sum256(text)
	return string(sum[:])
}

// Cursor is a place among the subscribers of an event: behind the row id, which
// may be any bytes, of a use. It is ASCII text.
func Cursor(u Use, id string) string { return Cursors(u)(id) }

// Cursors returns [Cursor] for one use, for many of its rows.
func Cursors(u Use) func(id string) string {
	prefix := encoding.EncodeToString([]byte(u.String())) + "."
	return func(id string) string {
		text := append(make([]byte, 0, len(prefix)+encoding.EncodedLen(len(id))), prefix...)
		return string(encoding.AppendEncode(text, []byte(id)))
	}
}

// ParseCursor reads a [Cursor]. ErrInvalid is returned for any other text.
func ParseCursor(cursor string) (u Use, id string, err error) {
	use, row, ok := strings.Cut(cursor, ".")
	useText, err1 := encoding.DecodeString(use)
	rowText, err2 := encoding.DecodeString(row)
	u, known := Parse(string(useText))
	if !ok || err1 != nil || err2 != nil || !known || len(rowText) == 0 {
		return Use{}, "", &sumu.Error{Op: "cursor is not one of this store's", Kind: sumu.ErrInvalid}
	}
	return u, string(rowText), nil
}

var encoding = base64.RawURLEncoding.Strict()

// Normalized returns subscriptions normalized and without duplicates, and their
// ids. ErrInvalid is returned when one of them cannot be.
func Normalized(subs []sumu.Subscription) (each []sumu.Subscription, ids []string, err error) {
	seen := make(map[string]bool, len(subs))
	for i, s := range subs {
		s, err := s.Normalize()
		if err != nil {
			return nil, nil, &sumu.Error{Op: fmt.Sprintf("subscriptions[%d]", i), Err: err}
		}
		if id := ID(&s); !seen[id] {
			seen[id] = true
			each, ids = append(each, s), append(ids, id)
		}
	}
	return each, ids, nil
}
