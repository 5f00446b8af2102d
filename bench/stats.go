package main

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// series is what the rounds measured, in their order.
type series []float64

// median of an even number of values is the mean of the two in the middle.
func (s series) median() float64 {
	v := slices.Sorted(slices.Values(s))
	n := len(v)
	if n == 0 {
		return math.NaN()
	}
	return (v[(n-1)/2] + v[n/2]) / 2
}

// String is the median and, behind it, the lowest and the highest value.
func (s series) String() string {
	if len(s) < 2 {
		return number(s.median())
	}
	return number(s.median()) + " (" + number(slices.Min(s)) + " to " + number(slices.Max(s)) + ")"
}

// number has three digits that count, or all of a whole number's.
func number(v float64) string {
	switch size := math.Abs(v); {
	case math.IsNaN(v):
		return "no figure"
	case size >= 1000:
		// The digits behind the third are noise.
		unit := math.Pow10(int(math.Log10(size)) - 2)
		return grouped(int64(math.Round(v/unit) * unit))
	case size >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case size >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	default:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
}

func grouped(v int64) string {
	s := strconv.FormatInt(v, 10)
	var groups []string
	for len(s) > 3 {
		groups = append(groups, s[len(s)-3:])
		s = s[:len(s)-3]
	}
	groups = append(groups, s)
	slices.Reverse(groups)
	return strings.Join(groups, ",")
}
