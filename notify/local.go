package notify

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/sumu-live/sumu"
)

// LocalOptions tune a [Local]. The zero value of a field is its default.
type LocalOptions struct {
	// Queue is how many notifications may be accepted and not yet delivered,
	// those that wait for another try included. Send waits while there are
	// that many. Default 1,024; 1 to 1,000,000.
	Queue int
	// Batch is how many are pushed together. Default 64; 1 to 1,000.
	Batch int
	// Workers is how many batches are pushed at once. Default 1, which keeps
	// the order of notifications; more do not. 1 to 1,000.
	Workers int
	// Backoff is the longest pause before what remained of a push is tried
	// again; it doubles with each attempt, up to 30 s, and the actual pause is
	// random between half of it and all. Default 200 ms; 1 ms to 30 s.
	Backoff time.Duration
	// Observer is told of what is given up: DeadLetter.
	Observer sumu.Observer
}

// Local is a [sumu.NotifyClient] that delivers in the same process, through a
// bounded queue in memory. Notifications reach a connection in the order in
// which they were sent, unless one has to be tried again.
//
// Give it a pusher with Tries: 1. Local itself tries again what a push leaves,
// after a pause and without holding up what comes after.
//
// What the queue holds ends with the process: Close drains it.
type Local struct {
	pusher sumu.Pusher
	opts   LocalOptions
	ctx    context.Context // of the pushes; ends when Close runs out of time
	cancel context.CancelFunc
	ended  chan struct{} // closed when the workers are done

	mu       sync.Mutex
	changed  *sync.Cond
	queue    []sumu.Notification
	later    laterHeap
	accepted int // in queue, in later, or being pushed
	closed   bool
}

var _ sumu.NotifyClient = (*Local)(nil)

// NewLocal returns a Local that delivers through p. ErrInvalid is returned with
// every option that cannot be. Close it to end its goroutines.
func NewLocal(p sumu.Pusher, optFns ...func(*LocalOptions)) (*Local, error) {
	var o LocalOptions
	for _, fn := range optFns {
		fn(&o)
	}
	o.Queue = cmp.Or(o.Queue, 1024)
	o.Batch = cmp.Or(o.Batch, 64)
	o.Workers = cmp.Or(o.Workers, 1)
	o.Backoff = cmp.Or(o.Backoff, 200*time.Millisecond)
	var errs []error
	if p == nil {
		errs = append(errs, invalid("a Local needs a Pusher"))
	}
	for _, r := range []struct {
		name         string
		v, low, high int
	}{
		{"Queue", o.Queue, 1, 1_000_000},
		{"Batch", o.Batch, 1, 1_000},
		{"Workers", o.Workers, 1, 1_000},
	} {
		if r.v < r.low || r.v > r.high {
			errs = append(errs, invalid("%s is %d; it must be %d to %d", r.name, r.v, r.low, r.high))
		}
	}
	if o.Backoff < time.Millisecond || o.Backoff > maxBackoff {
		errs = append(errs, invalid("Backoff is %v; it must be 1ms to %v", o.Backoff, maxBackoff))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	l := &Local{pusher: p, opts: o, ended: make(chan struct{})}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	l.changed = sync.NewCond(&l.mu)
	var workers sync.WaitGroup
	for range o.Workers {
		workers.Go(l.work)
	}
	go func() {
		workers.Wait()
		close(l.ended)
	}()
	return l, nil
}

const maxBackoff = 30 * time.Second

func invalid(format string, args ...any) error {
	return &sumu.Error{Op: fmt.Sprintf(format, args...), Kind: sumu.ErrInvalid}
}

// Send accepts a notification. It waits while the queue is full: until ctx
// ends, whose error it then returns. ErrClosed is returned after Close, and
// ErrInvalid or ErrTooLarge for a notification that does not validate.
func (l *Local) Send(ctx context.Context, n sumu.Notification) error {
	if err := n.Validate(); err != nil {
		return err
	}
	n = n.Clone()
	n.Data = bytes.Clone(n.Data)
	if n.Event != nil {
		n.Event.Payload = bytes.Clone(n.Event.Payload)
	}

	l.mu.Lock()
	defer l.mu.Unlock()
	if l.accepted >= l.opts.Queue {
		stop := context.AfterFunc(ctx, l.wake)
		defer stop()
	}
	for l.accepted >= l.opts.Queue && !l.closed && ctx.Err() == nil {
		l.changed.Wait()
	}
	switch {
	case l.closed:
		return &sumu.Error{Op: "send", Kind: sumu.ErrClosed}
	case ctx.Err() != nil:
		return &sumu.Error{Op: "send", Kind: sumu.ErrUnavailable, Err: ctx.Err()}
	}
	l.accepted++
	l.queue = append(l.queue, n)
	l.changed.Broadcast()
	return nil
}

// Close accepts nothing more and returns when everything accepted has been
// delivered or given up. When ctx ends first, it stops the pushes, reports what
// is left to DeadLetter, and returns ErrUnavailable with the number.
func (l *Local) Close(ctx context.Context) error {
	l.mu.Lock()
	l.closed = true
	l.changed.Broadcast()
	l.mu.Unlock()

	select {
	case <-l.ended:
	case <-ctx.Done():
		l.cancel()
		l.wake()
		<-l.ended
	}
	l.cancel()
	if left := l.giveUpRest(); left > 0 {
		return &sumu.Error{
			Op:   fmt.Sprintf("close: %d notifications were not delivered", left),
			Kind: sumu.ErrUnavailable,
			Err:  ctx.Err(),
		}
	}
	return nil
}

func (l *Local) wake() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.changed.Broadcast()
}

func (l *Local) giveUpRest() int {
	l.mu.Lock()
	rest := l.queue
	for _, d := range l.later {
		rest = append(rest, d.n)
	}
	l.queue, l.later, l.accepted = nil, nil, 0
	l.mu.Unlock()
	for _, n := range rest {
		l.deadLetter(n, &sumu.Error{Op: "notify " + n.ID, Kind: sumu.ErrClosed})
	}
	return len(rest)
}

func (l *Local) deadLetter(n sumu.Notification, err error) {
	if f := l.opts.Observer.DeadLetter; f != nil {
		f(context.WithoutCancel(l.ctx), n, err)
	}
}

func (l *Local) backoff(n *sumu.Notification, now time.Time) time.Duration {
	d := l.opts.Backoff << min(max(n.Attempt-1, 0), 16)
	if !n.Since.IsZero() { // As long as the faults have lasted.
		d = max(now.Sub(n.Since), l.opts.Backoff)
	}
	d = min(d, maxBackoff)
	return d/2 + rand.N(d/2+1)
}
