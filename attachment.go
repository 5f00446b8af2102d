package sumu

import (
	"context"
	"errors"
	"time"
)

// AttachmentStore is a [Store] that keeps what connections have asked to
// receive: memberships of channels, see [ChannelStore], and subscriptions to
// events, see [SubscriptionStore].
//
// An attachment expires with the row of its connection, and an expired one is
// absent everywhere. A store of one process removes them in the same step as
// the row. In any other, whoever removes a row calls Forget: App, a pusher, and
// connstore/sweep's Cleaner for what those did not get to.
type AttachmentStore interface {
	// Forget removes every attachment of a connection that has no row any
	// more. It reads those of that connection alone, and may be called twice.
	// One that is being made at the same time undoes itself.
	Forget(ctx context.Context, ref ConnectionRef) error

	// Prolong moves the expiry of every attachment of a connection whose row
	// was prolonged.
	Prolong(ctx context.Context, ref ConnectionRef, deleteAt time.Time) error
}

// ForgetGone removes the attachments of a connection if its row is absent, and
// reports whether it was. A store that keeps none is asked nothing.
func ForgetGone(ctx context.Context, s Store, ref ConnectionRef) (gone bool, err error) {
	a, ok := s.(AttachmentStore)
	if !ok {
		return false, nil
	}
	if _, err := s.Get(ctx, ref); err == nil || !errors.Is(err, ErrGone) {
		return false, err
	}
	return true, a.Forget(ctx, ref)
}
