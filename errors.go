package sumu

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// The kinds of failure. An error of this module matches its kind with
// [errors.Is], whatever the driver, and its cause with [errors.As].
var (
	// ErrInvalid: the request itself is wrong and will be wrong again.
	ErrInvalid = errors.New("invalid")
	// ErrUnauthorized: no token, or one that does not verify (HTTP 401).
	ErrUnauthorized = errors.New("unauthorized")
	// ErrForbidden: known, but not allowed (HTTP 403). From a [Sender] it is a
	// fault of configuration: the batch stops and nothing is pruned.
	ErrForbidden = errors.New("forbidden")
	// ErrGone: the connection is no more, or its row is absent or expired.
	ErrGone = errors.New("connection gone")
	// ErrThrottled: slow down, or the receiver reads too slowly.
	ErrThrottled = errors.New("throttled")
	// ErrTooLarge: a payload over [MaxPayload], or a value over its limit.
	ErrTooLarge = errors.New("too large")
	// ErrLimit: a configured limit (connections, messages) is reached.
	ErrLimit = errors.New("limit exceeded")
	// ErrConflict: another writer was first; read again and retry.
	ErrConflict = errors.New("conflict")
	// ErrExpired: the notification's deadline has passed.
	ErrExpired = errors.New("past its deadline")
	// ErrUnavailable: a dependency failed or did not answer; try again later.
	ErrUnavailable = errors.New("unavailable")
	// ErrUnsupported: what was asked for is not offered by this driver.
	ErrUnsupported = errors.New("unsupported")
	// ErrClosed: the receiver was closed.
	ErrClosed = errors.New("closed")
)

// Error is how this module reports a failure: what was attempted, of which
// kind the failure is, and what caused it. Its text reads as a path
// ("push n1: post c1: connection gone") and never holds a token or a payload.
type Error struct {
	Op   string // what was attempted, such as "post c1"; may be ""
	Kind error  // one of this package's Err values; nil: that of Err
	Err  error  // the cause; may be nil
}

// Error returns the path of operations, the kind, and the cause.
func (e *Error) Error() string {
	parts := make([]string, 0, 3)
	if e.Op != "" {
		parts = append(parts, e.Op)
	}
	if e.Kind != nil && (e.Err == nil || !errors.Is(e.Err, e.Kind)) {
		parts = append(parts, e.Kind.Error())
	}
	if e.Err != nil {
		parts = append(parts, e.Err.Error())
	}
	return strings.Join(parts, ": ")
}

// Unwrap returns the kind and the cause, so that both match.
func (e *Error) Unwrap() []error {
	switch {
	case e.Kind == nil && e.Err == nil:
		return nil
	case e.Kind == nil:
		return []error{e.Err}
	case e.Err == nil:
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Err}
}

// permanent are the kinds that fail again however often they are tried.
var permanent = []error{
	ErrInvalid, ErrUnauthorized, ErrForbidden, ErrGone, ErrTooLarge,
	ErrLimit, ErrExpired, ErrUnsupported, ErrClosed,
}

// Retryable reports whether the same call may succeed later. The kind of an
// [*Error] decides before its cause does; of joined errors one that may succeed
// is enough. An error of no known kind (a reset connection, an expired context)
// may succeed later: to try once too often is better than to lose something.
func Retryable(err error) bool {
	if err == nil {
		return false
	}
	if e, ok := err.(*Error); ok { // This walks the tree itself.
		if e.Kind != nil {
			return !isPermanentKind(e.Kind)
		}
		return e.Err == nil || Retryable(e.Err)
	}
	switch u := err.(type) {
	case interface{ Unwrap() []error }:
		for _, sub := range u.Unwrap() {
			if Retryable(sub) {
				return true
			}
		}
		return false
	case interface{ Unwrap() error }:
		if sub := u.Unwrap(); sub != nil {
			return Retryable(sub)
		}
	}
	return !isPermanentKind(err)
}

func isPermanentKind(err error) bool {
	for _, kind := range permanent {
		if err == kind { // A kind, never wrapped.
			return true
		}
	}
	return false
}

// wireCodes are the kinds that an error frame tells apart; see [App.Message].
var wireCodes = []struct {
	kind error
	code string
}{
	{ErrInvalid, "bad_request"},
	{ErrUnsupported, "bad_request"},
	{ErrForbidden, "forbidden"},
	{ErrUnauthorized, "forbidden"},
	{ErrTooLarge, "too_large"},
	{ErrLimit, "limit_exceeded"},
	{ErrThrottled, "rate_limited"},
}

// wireError is what a client may read of err: a code, and the outermost
// operation or else the kind, without the cause, which may tell of things
// inside. As in [Retryable] the outermost kind decides: a dependency that
// refused our own request is not the client's bad request.
func wireError(err error) (code, text string) {
	op, cause := outermost(err)
	for _, w := range wireCodes {
		if !errors.Is(cause, w.kind) {
			continue
		}
		if op == "" {
			op = w.kind.Error()
		}
		return w.code, op
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "unavailable", "timed out; try again"
	}
	return "unavailable", "try again later"
}

// outermost returns the first operation and the first kind on the way from an
// error to its cause; without a kind, the innermost cause.
func outermost(err error) (op string, kind error) {
	var e *Error
	errors.As(err, &e)
	kind = err
	for e != nil {
		if op == "" {
			op = e.Op
		}
		if e.Kind != nil {
			return op, e.Kind
		}
		kind, e = e.Err, nil
		errors.As(kind, &e)
	}
	return op, kind
}

// tooLarge is an ErrTooLarge whose text is meant for whoever sent the request.
func tooLarge(format string, args ...any) error {
	return &Error{Op: fmt.Sprintf(format, args...), Kind: ErrTooLarge}
}

// invalid is an ErrInvalid whose text is meant for whoever sent the request.
func invalid(format string, args ...any) error {
	return &Error{Op: fmt.Sprintf(format, args...), Kind: ErrInvalid}
}
