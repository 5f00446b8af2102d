package main

import (
	"strings"
	"testing"
)

func TestCostsAreHeldAgainstTheirGoals(t *testing.T) {
	for want, c := range map[string]actionCost{
		"0.5 read, 0 written: met":  {bill: bill{1, 0.5, 0}, goalReads: 0.5},
		"2 read, 1 written: MISSED": {bill: bill{3, 2.5, 1}, goalReads: 2, goalWrites: 1},
		"1 read, 1 written: MISSED": {bill: bill{3, 1, 1.5}, goalReads: 1, goalWrites: 1},
		"2 written: met":            {bill: bill{6, 4, 2}, goalReads: -1, goalWrites: 2},
		"2 written: MISSED":         {bill: bill{6, 4, 3}, goalReads: -1, goalWrites: 2},
		"19 read: MISSED":           {bill: bill{1, 19.5, 0}, goalReads: 19, goalWrites: -1},
		"none is set":               {bill: bill{9, 9, 9}, goalReads: -1, goalWrites: -1},
	} {
		if got := c.goal(); got != want {
			t.Errorf("%+v: %q, want %q", c, got, want)
		}
	}
}

// A case whose emulator is not there is left out, and the table says so.
func TestCasesWithoutTheirEmulatorAreSkipped(t *testing.T) {
	noChildren(t)
	t.Chdir(t.TempDir())
	for _, only := range []string{"dynamodb", "presence", "latency"} {
		var out strings.Builder
		if err := run(t.Context(), []string{"-smoke", "-only", only}, &out); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.String(), "SKIPPED") || !strings.Contains(out.String(), "make components") {
			t.Errorf("%s prints\n%s", only, out.String())
		}
	}
}
