package sumu

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
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

// matches compares with a value as a payload has it; nil: there is none.
func (f filter) matches(value json.RawMessage) bool {
	if f.kind == FilterAny {
		return true
	}
	text, kind := scalar(value)
	switch {
	case kind == 0:
		return false
	case f.kind == FilterPrefix:
		return kind == '"' && strings.HasPrefix(text, f.text)
	case f.kind == FilterEqual:
		return text == f.text || kind == '0' && canonicalNumber(text) == canonicalNumber(f.text)
	case kind != '0':
		return false
	}
	n, ok := parseNumber(text)
	if !ok {
		return false
	}
	switch f.op {
	case "<":
		return n < f.number
	case "<=":
		return n <= f.number
	case ">":
		return n > f.number
	}
	return n >= f.number
}

// scalar returns the text of a string, number or boolean, and '"', '0' or 't'
// for which of them it is; kind 0: it is none.
func scalar(value json.RawMessage) (text string, kind byte) {
	if len(value) == 0 {
		return "", 0
	}
	switch value[0] {
	case '"':
		if err := json.Unmarshal(value, &text); err != nil {
			return "", 0
		}
		return text, '"'
	case 't', 'f':
		return string(value), 't'
	case '{', '[', 'n':
		return "", 0
	}
	return string(value), '0'
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
