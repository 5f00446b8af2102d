package notify

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/logging"
)

// LocalOptions tune a [Local]. The zero value of a field is its default.
type LocalOptions struct {
	// Queue is how many notifications may be accepted and not yet pushed, or
	// pushed while the store failed. Send waits while there are that many. What
	// waits for a slow connection takes no place here. Default 1,024; 1 to
	// 1,000,000.
	Queue int
	// Bytes is how much memory may be held by what is accepted and not yet
	// delivered: data, and the names of targets. Send waits for room. When what
	// waits for slow connections leaves none, the oldest of that, 10 s old or
	// more, is given up before Timeout. One notification is always accepted,
	// whatever its size. Default 64 MiB; 1 MiB to 1 TiB.
	Bytes int64
	// Timeout is for how long what a push leaves is tried again, from the first
	// push on; the notification's own Deadline ends it sooner. Then it is given
	// up. Attempts are not counted, neither here nor by the pusher. Default
	// 1 min; 1 ms to 24 h.
	Timeout time.Duration
	// Batch is how many are pushed together. Default 64; 1 to 1,000.
	Batch int
	// Workers is how many batches are pushed at once. Default 1, which keeps
	// the order of notifications; more do not. 1 to 1,000.
	Workers int
	// Backoff is the longest pause before what remained of a push is tried
	// again; it doubles with each try that reaches nobody, up to 5 s, and the
	// actual pause is random between half of it and all. Default 200 ms; 1 ms
	// to 5 s.
	Backoff time.Duration
	// Observer is told of what is given up: DeadLetter.
	Observer sumu.Observer
	// Logger is told of what is given up: one line a second at most, with the
	// count. Default: [slog.Default], warnings and errors;
	// slog.New(slog.DiscardHandler) for silence.
	Logger *slog.Logger
}

// Local is a [sumu.NotifyClient] that delivers in the same process, through a
// bounded queue in memory. Notifications reach a connection in the order in
// which they were sent, unless one has to be tried again.
//
// Give it a pusher with Tries: 1. Local itself tries again what a push leaves,
// after a pause and without holding up what comes after, for as long as Timeout
// says. When most of many connections cannot take a notification, what comes
// after waits for a moment (Timeout / 8 at most): then it is not they who are
// slow. So the queue fills, and whoever sends waits.
//
// What the queue holds ends with the process: Close drains it. When the store
// behind the pusher is down, Send goes on until the queue is full and then
// returns ErrUnavailable when its context ends; what has been tried for Timeout
// is given up, reported and logged. Use a queue such as SQS (package sqsnotify)
// for what must outlive an outage.
type Local struct {
	pusher sumu.Pusher
	opts   LocalOptions
	ctx    context.Context // of the pushes; ends when Close runs out of time
	cancel context.CancelFunc
	ended  chan struct{} // closed when the workers are done
	log    *slog.Logger
	lost   logging.Summary

	mu       sync.Mutex
	changed  *sync.Cond
	queue    []entry
	later    laterHeap
	fresh    int   // how many of queue one turn may take
	accepted int   // entries that have a place in the queue
	bytes    int64 // of all entries
	pushing  int   // entries
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
	o.Bytes = cmp.Or(o.Bytes, 64<<20)
	o.Timeout = cmp.Or(o.Timeout, time.Minute)
	o.Batch = cmp.Or(o.Batch, 64)
	o.Workers = cmp.Or(o.Workers, 1)
	o.Backoff = cmp.Or(o.Backoff, 200*time.Millisecond)
	errs := []error{
		inRange("Queue", o.Queue, 1, 1_000_000),
		inRange("Bytes", o.Bytes, 1<<20, 1<<40),
		inRange("Timeout", o.Timeout, time.Millisecond, 24*time.Hour),
		inRange("Batch", o.Batch, 1, 1_000),
		inRange("Workers", o.Workers, 1, 1_000),
		inRange("Backoff", o.Backoff, time.Millisecond, maxBackoff),
	}
	if p == nil {
		errs = append(errs, invalid("a Local needs a Pusher"))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	l := &Local{pusher: p, opts: o, fresh: o.Batch, ended: make(chan struct{}), log: logging.Or(o.Logger)}
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

func inRange[T int | int64 | time.Duration](name string, v, low, high T) error {
	if v < low || v > high {
		return invalid("%s is %v; it must be %v to %v", name, v, low, high)
	}
	return nil
}

func invalid(format string, args ...any) error {
	return &sumu.Error{Op: fmt.Sprintf(format, args...), Kind: sumu.ErrInvalid}
}

// Send accepts a notification. It waits while there is no room: until ctx ends,
// when it returns ErrUnavailable with the error of ctx. ErrClosed is returned
// after Close, and ErrInvalid or ErrTooLarge for a notification that does not
// validate.
func (l *Local) Send(ctx context.Context, n sumu.Notification) error {
	if err := n.Validate(); err != nil {
		return err
	}
	n = n.Clone()
	n.Data = bytes.Clone(n.Data)
	if n.Event != nil {
		n.Event.Payload = bytes.Clone(n.Event.Payload)
	}
	e := newEntry(n)
	e.queued = true

	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.room(&e) {
		stop := context.AfterFunc(ctx, l.wake)
		defer stop()
	}
	for !l.room(&e) && !l.closed && ctx.Err() == nil {
		if !l.makeRoom(&e) {
			l.changed.Wait()
		}
	}
	switch {
	case l.closed:
		return &sumu.Error{Op: "send", Kind: sumu.ErrClosed}
	case ctx.Err() != nil:
		return &sumu.Error{Op: "send", Kind: sumu.ErrUnavailable, Err: ctx.Err()}
	}
	l.account(&e, 1)
	l.queue = append(l.queue, e)
	l.changed.Broadcast()
	return nil
}

// Close accepts nothing more and returns when everything accepted has been
// delivered or given up. When ctx ends first, it stops the pushes, reports what
// is left to DeadLetter and the Logger, and returns ErrUnavailable with the
// number.
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
	left := l.giveUpRest()
	l.lost.Flush(ctx)
	if left > 0 {
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
