package sumutest_test

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/sumutest"
)

// failing is a testing.TB that keeps what a test is failed with.
type failing struct {
	testing.TB
	texts []string
}

func (f *failing) Helper() {}

func (f *failing) Errorf(format string, args ...any) {
	f.texts = append(f.texts, fmt.Sprintf(format, args...))
}

func (f *failing) Fatalf(format string, args ...any) {
	f.Errorf(format, args...)
	runtime.Goexit()
}

// failure runs what must fail a test, and returns with what it does.
func failure(t *testing.T, run func(tb testing.TB)) string {
	t.Helper()
	f := &failing{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		run(f)
	}()
	<-done
	if len(f.texts) == 0 {
		t.Fatal("the test was not failed")
	}
	return strings.Join(f.texts, "\n")
}

// wantFailure fails the test unless run fails its own with all of these words.
func wantFailure(t *testing.T, run func(tb testing.TB), words ...string) {
	t.Helper()
	text := failure(t, run)
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("failed with %q; want %q in it", text, w)
		}
	}
}

// impatient is for what is expected in vain.
func impatient(o *sumutest.Options) { o.Wait = 50 * time.Millisecond }

// simple is for tests that are not about tokens.
func simple(o *sumutest.Options) { o.Authorizer = sumutest.Authorizer{} }

func wantEqual[T comparable](t *testing.T, what string, got []T, want ...T) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func payload(t *testing.T, text string) *sumu.Payload {
	t.Helper()
	p, err := sumu.NewPayload([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}
