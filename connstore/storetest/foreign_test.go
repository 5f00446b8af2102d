package storetest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"testing"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/leak"
)

// foreign is an error as a driver of somebody else's may return it: of the kind
// that the contract asks for, and of no type of ours.
func foreign(err error) error {
	for _, kind := range []error{
		sumu.ErrInvalid, sumu.ErrGone, sumu.ErrLimit, sumu.ErrConflict, sumu.ErrTooLarge, sumu.ErrUnsupported,
		sumu.ErrThrottled, sumu.ErrUnavailable, sumu.ErrClosed, context.Canceled, context.DeadlineExceeded,
	} {
		if errors.Is(err, kind) {
			return fmt.Errorf("acme: %w", kind)
		}
	}
	return err
}

// The foreigns are methods whose errors are foreign, by how many arguments they
// have beside the context, and how many results beside the error.
func foreign1[A any](f func(context.Context, A) error) func(context.Context, A) error {
	return func(ctx context.Context, a A) error { return foreign(f(ctx, a)) }
}

func foreign2[A, B any](f func(context.Context, A, B) error) func(context.Context, A, B) error {
	return func(ctx context.Context, a A, b B) error { return foreign(f(ctx, a, b)) }
}

func foreign3[A, B, C any](f func(context.Context, A, B, C) error) func(context.Context, A, B, C) error {
	return func(ctx context.Context, a A, b B, c C) error { return foreign(f(ctx, a, b, c)) }
}

func foreign1R[A, R any](f func(context.Context, A) (R, error)) func(context.Context, A) (R, error) {
	return func(ctx context.Context, a A) (R, error) {
		r, err := f(ctx, a)
		return r, foreign(err)
	}
}

func foreign2R[A, B, R any](f func(context.Context, A, B) (R, error)) func(context.Context, A, B) (R, error) {
	return func(ctx context.Context, a A, b B) (R, error) {
		r, err := f(ctx, a, b)
		return r, foreign(err)
	}
}

func foreignSeq[R any](seq iter.Seq2[R, error]) iter.Seq2[R, error] {
	return func(yield func(R, error) bool) {
		for r, err := range seq {
			if !yield(r, foreign(err)) {
				return
			}
		}
	}
}

func foreign1Seq[A, R any](f func(context.Context, A) iter.Seq2[R, error]) func(context.Context, A) iter.Seq2[R, error] {
	return func(ctx context.Context, a A) iter.Seq2[R, error] { return foreignSeq(f(ctx, a)) }
}

func foreign2Seq[A, B, R any](f func(context.Context, A, B) iter.Seq2[R, error]) func(context.Context, A, B) iter.Seq2[R, error] {
	return func(ctx context.Context, a A, b B) iter.Seq2[R, error] { return foreignSeq(f(ctx, a, b)) }
}

func foreignErrors(h *hooked) {
	h.put, h.get, h.delete = foreign1(h.put), foreign1R(h.get), foreign1(h.delete)
	h.prune, h.byUser, h.hasLive, h.all = foreign2R(h.prune), foreign1Seq(h.byUser), foreign1R(h.hasLive), foreign1Seq(h.all)
	h.touch, h.sweep, h.refresh = foreign2(h.touch), foreign1R(h.sweep), foreign2(h.refresh)
	h.presence, h.savePresence = foreign1R(h.presence), foreign1(h.savePresence)
	h.markAnnounced, h.presenceRows = foreign2(h.markAnnounced), foreign1Seq(h.presenceRows)
	h.loadRecord, h.saveRecord, h.deleteRecord = foreign2R(h.loadRecord), foreign1(h.saveRecord), foreign3(h.deleteRecord)
	putCapped := h.putCapped
	h.putCapped = func(ctx context.Context, c sumu.Connection, most int, evict bool) ([]sumu.Connection, error) {
		evicted, err := putCapped(ctx, c, most, evict)
		return evicted, foreign(err)
	}
	h.forget, h.prolong = foreign1(h.forget), foreign2(h.prolong)
	h.join, h.leave, h.isMember = foreign3(h.join), foreign2(h.leave), foreign2R(h.isMember)
	h.members, h.countMembers, h.channels = foreign2Seq(h.members), foreign1R(h.countMembers), foreign1Seq(h.channels)
	subscribe, unsubscribe := h.subscribe, h.unsubscribe
	h.subscribe = func(ctx context.Context, c conn, most int, subs ...sub) error {
		return foreign(subscribe(ctx, c, most, subs...))
	}
	h.unsubscribe = func(ctx context.Context, r ref, subs ...sub) error { return foreign(unsubscribe(ctx, r, subs...)) }
	h.subscriptions, h.subscribers = foreign1Seq(h.subscriptions), foreign2Seq(h.subscribers)
}

// A driver's errors need not be of our type: the contract says of what kind they
// are, which is what errors.Is tells.
func TestTheSuitePassesErrorsOfAnotherType(t *testing.T) {
	leak.Check(t)
	clock := newClock()
	r := newRecorder(t)
	run(r, func(tb) sumu.Store { return newHooked(clock, foreignErrors) }, everything(clock))
	for _, name := range r.failed() {
		t.Errorf("%s: %q", name, r.failures[name][0])
	}
}
