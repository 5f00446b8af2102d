package env_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sumu-live/sumu/examples/serverless/internal/env"
)

func of(vars map[string]string) *env.Env {
	return env.New(func(name string) (string, bool) { v, ok := vars[name]; return v, ok })
}

func TestReads(t *testing.T) {
	e := of(map[string]string{
		"S": " x ", "EMPTY": " ", "L": " a, b ,,c,", "T": "True", "F": "FALSE", "ONE": "1", "D": "1m30s", "C": "3",
	})
	if e.String("S", "y") != "x" || e.String("EMPTY", "y") != "y" || e.String("NONE", "y") != "y" || e.Required("S") != "x" {
		t.Error("a string is not what was set")
	}
	if got := e.List("L"); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("list is %q", got)
	}
	if e.List("EMPTY") != nil || e.List("NONE") != nil {
		t.Error("an empty list has parts")
	}
	if !e.Bool("T", false) || e.Bool("F", true) || !e.Bool("ONE", false) || !e.Bool("NONE", true) || e.Bool("EMPTY", false) {
		t.Error("a boolean is not what was set")
	}
	if e.Count("C", 0) != 3 || e.Count("NONE", 7) != 7 {
		t.Error("a count is not what was set")
	}
	if e.Duration("D", 0) != 90*time.Second || e.Duration("NONE", time.Hour) != time.Hour {
		t.Error("a time is not what was set")
	}
	if err := e.Err(); err != nil {
		t.Error(err)
	}
}

func TestNamesWhatIsWrong(t *testing.T) {
	e := of(map[string]string{"B": "secret", "D": "secret", "N": "-1s", "C": "-1", "C2": "secret"})
	e.Required("MISSING")
	if !e.Bool("B", true) || e.Duration("D", 5) != 5 || e.Duration("N", 5) != 5 || e.Count("C", 5) != 5 || e.Count("C2", 5) != 5 {
		t.Error("what is wrong is not replaced by the default")
	}
	err := e.Err()
	if err == nil {
		t.Fatal("nothing is wrong")
	}
	for _, want := range []string{"MISSING is not set", "B is neither true nor false", "D is not a time", "N is not a time", "C is not a whole number", "C2 is not a whole number"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q lacks %q", err, want)
		}
	}
	if strings.Contains(err.Error(), "secret") {
		t.Errorf("%q repeats a value", err)
	}
}
