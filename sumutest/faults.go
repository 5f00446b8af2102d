package sumutest

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
)

// Faults are what goes wrong with the next calls of a [Client] or a [Recorder]:
// nothing, for the zero value. Each call meets one fault, in the order in which
// they were asked for; a call that several goroutines make at the same time
// meets whichever is next.
type Faults struct {
	mu    sync.Mutex
	next  []fault
	all   error
	hangs []*Hang // that were ever asked for
}

// fault is what one call meets. The zero value is none.
type fault struct {
	err  error
	hang *Hang
	lost bool
}

// FailNext makes the next calls fail, one with each of errs; nil lets a call
// succeed. An error of the calls matches the one given here with [errors.Is]:
// [sumu.ErrThrottled] is what a status 429 becomes, [sumu.ErrGone] a 410,
// [sumu.ErrForbidden] a 403, [sumu.ErrUnavailable] a 500.
func (f *Faults) FailNext(errs ...error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, err := range errs {
		f.next = append(f.next, fault{err: err})
	}
}

// FailAll makes all calls fail with err until it is called with nil. What
// FailNext and its like have asked for comes first.
func (f *Faults) FailAll(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all = err
}

// LoseNext makes the next call do its work and then fail with
// [sumu.ErrUnavailable], as when a connection breaks before the answer: whoever
// tries again does it twice.
func (f *Faults) LoseNext() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next = append(f.next, fault{lost: true})
}

// HangNext makes the next call wait until it is released or its context ends.
func (f *Faults) HangNext() *Hang {
	h := &Hang{reached: make(chan struct{}), released: make(chan struct{})}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next = append(f.next, fault{hang: h})
	f.hangs = append(f.hangs, h)
	return h
}

// take returns the fault of a call. ok is false when none was asked for.
func (f *Faults) take() (next fault, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.next) > 0 {
		next = f.next[0]
		f.next = slices.Delete(f.next, 0, 1)
		return next, true
	}
	return fault{err: f.all}, f.all != nil
}

// release ends all calls that hang or will.
func (f *Faults) release() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, h := range f.hangs {
		h.Release()
	}
}

// do is a call that meets the fault.
func (f fault) do(ctx context.Context, op string, work func() error) error {
	if f.hang != nil {
		if err := f.hang.hold(ctx); err != nil {
			return &sumu.Error{Op: op, Kind: sumu.ErrUnavailable, Err: err}
		}
	}
	if f.err != nil {
		return &sumu.Error{Op: op, Err: f.err}
	}
	if err := work(); err != nil {
		return err
	}
	if f.lost {
		return &sumu.Error{Op: op + ": the answer was lost", Kind: sumu.ErrUnavailable}
	}
	return nil
}

// Hang is a call that does not return; see [Faults.HangNext].
type Hang struct {
	reached, released chan struct{}
	once              sync.Once
}

// hold is the call.
func (h *Hang) hold(ctx context.Context) error {
	close(h.reached) // A fault is met by one call only.
	select {
	case <-h.released:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Wait returns when the call hangs, so that a test can look at what happens
// meanwhile. The test fails when there is no such call in 10 s.
func (h *Hang) Wait(tb testing.TB) {
	tb.Helper()
	h.await(tb, wait)
}

func (h *Hang) await(tb testing.TB, limit time.Duration) {
	tb.Helper()
	select {
	case <-h.reached:
	case <-time.After(limit):
		tb.Fatalf("no call came to hang in %v", limit)
	}
}

// Release lets the call go on, as if nothing had been wrong. It may be called
// twice, and before the call.
func (h *Hang) Release() { h.once.Do(func() { close(h.released) }) }
