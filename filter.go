package sumu

import (
	"encoding/json"
	"math"
	"strconv"
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
	number float64
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
		number, ok := parseNumber(strings.TrimSpace(expr[len(op):]))
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

// parseNumber reads a number as JSON has them.
func parseNumber(text string) (float64, bool) {
	if !json.Valid([]byte(text)) {
		return 0, false // ParseFloat also takes "0x1p-2", "1_000" and "inf".
	}
	f, err := strconv.ParseFloat(text, 64)
	return f, err == nil
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
	case !v.isNumber:
		return false
	}
	switch f.op {
	case "<":
		return v.number < f.number
	case "<=":
		return v.number <= f.number
	case ">":
		return v.number > f.number
	}
	return v.number >= f.number
}

// scalarValue is a string, number or boolean of a payload.
type scalarValue struct {
	kind      byte // '"', '0' or 't' for which of them it is; 0: there is none
	text      string
	canonical string // see canonicalNumber
	number    float64
	isNumber  bool // number is that of a '0'
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
		v.kind, v.text = '0', string(value)
		v.number, v.isNumber = parseNumber(v.text)
	}
	v.canonical = canonicalNumber(v.text)
	return v
}

// canonicalNumber gives numbers that are equal one spelling; text that is no
// number stays as it is. Integers of any length are kept digit by digit: they
// are ids as often as they are amounts.
func canonicalNumber(text string) string {
	f, ok := parseNumber(text)
	if !ok || strings.Trim(text, "-0123456789") == "" && text != "-0" {
		return text
	}
	if f == math.Trunc(f) && math.Abs(f) < 1e15 {
		return strconv.FormatInt(int64(f), 10)
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}
