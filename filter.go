package sumu

import (
	"encoding/json"
	"strings"
	"unicode/utf8"

	"github.com/sumu-live/sumu/internal/strictjson"
)

// FilterKind says how a [Subscription]'s filter compares.
type FilterKind int

// The kinds of filters.
const (
	FilterAny     FilterKind = iota // no filter, or "*"
	FilterEqual                     // the value itself
	FilterPrefix                    // "blue*"
	FilterCompare                   // ">= 10"
)

// filter is a filter_expr that was read.
type filter struct {
	kind   FilterKind
	text   string // the value, or the prefix
	op     string // of FilterCompare
	number decimal
}

func parseFilter(expr string) (filter, error) {
	switch {
	case expr == "":
		return filter{}, invalid("filter_expr is empty")
	case len(expr) > MaxFilter:
		return filter{}, invalid("filter_expr has %d bytes; at most %d are allowed", len(expr), MaxFilter)
	case !utf8.ValidString(expr):
		return filter{}, invalid("filter_expr is not valid UTF-8")
	case expr == "*":
		return filter{kind: FilterAny}, nil
	case expr[0] == '<' || expr[0] == '>':
		op := expr[:1]
		if strings.HasPrefix(expr[1:], "=") {
			op = expr[:2]
		}
		number, ok := parseDecimal(strings.TrimSpace(expr[len(op):]))
		if !ok {
			return filter{}, invalid("filter_expr compares with something that is not a number")
		}
		return filter{kind: FilterCompare, op: op, number: number}, nil
	}
	text, prefix := strings.CutSuffix(expr, "*")
	if strings.Contains(text, "*") {
		return filter{}, invalid("filter_expr: \"*\" may stand at the end only")
	}
	if prefix {
		return filter{kind: FilterPrefix, text: text}, nil
	}
	return filter{kind: FilterEqual, text: text}, nil
}

// matches compares with a value of a payload.
func (f filter) matches(v scalarValue) bool {
	switch {
	case f.kind == FilterAny:
		return true
	case v.kind == 0:
		return false
	case f.kind == FilterPrefix:
		return v.kind == '"' && strings.HasPrefix(v.text, f.text)
	case f.kind == FilterEqual:
		return v.text == f.text || v.kind == '0' && v.canonical == canonicalNumber(f.text)
	case v.kind != '0':
		return false
	}
	c := v.number.compare(f.number)
	switch f.op {
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	}
	return c >= 0
}

// scalarValue is a string, number or boolean of a payload.
type scalarValue struct {
	kind      byte // '"', '0' or 't' for which of them it is; 0: there is none
	text      string
	canonical string  // see canonicalNumber
	number    decimal // of a '0'
}

// readScalar reads a value as a payload has it; nil: there is none.
func readScalar(value json.RawMessage) (v scalarValue) {
	if len(value) == 0 {
		return v
	}
	switch value[0] {
	case '"':
		var ok bool
		if v.text, ok = strictjson.String(value); !ok {
			return v // Half of a surrogate pair: to compare it would be to compare U+FFFD.
		}
		v.kind = '"'
	case 't', 'f':
		v.kind, v.text = 't', string(value)
	case '{', '[', 'n':
		return v
	default:
		var ok bool
		if v.number, ok = parseDecimal(string(value)); !ok {
			return v // Not JSON.
		}
		v.kind, v.text, v.canonical = '0', string(value), v.number.String()
		return v
	}
	v.canonical = canonicalNumber(v.text)
	return v
}

// canonicalNumber gives numbers that are equal one spelling; text that is no
// number stays as it is.
func canonicalNumber(text string) string {
	if d, ok := parseDecimal(text); ok {
		return d.String()
	}
	return text
}
