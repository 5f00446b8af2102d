package storetest

import (
	"context"
	"fmt"
	"maps"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"testing"
	"time"
)

// recorder stands in for testing.T and keeps the failures, by case.
type recorder struct {
	ctx      context.Context
	name     string
	mu       *sync.Mutex
	failures map[string][]string
	ran      map[string]bool
}

func newRecorder(t *testing.T) *recorder {
	return &recorder{t.Context(), "", new(sync.Mutex), make(map[string][]string), make(map[string]bool)}
}

func (r *recorder) Helper()                  {}
func (r *recorder) Context() context.Context { return r.ctx }

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures[r.name] = append(r.failures[r.name], fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

func (r *recorder) run(name string, test func(t tb)) {
	ctx, cancel := context.WithCancel(r.ctx)
	defer cancel()
	sub := &recorder{ctx, name, r.mu, r.failures, r.ran}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if p := recover(); p != nil {
				sub.Errorf("panic: %v\n%s", p, debug.Stack())
			}
		}()
		test(sub)
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		panic("the case hangs: " + name)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ran[name] = true
}

// failed returns the names of the cases that failed, sorted.
func (r *recorder) failed() []string { return slices.Sorted(maps.Keys(r.failures)) }
