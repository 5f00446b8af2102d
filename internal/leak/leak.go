// Package leak fails a test that leaves goroutines behind.
package leak

import (
	"runtime"
	"strings"
	"testing"
	"time"
)

// wait bounds how long a goroutine may take to end after its test did: one
// that was told to stop needs a moment to be scheduled.
const wait = 5 * time.Second

// Check fails the test when goroutines that were started after the call are
// still running at its end. Call it first, so that its cleanup runs last. It
// cannot tell the goroutines of parallel tests apart: use it in tests that are
// not parallel.
func Check(t testing.TB) {
	t.Helper()
	before := running()
	t.Cleanup(func() {
		t.Helper()
		if leaked := await(before, wait); len(leaked) > 0 {
			t.Errorf("%d goroutines are still running:\n\n%s", len(leaked), strings.Join(leaked, "\n\n"))
		}
	})
}

// await polls until no goroutine runs that is not in before, or until limit
// has passed, and returns the stacks of those left.
func await(before map[string]string, limit time.Duration) []string {
	deadline := time.Now().Add(limit)
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		var leaked []string
		for id, stack := range running() {
			if _, ok := before[id]; !ok {
				leaked = append(leaked, stack)
			}
		}
		if len(leaked) == 0 || !time.Now().Before(deadline) {
			return leaked
		}
		time.Sleep(pause)
	}
}

// running returns the stacks of all other goroutines that are not part of
// testing or of the runtime, by the goroutine's id.
func running() map[string]string {
	buf := make([]byte, 64*1024)
	for {
		n := runtime.Stack(buf, true)
		if n < len(buf) {
			buf = buf[:n]
			break
		}
		buf = make([]byte, 2*len(buf))
	}
	stacks := make(map[string]string)
	for i, stack := range strings.Split(strings.TrimSpace(string(buf)), "\n\n") {
		// The first stack is that of the caller.
		if id, ok := goroutineID(stack); ok && i > 0 && !ours(stack) {
			stacks[id] = stack
		}
	}
	return stacks
}

// goroutineID reads the id from "goroutine 7 [running]:".
func goroutineID(stack string) (string, bool) {
	rest, ok := strings.CutPrefix(stack, "goroutine ")
	if !ok {
		return "", false
	}
	id, _, ok := strings.Cut(rest, " ")
	return id, ok
}

// ours reports whether the goroutine belongs to the test binary itself and not
// to the code under test.
func ours(stack string) bool {
	for _, of := range []string{
		"created by testing.",
		"testing.Main(",
		"testing.(*M).",
		"testing.(*T).Run(",
		"testing.runFuzzing(",
		"created by runtime",
		"runtime.ensureSigM",
		"os/signal.signal_recv",
		"os/signal.loop",
	} {
		if strings.Contains(stack, of) {
			return true
		}
	}
	return false
}
