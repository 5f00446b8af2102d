package sumu_test

import (
	"encoding/json"
	"math/big"
	"regexp"
	"strings"
	"testing"

	"github.com/sumu-live/sumu"
)

func matchesNumber(t *testing.T, filter, value string) bool {
	t.Helper()
	s, err := sumu.Subscription{EventType: "T", Field: "f", Filter: filter}.Normalize()
	if err != nil {
		t.Fatalf("%.100s: %v", filter, err)
	}
	r := sumu.NewEventReader(&sumu.Event{Type: "T", Payload: json.RawMessage(`{"f":` + value + `}`)})
	return r.Matches(&s)
}

// Numbers compare digit by digit, whatever their size.
func TestNumbersCompareExactly(t *testing.T) {
	many := strings.Repeat("9", 100_000)
	for _, tt := range []struct {
		value string
		cmp   int // of value with number
		text  string
	}{
		{"1234567890123456789", 1, "1234567890123456788"},
		{"9007199254740993", 1, "9007199254740992"},
		{"-9007199254740993", -1, "-9007199254740992"},
		{"0.1000000000000000055511151231257827", 1, "0.1"},
		{"123456789012345678.1", 1, "123456789012345678"},
		{"1e400", 1, "1e399"},
		{"-1e400", -1, "1"},
		{"1E-400", 1, "0"},
		{"1E-400", -1, "1E-399"},
		{"12345678901234567890e-3", 0, "12345678901234567.89"},
		{"12345678901234567890e-3", 0, "12345678901234567.890"},
		{"1e+2", 0, "100"},
		{"100", 0, "1e2"},
		{"100.000", 0, "1E2"},
		{"-0", 0, "0"},
		{"-0.0e7", 0, "0"},
		{"0e999999999999999999999", 0, "0"},
		{"1e999999999", 1, "1e999999998"},
		{"1e-999999999", 1, "-1e999999999"},
		{"10e999999999", 0, "1e1000000000"},
		{"10e999999999999999999", 0, "1e1000000000000000000"},
		{"1e99999999999999999999999", 1, "1e99999999999999999999998"},
		{"1e-99999999999999999999999", -1, "1e-99999999999999999999998"},
		{"0.1e100000000000000000001", 0, "1e100000000000000000000"},
		{"1e0000000000000000000000000000002", 0, "100"},
		{many, 1, "1e99999"},
		{many, -1, "1e100000"},
		{"-" + many + "." + many, -1, "-1e99999"},
		{"0." + strings.Repeat("0", 100_000) + "1", 0, "1e-100001"},
		{"1" + strings.Repeat("0", 100_000), 0, "1e100000"},
		{"1e" + many, 1, "1e999"},
		{"-1e-" + many, 1, "-1e-999"},
		{"10", 1, "9"},
		{"-10", -1, "-9"},
		{"0.05", -1, "0.5"},
		{"0.5", 1, "0.05"},
		{"12", -1, "12.5"},
		{"-12", 1, "-12.5"},
	} {
		for op, want := range map[string]bool{
			"<": tt.cmp < 0, "<=": tt.cmp <= 0, ">": tt.cmp > 0, ">=": tt.cmp >= 0, "": tt.cmp == 0,
		} {
			if got := matchesNumber(t, op+tt.text, tt.value); got != want {
				t.Errorf("%.60s matches %s%s: %v, want %v", tt.value, op, tt.text, got, want)
			}
		}
	}
}

var bounded = regexp.MustCompile(`^-?(0|[1-9][0-9]{0,40})(\.[0-9]{1,40})?([eE][-+]?[0-9]{1,3})?$`)

// FuzzCompareNumbers has math/big as the judge.
func FuzzCompareNumbers(f *testing.F) {
	for _, pair := range [][2]string{
		{"1234567890123456789", "1234567890123456788"},
		{"-0", "0.0e-9"},
		{"1e400", "1E399"},
		{"-12.50", "-1.25e1"},
		{"100e-2", "1"},
		{"0.001", "1e-3"},
		{"-1", "1"},
	} {
		f.Add(pair[0], pair[1])
	}
	f.Fuzz(func(t *testing.T, value, text string) {
		if !bounded.MatchString(value) || !bounded.MatchString(text) {
			return
		}
		a, _ := new(big.Rat).SetString(value)
		b, _ := new(big.Rat).SetString(text)
		cmp := a.Cmp(b)
		for op, want := range map[string]bool{"<": cmp < 0, "<=": cmp <= 0, ">": cmp > 0, ">=": cmp >= 0, "": cmp == 0} {
			if got := matchesNumber(t, op+text, value); got != want {
				t.Errorf("%s matches %s%s: %v, want %v", value, op, text, got, want)
			}
		}
	})
}
