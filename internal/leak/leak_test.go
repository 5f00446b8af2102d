package leak

import (
	"strings"
	"testing"
	"time"
)

// recorder is a testing.TB that keeps what a Check reports.
type recorder struct {
	testing.TB
	cleanup  func()
	failures []string
}

func (r *recorder) Helper()          {}
func (r *recorder) Cleanup(f func()) { r.cleanup = f }
func (r *recorder) Errorf(format string, _ ...any) {
	r.failures = append(r.failures, format)
}

func TestAGoroutineLeftBehindIsFound(t *testing.T) {
	before := running()
	stop := make(chan struct{})
	defer close(stop)
	started := make(chan struct{})
	go func() {
		close(started)
		<-stop
	}()
	<-started
	leaked := await(before, 10*time.Millisecond)
	if len(leaked) != 1 || !strings.Contains(leaked[0], "TestAGoroutineLeftBehindIsFound") {
		t.Fatalf("found %d goroutines, want the one of this test: %q", len(leaked), leaked)
	}
}

func TestAGoroutineThatEndsIsNoLeak(t *testing.T) {
	r := &recorder{TB: t}
	Check(r)
	stop := make(chan struct{})
	go func() { <-stop }()
	close(stop)
	r.cleanup()
	if len(r.failures) > 0 {
		t.Fatalf("reported %q", r.failures)
	}
}

func TestAGoroutineOfBeforeIsNoLeak(t *testing.T) {
	stop := make(chan struct{})
	defer close(stop)
	started := make(chan struct{})
	go func() {
		close(started)
		<-stop
	}()
	<-started
	r := &recorder{TB: t}
	Check(r)
	r.cleanup()
	if len(r.failures) > 0 {
		t.Fatalf("reported %q", r.failures)
	}
}
