package sumu

import (
	"context"
	"time"
)

// OnConnect has f called for every connection whose row was written, before
// its transport completes the upgrade: nothing can be posted to it yet. An
// error of f refuses the connection, as one of the Authorizer does, and its row
// is removed. Call it before the first connection.
func (a *App) OnConnect(f func(ctx context.Context, s *Session) error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.hooks = append(a.hooks, f)
}

// KeepAttachments has the App prolong what a connection has joined and
// subscribed to with its row, and forget it with its row. The packages channels
// and events call it. ErrUnsupported is returned when the store is not an
// [AttachmentStore].
func (a *App) KeepAttachments() error {
	if _, ok := a.store.(AttachmentStore); !ok {
		return &Error{Op: "channels and events need a store that is an AttachmentStore", Kind: ErrUnsupported}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.attach = true
	return nil
}

// attachments returns the store's power, nil when nobody uses it: a
// disconnection then costs no read.
func (a *App) attachments() AttachmentStore {
	a.mu.RLock()
	defer a.mu.RUnlock()
	if !a.attach {
		return nil
	}
	return a.store.(AttachmentStore)
}

// begin calls the hooks of a new connection.
func (a *App) begin(ctx context.Context, s *Session) error {
	a.mu.RLock()
	hooks := a.hooks
	a.mu.RUnlock()
	for _, f := range hooks {
		if err := callHook(ctx, f, s); err != nil {
			a.undo(ctx, s.Connection)
			return err
		}
	}
	return nil
}

func callHook(ctx context.Context, f func(context.Context, *Session) error, s *Session) (err error) {
	defer RecoverTo(&err)
	return f(ctx, s)
}

// remove removes a row, and what is attached to it.
func (a *App) remove(ctx context.Context, ref ConnectionRef) error {
	if err := a.store.Delete(ctx, ref); err != nil {
		return err
	}
	if s := a.attachments(); s != nil {
		return s.Forget(ctx, ref)
	}
	return nil
}

// RowTTL is how long a row lives unless [App.Renew] prolongs it.
func (a *App) RowTTL() time.Duration { return a.opts.RowTTL }

// Renew prolongs the row of a connection that is still open by RowTTL from
// now. ErrGone is returned when the row is no more: close the socket.
// ErrUnsupported is returned when the store is not a [Toucher].
func (a *App) Renew(ctx context.Context, c Connection) error {
	t, ok := a.store.(Toucher)
	if !ok {
		return &Error{Op: "renew " + c.ID + ": the store cannot prolong a row", Kind: ErrUnsupported}
	}
	deleteAt := a.rowExpiry(a.opts.Now())
	err := t.Touch(ctx, c.Ref(), deleteAt)
	if err == nil {
		err = a.prolong(ctx, c.Ref(), deleteAt)
	}
	if err != nil {
		return &Error{Op: "renew " + c.ID, Err: err}
	}
	return nil
}

// rowExpiry is rounded up, so that a row is never shorter-lived than promised.
func (a *App) rowExpiry(now time.Time) time.Time {
	return now.Add(a.opts.RowTTL + time.Second - 1).Truncate(time.Second)
}

func (a *App) prolong(ctx context.Context, ref ConnectionRef, deleteAt time.Time) error {
	if s := a.attachments(); s != nil {
		return s.Prolong(ctx, ref, deleteAt)
	}
	return nil
}
