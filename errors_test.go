package sumu_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/sumu-live/sumu"
)

var kinds = []error{
	sumu.ErrInvalid, sumu.ErrUnauthorized, sumu.ErrForbidden, sumu.ErrGone,
	sumu.ErrThrottled, sumu.ErrTooLarge, sumu.ErrLimit, sumu.ErrConflict,
	sumu.ErrExpired, sumu.ErrUnavailable, sumu.ErrUnsupported, sumu.ErrClosed,
}

func TestErrorMatchesItsKindAndItsCause(t *testing.T) {
	cause := &net.OpError{Op: "dial", Err: io.ErrUnexpectedEOF}
	for _, kind := range kinds {
		err := error(&sumu.Error{Op: "push n1", Err: fmt.Errorf("node 2: %w",
			&sumu.Error{Op: "post c1", Kind: kind, Err: cause})})
		for _, other := range kinds {
			if got := errors.Is(err, other); got != (other == kind) {
				t.Errorf("an error of kind %q: Is(%q) = %v", kind, other, got)
			}
		}
		var op *net.OpError
		if !errors.As(err, &op) || op != cause {
			t.Errorf("kind %q: the cause is not found by As", kind)
		}
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("kind %q: the cause's own cause does not match", kind)
		}
	}
}

func TestErrorText(t *testing.T) {
	for _, tt := range []struct {
		err  *sumu.Error
		want string
	}{
		{&sumu.Error{}, ""},
		{&sumu.Error{Op: "post c1"}, "post c1"},
		{&sumu.Error{Kind: sumu.ErrGone}, "connection gone"},
		{&sumu.Error{Err: io.EOF}, "EOF"},
		{&sumu.Error{Op: "post c1", Kind: sumu.ErrGone}, "post c1: connection gone"},
		{&sumu.Error{Op: "post c1", Kind: sumu.ErrUnavailable, Err: io.EOF}, "post c1: unavailable: EOF"},
		// A kind that the cause tells already is not told twice.
		{
			&sumu.Error{Op: "push n1", Kind: sumu.ErrGone, Err: &sumu.Error{Op: "post c1", Kind: sumu.ErrGone}},
			"push n1: post c1: connection gone",
		},
		{
			&sumu.Error{Op: "push n1", Kind: sumu.ErrUnavailable, Err: &sumu.Error{Op: "post c1", Kind: sumu.ErrGone}},
			"push n1: unavailable: post c1: connection gone",
		},
	} {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("%#v: got %q, want %q", tt.err, got, tt.want)
		}
	}
}

// plural is an error of several, from another module.
type plural []error

func (p plural) Error() string   { return "several" }
func (p plural) Unwrap() []error { return p }

// hollow wraps nothing, as some errors of other modules do at times.
type hollow struct{}

func (hollow) Error() string { return "hollow" }
func (hollow) Unwrap() error { return nil }

func TestRetryable(t *testing.T) {
	gone := &sumu.Error{Op: "post c1", Kind: sumu.ErrGone}
	throttled := &sumu.Error{Op: "post c2", Kind: sumu.ErrThrottled}
	for _, tt := range []struct {
		name string
		err  error
		want bool
	}{
		{"nil", nil, false},
		{"invalid", sumu.ErrInvalid, false},
		{"unauthorized", sumu.ErrUnauthorized, false},
		{"forbidden", sumu.ErrForbidden, false},
		{"gone", sumu.ErrGone, false},
		{"too large", sumu.ErrTooLarge, false},
		{"limit", sumu.ErrLimit, false},
		{"expired", sumu.ErrExpired, false},
		{"unsupported", sumu.ErrUnsupported, false},
		{"closed", sumu.ErrClosed, false},
		{"throttled", sumu.ErrThrottled, true},
		{"conflict", sumu.ErrConflict, true},
		{"unavailable", sumu.ErrUnavailable, true},

		{"unknown", io.ErrUnexpectedEOF, true},
		{"deadline", context.DeadlineExceeded, true},
		{"canceled", context.Canceled, true},
		{"hollow", hollow{}, true},
		{"Error without kind and cause", &sumu.Error{Op: "x"}, true},

		{"kind of an Error", gone, false},
		{"cause's kind", &sumu.Error{Op: "push", Err: gone}, false},
		{"cause's kind, deep", &sumu.Error{Err: fmt.Errorf("a: %w", fmt.Errorf("b: %w", gone))}, false},
		{"kind before cause, permanent", &sumu.Error{Kind: sumu.ErrInvalid, Err: throttled}, false},
		{"kind before cause, passing", &sumu.Error{Kind: sumu.ErrUnavailable, Err: gone}, true},
		{"unknown cause", &sumu.Error{Op: "x", Err: io.EOF}, true},
		{"wrapped sentinel", fmt.Errorf("x: %w", sumu.ErrForbidden), false},

		{"joined: none may succeed", errors.Join(gone, sumu.ErrInvalid), false},
		{"joined: one may succeed", errors.Join(gone, throttled), true},
		{"joined: one is unknown", errors.Join(gone, io.EOF), true},
		{"joined inside an Error", &sumu.Error{Op: "push", Err: errors.Join(gone, throttled)}, true},
		{"joined, under a permanent kind", &sumu.Error{Kind: sumu.ErrClosed, Err: errors.Join(gone, throttled)}, false},
		{"joined in joined", errors.Join(gone, errors.Join(gone, errors.Join(sumu.ErrLimit, throttled))), true},
		{"joined in joined, none", errors.Join(gone, errors.Join(gone, errors.Join(sumu.ErrLimit))), false},
		{"two with %w", fmt.Errorf("%w and %w", gone, sumu.ErrClosed), false},
		{"another module's list", plural{gone, throttled}, true},
		{"another module's list, none", plural{gone}, false},
	} {
		if got := sumu.Retryable(tt.err); got != tt.want {
			t.Errorf("%s: Retryable(%v) = %v, want %v", tt.name, tt.err, got, tt.want)
		}
	}
}
