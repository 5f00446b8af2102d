package awslambda

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/logging"
)

// The event types of a WebSocket API.
const (
	eventConnect    = "CONNECT"
	eventMessage    = "MESSAGE"
	eventDisconnect = "DISCONNECT"
)

// WebSocketOptions tune a [WebSocket]. The zero value of a field is its default.
type WebSocketOptions struct {
	// Endpoint returns the management endpoint of a connection, which is kept
	// in its row, from the domain name and the stage of its events:
	// apigw.EndpointFromDomain does. Default: "", the sender's default.
	Endpoint func(domainName, stage string) (string, error)
	// Identities keeps who a connection is, for an API without an authorizer:
	// there events after $connect do not tell it. It costs a write for each
	// connection and a read for each message. Default nil: messages come with
	// the context of an authorizer, or are refused.
	Identities sumu.StateStore
	// Disconnecter closes connections: that of a client whose token has
	// expired, when it sends a message, and those whose place a newer one took.
	// If it is a [sumu.Sender] too, as apigw's is, they are told why first.
	// Default nil: they end when API Gateway ends them; what a client sends after
	// its token has expired is answered with a closing frame only.
	Disconnecter sumu.Disconnecter
	// Logger is told of faults at level Error, and of refused clients at Info.
	// Default: [slog.Default], warnings and errors; slog.New(slog.DiscardHandler)
	// for silence.
	Logger *slog.Logger
	// Now is the clock. Default [time.Now].
	Now func() time.Time
}

// WebSocket serves the routes of a WebSocket API: $connect, $disconnect and
// all messages, whose action the App routes by itself. Give the API one
// $default route with a route response, or replies are not sent to clients.
type WebSocket struct {
	app  *sumu.App
	opts WebSocketOptions
}

var _ handler = (*WebSocket)(nil)

// NewWebSocket returns a handler that serves app. Behind a REQUEST authorizer
// the App's own is [ContextAuthorizer]; without one it verifies tokens itself,
// and [WebSocketOptions.Identities] must be given. ErrInvalid is returned when
// app is nil, and when its Authorizer goes by ambient credentials
// ([sumu.AmbientReader]) without [sumu.AppOptions.Origins].
func NewWebSocket(app *sumu.App, optFns ...func(*WebSocketOptions)) (*WebSocket, error) {
	var o WebSocketOptions
	for _, fn := range optFns {
		fn(&o)
	}
	if app == nil {
		return nil, invalid("a WebSocket needs an App")
	}
	if err := checkOrigins(app.Origins()); err != nil {
		return nil, err
	}
	if o.Endpoint == nil {
		o.Endpoint = func(string, string) (string, error) { return "", nil }
	}
	o.Logger = logging.Or(o.Logger)
	if o.Now == nil {
		o.Now = time.Now
	}
	return &WebSocket{app: app, opts: o}, nil
}

// Invoke handles an event of [KindWebSocket]; see [WebSocket.Handle].
func (w *WebSocket) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	return invoke(ctx, w, payload)
}

func (w *WebSocket) handle(ctx context.Context, e *event) (any, error) {
	if err := e.only("WebSocket", KindWebSocket); err != nil {
		return nil, err
	}
	var r events.APIGatewayWebsocketProxyRequest
	if err := json.Unmarshal(e.payload, &r); err != nil {
		return nil, invalid("event of a WebSocket API has another shape") // err may repeat a part of it.
	}
	return w.Handle(ctx, r)
}

// Handle serves one event. The status of the answer is 200; or 401, 403 or 429
// for a client that may not connect, 400 and 401 for a message that is refused,
// and 500 for a fault of ours, which is logged. The error is always nil but for
// an event that is none of a connection.
func (w *WebSocket) Handle(ctx context.Context, r events.APIGatewayWebsocketProxyRequest) (events.APIGatewayProxyResponse, error) {
	rc := &r.RequestContext
	if rc.ConnectionID == "" {
		return events.APIGatewayProxyResponse{}, invalid("event of a WebSocket API has no connectionId")
	}
	if rc.Authorizer != nil {
		ctx = context.WithValue(ctx, verifiedKey{}, rc.Authorizer)
	}
	var serve func(context.Context, *events.APIGatewayWebsocketProxyRequest) (events.APIGatewayProxyResponse, error)
	switch rc.EventType {
	case eventConnect:
		serve = w.connect
	case eventMessage:
		serve = w.message
	case eventDisconnect:
		serve = w.disconnect
	default:
		return events.APIGatewayProxyResponse{}, invalid("event of a WebSocket API is neither CONNECT, MESSAGE nor DISCONNECT")
	}
	var out events.APIGatewayProxyResponse
	err := safely(func() (err error) {
		out, err = serve(ctx, &r)
		return err
	})
	if err != nil {
		return w.refuse(ctx, &r, err), nil
	}
	return out, nil
}

// refuse answers what could not be served. Clients are not told why.
func (w *WebSocket) refuse(ctx context.Context, r *events.APIGatewayWebsocketProxyRequest, err error) events.APIGatewayProxyResponse {
	err = redacted(err, connectRequest(r))
	status := http.StatusInternalServerError
	switch kind := kindOf(err); {
	case r.RequestContext.EventType == eventMessage && errors.Is(kind, sumu.ErrInvalid):
		status = http.StatusBadRequest
	case errors.Is(kind, sumu.ErrUnauthorized):
		status = http.StatusUnauthorized
	case errors.Is(kind, sumu.ErrForbidden):
		status = http.StatusForbidden
	case errors.Is(kind, sumu.ErrLimit), errors.Is(kind, sumu.ErrThrottled):
		status = http.StatusTooManyRequests
	}
	log := w.opts.Logger.With("event", r.RequestContext.EventType,
		"connection_id", r.RequestContext.ConnectionID, "request_id", r.RequestContext.RequestID)
	if status == http.StatusInternalServerError {
		logError(ctx, log, "websocket event failed", err)
	} else {
		log.InfoContext(ctx, "websocket event refused", "status", status, "error", err.Error())
	}
	out := events.APIGatewayProxyResponse{StatusCode: status}
	if r.RequestContext.EventType == eventMessage { // It is sent to the client, in API Gateway's own form.
		body, _ := json.Marshal(struct { // Strings always marshal.
			Message      string `json:"message"`
			ConnectionID string `json:"connectionId"`
			RequestID    string `json:"requestId"`
		}{http.StatusText(status), r.RequestContext.ConnectionID, r.RequestContext.RequestID})
		out.Body = string(body)
	}
	return out
}

// kindOf is the outermost kind of an error: a table that refuses us is not a
// client that we refuse.
func kindOf(err error) error {
	for e := (*sumu.Error)(nil); errors.As(err, &e); err = e.Err {
		if e.Kind != nil {
			return e.Kind
		}
	}
	return err
}

func (w *WebSocket) endpoint(r *events.APIGatewayWebsocketProxyRequest) (string, error) {
	e, err := w.opts.Endpoint(r.RequestContext.DomainName, r.RequestContext.Stage)
	if err != nil {
		// Of whatever kind it is, the client is not at fault.
		return "", &sumu.Error{Op: "management endpoint", Kind: sumu.ErrUnavailable, Err: err}
	}
	return e, nil
}

func (w *WebSocket) message(ctx context.Context, r *events.APIGatewayWebsocketProxyRequest) (events.APIGatewayProxyResponse, error) {
	out := events.APIGatewayProxyResponse{StatusCode: http.StatusOK}
	id, err := w.identity(ctx, r)
	if err != nil {
		return out, err
	}
	c, err := w.connection(r, id)
	if err != nil {
		return out, err
	}
	if now := w.opts.Now(); !c.AuthExpiresAt.IsZero() && !now.Before(c.AuthExpiresAt) {
		frame := sumu.ClosingFrame("token_expired", "the token has expired; connect again with a new one")
		if !w.tell(ctx, c, frame) { // A reply would come too late for a connection that is closed here.
			out.Body = string(frame)
		}
		w.close(ctx, c)
		return out, nil
	}
	body := []byte(r.Body)
	if r.IsBase64Encoded {
		if body, err = base64.StdEncoding.DecodeString(r.Body); err != nil {
			return out, invalid("body of the event is not base64")
		}
	}
	m := sumu.Message{Connection: c, Identity: id, Body: body, RequestID: r.RequestContext.RequestID}
	if ms := r.RequestContext.RequestTimeEpoch; ms > 0 {
		m.ReceivedAt = time.UnixMilli(ms)
	}
	out.Body = string(w.app.Message(ctx, m))
	return out, nil
}

func (w *WebSocket) connection(r *events.APIGatewayWebsocketProxyRequest, id sumu.Identity) (sumu.Connection, error) {
	c := sumu.Connection{
		UserID: id.UserID, ID: r.RequestContext.ConnectionID,
		AuthExpiresAt: id.ExpiresAt,
	}
	if ms := r.RequestContext.ConnectedAt; ms > 0 {
		c.ConnectedAt = time.UnixMilli(ms)
	}
	var err error
	c.Endpoint, err = w.endpoint(r)
	return c, err
}

func (w *WebSocket) disconnect(ctx context.Context, r *events.APIGatewayWebsocketProxyRequest) (events.APIGatewayProxyResponse, error) {
	out := events.APIGatewayProxyResponse{StatusCode: http.StatusOK}
	id, err := w.identity(ctx, r)
	if err != nil {
		return out, err
	}
	c, err := w.connection(r, id)
	if err != nil { // The row does not need it.
		logError(ctx, w.opts.Logger, "endpoint of a connection that ended", err, "connection_id", c.ID)
	}
	reason := sumu.DisconnectReason{Code: int(r.RequestContext.DisconnectStatusCode)}
	if reason.Code == 0 {
		reason.Code = 1006
	}
	if t := r.RequestContext.DisconnectReason; t != nil {
		reason.Text = *t
	}
	if err := w.app.Disconnect(ctx, c, reason); err != nil {
		// Whatever refused us, it was not the client.
		return out, &sumu.Error{Op: "websocket", Kind: sumu.ErrUnavailable, Err: err}
	}
	return out, w.forget(ctx, c.ID)
}
