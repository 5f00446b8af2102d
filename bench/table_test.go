package main

import (
	"strings"
	"testing"
)

func TestVerdictIsTheRatioOfMedians(t *testing.T) {
	for _, tc := range []struct {
		scale        scale
		ours, theirs series
		want         string
	}{
		{perSecond, series{300, 1, 310}, series{100, 900, 90}, "3.0x faster"},
		{perSecond, series{50}, series{100}, "2.0x slower"},
		{perSocket, series{4, 6}, series{12}, "2.4x smaller"},
		{perSocket, series{12}, series{5}, "2.4x larger"},
		{perToken, series{7}, series{7}, "about the same"},
		{perToken, series{96}, series{100}, "about the same"},
		{perToken, series{100}, series{94}, "1.1x dearer"},
		{tokenAllocs, series{7}, series{0}, "no ratio"},
	} {
		r := row{scale: tc.scale, ours: tc.ours, theirs: tc.theirs}
		if got := r.verdict(); got != tc.want {
			t.Errorf("%v to %v %s: %q, want %q", tc.ours, tc.theirs, tc.scale.unit, got, tc.want)
		}
	}
}

func TestGoals(t *testing.T) {
	var tb table
	tb.goal("rate", series{999_000}, 1_000_000, perSecond)
	tb.goal("rate", series{1_000_000}, 1_000_000, perSecond)
	tb.goal("memory", series{5.01}, 5, perSocket)
	tb.goal("memory", series{4.99}, 5, perSocket)
	got := strings.Join(tb.goals, "\n")
	want := "goal MISSED: rate: at least 1,000,000 deliveries/s, measured 999,000\n" +
		"goal met: rate: at least 1,000,000 deliveries/s, measured 1,000,000\n" +
		"goal MISSED: memory: at most 5.00 KB/socket, measured 5.01\n" +
		"goal met: memory: at most 5.00 KB/socket, measured 4.99"
	if got != want {
		t.Errorf("goals are\n%s\nwant\n%s", got, want)
	}
}

func TestSeries(t *testing.T) {
	for want, s := range map[string]series{
		"2.00 (1.00 to 9.00)":              {9, 1, 2},
		"1,230,000 (999,000 to 1,460,000)": {999_400, 1_464_000},
		"12.3":                             {12.345},
		"123":                              {123.4},
		"1,240":                            {1236},
		"0.00":                             {0},
		"no figure":                        {},
	} {
		if got := s.String(); got != want {
			t.Errorf("%v: %q, want %q", []float64(s), got, want)
		}
	}
}
