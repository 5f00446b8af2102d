package pusher

import (
	"context"
	"runtime"
	"runtime/debug"

	"github.com/sumu-live/sumu"
)

// PanicError is the cause of an error that began as a panic in what the caller
// has given: a store, a sender, a queue, a sink. It is reached with [errors.As].
// Its text leaves the value out, which may hold part of a payload.
type PanicError struct {
	Value any
	Stack []byte
}

// Error returns the text of a run-time error, such as a nil pointer, and
// nothing else about the value.
func (e *PanicError) Error() string {
	if err, ok := e.Value.(runtime.Error); ok {
		return "panic: " + err.Error()
	}
	return "panic"
}

// recoverTo turns a panic into an error that may be tried again: defer it.
func recoverTo(err *error) {
	if v := recover(); v != nil {
		*err = &sumu.Error{Kind: sumu.ErrUnavailable, Err: &PanicError{Value: v, Stack: debug.Stack()}}
	}
}

// contain ends a panic of an observer, which is no reason to lose a push: defer it.
func contain() { _ = recover() }

func safely(f func() error) (err error) {
	defer recoverTo(&err)
	return f()
}

func (p *Pusher) observePosted(ctx context.Context, j *job) {
	if f := p.opts.Observer.Posted; f != nil {
		defer contain()
		f(ctx, j.conn.Ref(), j.plan.n.ID, j.err)
	}
}

func (p *Pusher) observePruned(ctx context.Context, ref sumu.ConnectionRef, err error) {
	if f := p.opts.Observer.Pruned; f != nil {
		defer contain()
		f(ctx, ref, err)
	}
}

func (p *Pusher) observePushed(ctx context.Context, r sumu.Result) {
	if f := p.opts.Observer.Pushed; f != nil {
		defer contain()
		f(ctx, r)
	}
}

func (p *Pusher) observeDeadLetter(ctx context.Context, n sumu.Notification, err error) {
	if f := p.opts.Observer.DeadLetter; f != nil {
		defer contain()
		f(ctx, n, err)
	}
}
