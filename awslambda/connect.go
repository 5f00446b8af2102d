package awslambda

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/sumu-live/sumu"
)

func connectRequest(r *events.APIGatewayWebsocketProxyRequest) *sumu.ConnectRequest {
	return &sumu.ConnectRequest{
		ConnectionID: r.RequestContext.ConnectionID,
		Scheme:       "https",
		Host:         r.RequestContext.DomainName,
		Header:       values(r.Headers, r.MultiValueHeaders),
		Query:        values(r.QueryStringParameters, r.MultiValueQueryStringParameters),
		SourceIP:     r.RequestContext.Identity.SourceIP,
	}
}

func (w *WebSocket) connect(ctx context.Context, r *events.APIGatewayWebsocketProxyRequest) (events.APIGatewayProxyResponse, error) {
	out := events.APIGatewayProxyResponse{StatusCode: http.StatusOK}
	req := connectRequest(r)
	var err error
	if req.Endpoint, err = w.endpoint(r); err != nil {
		return out, err
	}
	s, err := w.app.Connect(ctx, req)
	if err != nil {
		return out, err
	}
	if err := w.remember(ctx, s); err != nil {
		w.forgetRow(ctx, s.Connection)
		return out, err
	}
	if s.Subprotocol != "" { // Browsers fail without it.
		out.Headers = map[string]string{"Sec-WebSocket-Protocol": s.Subprotocol}
	}
	w.evict(ctx, s.Evicted)
	return out, nil
}

// forgetRow removes the row of a connection that will not come about.
func (w *WebSocket) forgetRow(ctx context.Context, c sumu.Connection) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if err := w.app.Disconnect(ctx, c, sumu.DisconnectReason{Code: 1006, Text: "not accepted"}); err != nil {
		logError(ctx, w.opts.Logger, "the row of a connection that was not accepted stays until it expires", err, "connection", c.ID)
	}
}

// evict closes the connections whose place was taken. Their rows are gone
// already, so a failure leaves a socket that nobody posts to.
func (w *WebSocket) evict(ctx context.Context, old []sumu.Connection) {
	if len(old) == 0 || w.opts.Disconnecter == nil {
		return
	}
	frame := sumu.ClosingFrame("replaced", "a newer connection took the place of this one")
	for _, c := range old {
		w.tell(ctx, c, frame)
		w.close(ctx, c)
	}
}

// tell posts the last frame of a connection, if it can. It is a courtesy: the
// connection is closed anyhow.
func (w *WebSocket) tell(ctx context.Context, c sumu.Connection, frame []byte) bool {
	sender, ok := w.opts.Disconnecter.(sumu.Sender)
	if !ok {
		return false
	}
	last, err := sumu.NewPayload(frame)
	if err == nil {
		err = safely(func() error { return sender.Post(ctx, c, last) })
	}
	return err == nil
}

func (w *WebSocket) close(ctx context.Context, c sumu.Connection) {
	if w.opts.Disconnecter == nil {
		return
	}
	err := safely(func() error { return w.opts.Disconnecter.Disconnect(ctx, c) })
	if err != nil && !errors.Is(err, sumu.ErrGone) {
		logError(ctx, w.opts.Logger, "a connection could not be closed", err, "connection_id", c.ID)
	}
}
