package main

import (
	"os"
	"strings"
	"testing"
)

// TestMain is the gateway's process when it is started as such.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == serveArg {
		serve()
		return
	}
	os.Exit(m.Run())
}

// TestHostile: the client of good will loses nothing, and what the attack cost
// is bounded and given back. Times are printed, not judged.
func TestHostile(t *testing.T) {
	if os.Getenv("SUMU_E2E") != "1" {
		t.Skip("takes half a minute; run it with: make test")
	}
	r, err := run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	r.print(&b)
	t.Log("\n" + b.String())
	if err := r.check(); err != nil {
		t.Error(err)
	}
}
