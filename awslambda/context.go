package awslambda

import (
	"context"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/sumu-live/sumu"
)

// The names in an authorizer's context. Those of claims have a prefix, so that
// no claim can stand for another member.
const (
	ctxUserID    = "user_id"
	ctxGrants    = "grants"
	ctxExpiresAt = "expires_at" // epoch seconds
	ctxIssuedAt  = "issued_at"  // epoch seconds
	ctxClaim     = "claim_"
)

// identityContext writes an identity as API Gateway repeats it: strings and
// numbers only. Times are cut to the second, never later than they were.
func identityContext(id sumu.Identity) (map[string]any, error) {
	grants, err := id.Grants.MarshalText()
	if err != nil {
		return nil, err
	}
	c := map[string]any{ctxUserID: id.UserID, ctxGrants: string(grants)}
	for name, at := range map[string]time.Time{ctxExpiresAt: id.ExpiresAt, ctxIssuedAt: id.IssuedAt} {
		if !at.IsZero() {
			c[name] = at.Unix()
		}
	}
	for name, value := range id.Claims {
		c[ctxClaim+name] = value
	}
	return c, nil
}

// identityOf reads an authorizer's context: ours, or that of another authorizer
// that gives a principalId at least. What is there but cannot be read is an
// error: a lost expiry or grant would widen what the client may do.
func identityOf(authorizer any) (sumu.Identity, error) {
	members, _ := authorizer.(map[string]any)
	var id sumu.Identity
	id.UserID = textOf(members[ctxUserID])
	if id.UserID == "" {
		id.UserID = textOf(members["principalId"])
	}
	if err := sumu.ValidateUserID(id.UserID); err != nil {
		return sumu.Identity{}, &sumu.Error{Op: "the event has no authorizer's context: attach the authorizer to $connect", Kind: sumu.ErrUnauthorized, Err: err}
	}
	if err := id.Grants.UnmarshalText([]byte(textOf(members[ctxGrants]))); err != nil {
		return sumu.Identity{}, unreadable(ctxGrants)
	}
	for name, into := range map[string]*time.Time{ctxExpiresAt: &id.ExpiresAt, ctxIssuedAt: &id.IssuedAt} {
		text := textOf(members[name])
		if text == "" {
			continue
		}
		s, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(s) || math.Abs(s) > 1<<40 {
			return sumu.Identity{}, unreadable(name)
		}
		*into = time.Unix(int64(s), 0)
	}
	for name, value := range members {
		if claim, ok := strings.CutPrefix(name, ctxClaim); ok {
			if id.Claims == nil {
				id.Claims = make(map[string]string)
			}
			id.Claims[claim] = textOf(value)
		}
	}
	return id, nil
}

// unreadable is a fault on our side: the client did not write the context.
func unreadable(name string) error {
	return &sumu.Error{Op: name + " in the authorizer's context cannot be read", Kind: sumu.ErrUnavailable}
}

// textOf returns a value of the context as text: API Gateway turns numbers into
// strings in some places and leaves them in others.
func textOf(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case json.Number:
		return v.String()
	case int64:
		return strconv.FormatInt(v, 10)
	case bool:
		return strconv.FormatBool(v)
	}
	return ""
}

// verifiedKey is the key of what the authorizer of the API told, in a context.
type verifiedKey struct{}

// ContextAuthorizer returns the [sumu.Authorizer] of an App behind an API whose
// REQUEST authorizer has verified the token: it takes the identity from the
// event, which a client cannot write, and verifies nothing again. ErrUnauthorized is
// returned for an event without it, and outside of a [WebSocket].
func ContextAuthorizer() sumu.Authorizer { return contextAuthorizer{} }

type contextAuthorizer struct{}

var _ sumu.AmbientReader = contextAuthorizer{}

// Authorize reads the context of the event.
func (contextAuthorizer) Authorize(ctx context.Context, _ *sumu.ConnectRequest) (sumu.Identity, error) {
	return identityOf(ctx.Value(verifiedKey{}))
}

// AmbientCredentials is false: whoever wrote the context has checked the origin.
func (contextAuthorizer) AmbientCredentials(*sumu.ConnectRequest) bool { return false }
