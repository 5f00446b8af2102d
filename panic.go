package sumu

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// PanicError is the cause of an error that began as a panic in what a caller
// has given: a handler, a store, a sender, a publisher. It is reached with
// [errors.As]. Its text leaves the value out, which may hold part of a payload.
type PanicError struct {
	Value any
	Stack []byte
}

// Error returns the text of a run-time error, such as a nil pointer, and of
// anything else its type.
func (e *PanicError) Error() string {
	if err, ok := e.Value.(runtime.Error); ok {
		return "panic: " + err.Error()
	}
	return fmt.Sprintf("panic of type %T", e.Value)
}

// RecoverTo turns a panic into ErrUnavailable with a [*PanicError] inside: what
// failed may succeed for another message, and one message must not end a
// process that holds thousands of sockets. Defer it.
func RecoverTo(err *error) {
	if v := recover(); v != nil {
		*err = &Error{Kind: ErrUnavailable, Err: &PanicError{Value: v, Stack: debug.Stack()}}
	}
}
