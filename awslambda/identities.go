package awslambda

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/sumu-live/sumu"
)

// identityKind is the kind of the records that [WebSocketOptions.Identities] keeps.
const identityKind = "lambda.identity"

// identity says who sent an event that follows $connect: the context of the
// API's authorizer does, or else the record that $connect wrote.
func (w *WebSocket) identity(ctx context.Context, r *events.APIGatewayWebsocketProxyRequest) (sumu.Identity, error) {
	if hasPrincipal(r.RequestContext.Authorizer) || w.opts.Identities == nil {
		return identityOf(r.RequestContext.Authorizer)
	}
	rec, err := w.opts.Identities.LoadRecord(ctx, identityKind, r.RequestContext.ConnectionID)
	if err != nil {
		return sumu.Identity{}, &sumu.Error{Op: "identity of " + r.RequestContext.ConnectionID, Kind: sumu.ErrUnavailable, Err: err}
	}
	if rec.Rev == 0 {
		return sumu.Identity{}, &sumu.Error{Op: "no record of " + r.RequestContext.ConnectionID, Kind: sumu.ErrUnauthorized}
	}
	var kept map[string]any
	if err := json.Unmarshal(rec.Value, &kept); err != nil {
		return sumu.Identity{}, &sumu.Error{Op: "record of " + r.RequestContext.ConnectionID + " cannot be read", Kind: sumu.ErrUnavailable}
	}
	return identityOf(kept)
}

func hasPrincipal(authorizer any) bool {
	members, _ := authorizer.(map[string]any)
	return textOf(members[ctxUserID]) != "" || textOf(members["principalId"]) != ""
}

// remember keeps who a connection is, before it is accepted.
func (w *WebSocket) remember(ctx context.Context, s sumu.Session) error {
	if w.opts.Identities == nil || hasPrincipal(ctx.Value(verifiedKey{})) {
		return nil
	}
	members, err := identityContext(s.Identity)
	if err != nil {
		return err
	}
	value, err := json.Marshal(members)
	if err != nil {
		return err
	}
	deleteAt := w.opts.Now().Add(w.app.RowTTL() + time.Second - 1).Truncate(time.Second)
	err = w.opts.Identities.SaveRecord(ctx, sumu.Record{
		Kind: identityKind, Key: s.Connection.ID, Value: value, Rev: 1, DeleteAt: deleteAt,
	})
	if err != nil {
		return &sumu.Error{Op: "keep the identity of " + s.Connection.ID, Kind: sumu.ErrUnavailable, Err: err}
	}
	return nil
}

// forget removes the record of a connection whose row is gone.
func (w *WebSocket) forget(ctx context.Context, connectionID string) error {
	if w.opts.Identities == nil {
		return nil
	}
	err := w.opts.Identities.DeleteRecord(ctx, identityKind, connectionID, 1)
	if err != nil && !errors.Is(err, sumu.ErrConflict) { // It is not there.
		return &sumu.Error{Op: "forget the identity of " + connectionID, Kind: sumu.ErrUnavailable, Err: err}
	}
	return nil
}
