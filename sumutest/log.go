package sumutest

import (
	"slices"
	"sync"
	"testing"
	"time"
)

// log keeps what was recorded, and lets tests wait for more. The zero value is
// empty.
type log[T any] struct {
	mu    sync.Mutex
	all   []T
	taken int           // by next
	more  chan struct{} // closed by add; nil: nobody waits
}

func (l *log[T]) add(v T) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, v)
	if l.more != nil {
		close(l.more)
		l.more = nil
	}
}

func (l *log[T]) list() []T {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.all)
}

// next returns the first that it has not returned yet, and waits for it. The
// test fails after limit.
func (l *log[T]) next(tb testing.TB, what string, limit time.Duration) T {
	tb.Helper()
	timeout := time.NewTimer(limit)
	defer timeout.Stop()
	for {
		v, more := l.take()
		if more == nil {
			return v
		}
		select {
		case <-more:
		case <-timeout.C:
			tb.Fatalf("no %s in %v; there were %d before", what, limit, len(l.list()))
		}
	}
}

// take returns the next one, or what to wait for.
func (l *log[T]) take() (v T, more <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.taken < len(l.all) {
		l.taken++
		return l.all[l.taken-1], nil
	}
	if l.more == nil {
		l.more = make(chan struct{})
	}
	return v, l.more
}
