package sumu

import (
	"context"
	"errors"
	"time"

	"github.com/sumu-live/sumu/internal/strictjson"
)

// TokenVerifier is an [Authorizer] that can verify a token by itself, for the
// action "refresh".
type TokenVerifier interface {
	// Verify returns who a token speaks for. Its errors are those of
	// [Authorizer].
	Verify(ctx context.Context, token string) (Identity, error)
}

// refresh replaces the token of an open connection: the frame holds the new
// one in "token". It must be of the same user.
func (a *App) refresh(ctx context.Context, m Message) ([]byte, error) {
	token, ok := strictjson.String(m.Field("token"))
	if !ok || token == "" {
		return nil, invalid("token is not a string")
	}
	if m.SetIdentity == nil {
		return nil, &Error{Op: "this connection cannot take a new token; connect again", Kind: ErrUnsupported}
	}
	id, err := a.verifier.Verify(ctx, token)
	if err == nil {
		err = validIdentity(id)
	}
	if err == nil {
		err = a.checkRevoked(ctx, id)
	}
	switch {
	case errors.Is(err, ErrUnauthorized), errors.Is(err, ErrForbidden):
		return nil, &Error{Op: "the token was not accepted", Kind: ErrForbidden, Err: err}
	case err != nil:
		return nil, err
	case id.UserID != m.Connection.UserID:
		return nil, &Error{Op: "the token is another user's", Kind: ErrForbidden}
	}
	if r, ok := a.store.(Refresher); ok {
		if err := r.Refresh(ctx, m.Connection.Ref(), id.ExpiresAt.Truncate(time.Second)); err != nil {
			return nil, err
		}
	}
	m.SetIdentity(id)
	return m.Ack(m.RequestID), nil
}

const revocationKind = "revocation"

// Revoke refuses the tokens of a user that were issued before notBefore, on
// every App that has [AppOptions.Revocations]. The record is kept until
// notBefore and tokenLife, the longest life of your tokens (at least 1 s), have
// passed: no such token is left then. It does not close what is open; see
// [Kick]. Of several revocations of a user the latest notBefore counts.
func Revoke(ctx context.Context, s StateStore, userID string, notBefore time.Time, tokenLife time.Duration) error {
	op := "revoke " + userID
	if err := ValidateUserID(userID); err != nil {
		return &Error{Op: op, Err: err}
	}
	if tokenLife < time.Second {
		return &Error{Op: op, Err: invalid("tokenLife is %v; it must be at least 1s", tokenLife)}
	}
	const tries = 10 // Others revoke the same user at the same time.
	for range tries {
		old, err := s.LoadRecord(ctx, revocationKind, userID)
		if err != nil {
			return &Error{Op: op, Err: err}
		}
		if before, err := revokedBefore(old); err == nil && before.After(notBefore) {
			notBefore = before
		}
		deleteAt := notBefore.Add(tokenLife + time.Second - 1).Truncate(time.Second)
		if old.DeleteAt.After(deleteAt) {
			deleteAt = old.DeleteAt
		}
		value, err := notBefore.UTC().MarshalText()
		if err != nil {
			return &Error{Op: op, Kind: ErrInvalid, Err: err}
		}
		err = s.SaveRecord(ctx, Record{
			Kind: revocationKind, Key: userID, Value: value, Rev: old.Rev + 1, DeleteAt: deleteAt,
		})
		if !errors.Is(err, ErrConflict) {
			if err != nil {
				return &Error{Op: op, Err: err}
			}
			return nil
		}
	}
	return &Error{Op: op, Kind: ErrConflict}
}

// revokedBefore reads a revocation; the zero time when there is none.
func revokedBefore(r Record) (before time.Time, err error) {
	if r.Rev > 0 {
		err = before.UnmarshalText(r.Value)
	}
	return before, err
}

// checkRevoked returns ErrUnauthorized for a token that was issued before its
// user's revocation, or at a time that is not known.
func (a *App) checkRevoked(ctx context.Context, id Identity) error {
	if a.opts.Revocations == nil {
		return nil
	}
	r, err := a.opts.Revocations.LoadRecord(ctx, revocationKind, id.UserID)
	if err != nil {
		return err
	}
	before, err := revokedBefore(r)
	if err != nil {
		return err
	}
	if id.IssuedAt.Before(before) {
		return &Error{Op: "token was revoked", Kind: ErrUnauthorized}
	}
	return nil
}

// Kick closes the connections of a user, wherever their sockets are, and
// returns how many there were. If d is a [Sender] too, as gateways are, their
// clients are told why first; see [ClosingFrame]; if it is a
// [ReasonDisconnecter], they are closed with [CloseKicked]. The row of a connection that
// is gone already is removed. One that cannot be closed does not stop the
// others; the errors are joined. The user may connect again: see [Revoke].
func Kick(ctx context.Context, store Store, d Disconnecter, userID string) (closed int, err error) {
	last, err := NewPayload(ClosingFrame("kicked", "this connection was closed by the server"))
	if err != nil {
		return 0, err
	}
	var errs []error
	for c, err := range store.ByUser(ctx, userID) {
		if err != nil {
			errs = append(errs, err)
			break
		}
		if s, ok := d.(Sender); ok {
			_ = s.Post(ctx, c, last) // A courtesy: it is closed anyhow.
		}
		switch err := disconnectFor(ctx, d, c, DisconnectReason{Code: CloseKicked, Text: "kicked"}); {
		case err == nil:
			closed++
		case errors.Is(err, ErrGone):
			errs = append(errs, store.Delete(ctx, c.Ref()))
		default:
			errs = append(errs, &Error{Op: "disconnect " + c.ID, Err: err})
		}
	}
	if err := errors.Join(errs...); err != nil {
		return closed, &Error{Op: "kick " + userID, Err: err}
	}
	return closed, nil
}

func disconnectFor(ctx context.Context, d Disconnecter, c Connection, reason DisconnectReason) error {
	if r, ok := d.(ReasonDisconnecter); ok {
		return r.DisconnectFor(ctx, c, reason)
	}
	return d.Disconnect(ctx, c)
}

// ClosingFrame is the last frame before the server closes a connection, for
// clients that cannot see why it was closed, as behind API Gateway:
//
//	{"type":"closing","code":"token_expired","message":"…"}
//
// The codes are token_expired, kicked and replaced (by a newer connection of
// the same user). On one's own servers the close frame behind it says the same:
// [CloseTokenExpired], [CloseKicked], [CloseReplaced].
func ClosingFrame(code, message string) []byte {
	return mustJSON(struct {
		Type    string `json:"type"`
		Code    string `json:"code"`
		Message string `json:"message"`
	}{"closing", code, message})
}
