package awslambda_test

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/awslambda"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/internal/testlog"
	"github.com/sumu-live/sumu/pusher/apigw"
)

// socketEvent is an event of one connection, with what API Gateway sends each time.
func socketEvent(kind string, change func(e, rc map[string]any)) []byte {
	rc := map[string]any{
		"eventType": kind, "connectionId": "c1=", "requestId": "req1", "stage": "prod",
		"domainName": "abc123.execute-api.us-east-1.amazonaws.com", "connectedAt": 1674162806344,
		"requestTimeEpoch": 1674162806345, "identity": map[string]string{"sourceIp": "192.0.2.1"},
	}
	e := map[string]any{"requestContext": rc, "isBase64Encoded": false}
	if change != nil {
		change(e, rc)
	}
	return []byte(jsonText(e))
}

// behind is an App behind an authorizer, and its handler.
func behind(t testing.TB, optFns ...func(*awslambda.WebSocketOptions)) (*memstore.Store, *sumu.App, *awslambda.WebSocket) {
	t.Helper()
	store := new(memstore.Store)
	app := must(sumu.NewApp(awslambda.ContextAuthorizer(), store, func(o *sumu.AppOptions) { o.Observer = testlog.Observer() }))
	logs := func(o *awslambda.WebSocketOptions) { o.Logger = testlog.Logger() }
	return store, app, must(awslambda.NewWebSocket(app, append([]func(*awslambda.WebSocketOptions){logs}, optFns...)...))
}

var annContext = map[string]any{"principalId": "ann", "user_id": "ann", "grants": "join:room.*", "claim_org": "acme", "integrationLatency": 3}

func asAnn(_, rc map[string]any) { rc["authorizer"] = annContext }

// All of a connection's life, with the authorizer's own output as context.
func TestConnectionBehindAnAuthorizer(t *testing.T) {
	auth, sign := tokens(t)
	authorize := must(awslambda.NewAuthorizer(auth))
	policy := call[events.APIGatewayCustomAuthorizerResponse](t, authorize, authEvent(func(e map[string]any) {
		e["headers"] = map[string]string{"Sec-WebSocket-Protocol": "sumu, bearer." + sign(nil)}
	}))
	// API Gateway repeats the context with every event, numbers as text.
	repeated := map[string]any{"principalId": policy.PrincipalID}
	for name, v := range policy.Context {
		repeated[name] = v
		if n, ok := v.(float64); ok {
			repeated[name] = jsonText(n)
		}
	}
	withContext := func(change func(e, rc map[string]any)) func(e, rc map[string]any) {
		return func(e, rc map[string]any) {
			rc["authorizer"] = repeated
			if change != nil {
				change(e, rc)
			}
		}
	}
	store, app, h := behind(t, func(o *awslambda.WebSocketOptions) { o.Endpoint = apigw.EndpointFromDomain })
	var got sumu.Message
	app.Handle("hello", func(_ context.Context, m sumu.Message) ([]byte, error) {
		got = m
		got.Body = append([]byte(nil), m.Body...)
		return m.Ack("7"), nil
	})

	out := call[events.APIGatewayProxyResponse](t, h, socketEvent("CONNECT", withContext(func(e, _ map[string]any) {
		e["headers"] = map[string]string{"sec-websocket-protocol": "bearer.x, sumu"}
	})))
	if out.StatusCode != 200 || out.Headers["Sec-WebSocket-Protocol"] != "sumu" {
		t.Fatalf("$connect: %+v", out)
	}
	c, err := store.Get(t.Context(), sumu.ConnectionRef{UserID: "ann", ConnectionID: "c1="})
	if err != nil || c.Endpoint != "https://abc123.execute-api.us-east-1.amazonaws.com/prod" || c.AuthExpiresAt.IsZero() {
		t.Fatalf("row is %+v, %v", c, err)
	}

	frame := `{"action":"hello","ref":"r","n":1}`
	for name, change := range map[string]func(e, rc map[string]any){
		"text": func(e, _ map[string]any) { e["body"] = frame },
		"base64": func(e, _ map[string]any) {
			e["body"], e["isBase64Encoded"] = base64.StdEncoding.EncodeToString([]byte(frame)), true
		},
	} {
		out = call[events.APIGatewayProxyResponse](t, h, socketEvent("MESSAGE", withContext(change)))
		if out.StatusCode != 200 || out.Body != `{"type":"ack","action":"hello","ref":"r","id":"7"}` {
			t.Fatalf("%s: %+v", name, out)
		}
		if string(got.Body) != frame || got.RequestID != "req1" || !got.ReceivedAt.Equal(time.UnixMilli(1674162806345)) {
			t.Errorf("%s: message is %+v", name, got)
		}
	}
	id := got.Identity
	if id.UserID != "ann" || !id.Grants.Allow(sumu.VerbJoin, "room.acme.1") || id.Grants.Allow(sumu.VerbJoin, "room.b.1") ||
		id.Claims["org"] != "acme" || id.Claims["https://id.test/role"] != "admin" || id.IssuedAt.IsZero() {
		t.Errorf("identity is %+v", id)
	}
	if got.Connection.ID != "c1=" || got.Connection.Endpoint != c.Endpoint || !got.Connection.ConnectedAt.Equal(time.UnixMilli(1674162806344)) ||
		!got.Connection.AuthExpiresAt.Equal(c.AuthExpiresAt) {
		t.Errorf("connection is %+v, row %+v", got.Connection, c)
	}

	for range 2 { // It may come twice.
		out = call[events.APIGatewayProxyResponse](t, h, socketEvent("DISCONNECT", withContext(nil)))
		if out.StatusCode != 200 {
			t.Fatalf("$disconnect: %+v", out)
		}
	}
	if _, err := store.Get(t.Context(), c.Ref()); !errors.Is(err, sumu.ErrGone) {
		t.Errorf("the row is still there: %v", err)
	}
}

func TestConnectionWithoutAnAuthorizer(t *testing.T) {
	auth, sign := tokens(t)
	store := new(memstore.Store)
	app := must(sumu.NewApp(auth, store))
	var got sumu.Identity
	app.Handle("hello", func(_ context.Context, m sumu.Message) ([]byte, error) {
		got = m.Identity
		return []byte("hi"), nil
	})
	h := must(awslambda.NewWebSocket(app, func(o *awslambda.WebSocketOptions) { o.Identities = store }))
	status := func(event []byte) events.APIGatewayProxyResponse {
		return call[events.APIGatewayProxyResponse](t, h, event)
	}
	token := func(e, _ map[string]any) {
		e["queryStringParameters"] = map[string]string{"authorization": sign(nil)}
	}
	hello := func(e, _ map[string]any) { e["body"] = `{"action":"hello"}` }

	if out := status(socketEvent("MESSAGE", hello)); out.StatusCode != 401 {
		t.Errorf("a message before $connect: %+v", out)
	}
	if out := status(socketEvent("CONNECT", nil)); out.StatusCode != 401 {
		t.Errorf("no token: %+v", out)
	}
	if out := status(socketEvent("CONNECT", token)); out.StatusCode != 200 {
		t.Fatalf("$connect: %+v", out)
	}
	if out := status(socketEvent("MESSAGE", hello)); out.Body != "hi" {
		t.Errorf("message: %+v", out)
	}
	if got.UserID != "ann" || !got.Grants.Allow(sumu.VerbJoin, "room.acme.1") || got.ExpiresAt.IsZero() {
		t.Errorf("identity is %+v", got)
	}
	if out := status(socketEvent("DISCONNECT", nil)); out.StatusCode != 200 {
		t.Errorf("$disconnect: %+v", out)
	}
	if live, err := store.HasLive(t.Context(), "ann"); live || err != nil {
		t.Errorf("the row is still there: %v, %v", live, err)
	}
	if out := status(socketEvent("MESSAGE", hello)); out.StatusCode != 401 {
		t.Errorf("a message after $disconnect: %+v", out)
	}
}

// closer records what it closes.
type closer struct {
	postLog
	closed []string
}

func (c *closer) Disconnect(_ context.Context, conn sumu.Connection) error {
	c.closed = append(c.closed, conn.ID)
	return nil
}

func TestExpiredTokenEndsTheConnection(t *testing.T) {
	closes := new(closer)
	now := time.Unix(1_700_000_000, 0)
	_, app, h := behind(t, func(o *awslambda.WebSocketOptions) {
		o.Disconnecter = closes
		o.Now = func() time.Time { return now }
	})
	handled := 0
	app.Handle("hello", func(context.Context, sumu.Message) ([]byte, error) { handled++; return nil, nil })
	message := socketEvent("MESSAGE", func(e, rc map[string]any) {
		e["body"] = `{"action":"hello"}`
		rc["authorizer"] = map[string]any{"principalId": "ann", "expires_at": "1700000000"}
	})
	out := call[events.APIGatewayProxyResponse](t, h, message)
	told := strings.Join(closes.of("c1="), "")
	if out.StatusCode != 200 || out.Body != "" || !strings.Contains(told, `"code":"token_expired"`) || handled != 0 || len(closes.closed) != 1 {
		t.Errorf("at its expiry: %+v, told %q, handled %d, closed %v", out, told, handled, closes.closed)
	}
	// Where nothing can close it, the closing frame is the answer.
	_, _, without := behind(t, func(o *awslambda.WebSocketOptions) { o.Now = func() time.Time { return now } })
	if out := call[events.APIGatewayProxyResponse](t, without, message); !strings.Contains(out.Body, `"code":"token_expired"`) {
		t.Errorf("without a Disconnecter: %+v", out)
	}
	now = now.Add(-time.Second)
	if out = call[events.APIGatewayProxyResponse](t, h, message); out.Body != "" || handled != 1 {
		t.Errorf("before its expiry: %+v, handled %d", out, handled)
	}
}

func TestEvictedConnectionsAreClosed(t *testing.T) {
	store, closes := new(memstore.Store), new(closer)
	app := must(sumu.NewApp(awslambda.ContextAuthorizer(), store, func(o *sumu.AppOptions) { o.MaxConnections, o.EvictOldest = 1, true }))
	h := must(awslambda.NewWebSocket(app, func(o *awslambda.WebSocketOptions) { o.Disconnecter = closes }))
	row(t, store, "ann", "old")
	out := call[events.APIGatewayProxyResponse](t, h, socketEvent("CONNECT", asAnn))
	if out.StatusCode != 200 || len(closes.closed) != 1 || closes.closed[0] != "old" {
		t.Fatalf("got %+v, closed %v", out, closes.closed)
	}
	if posts := closes.of("old"); len(posts) != 1 || !strings.Contains(posts[0], `"code":"replaced"`) {
		t.Errorf("it was told %q", posts)
	}
}

func TestDisconnectReason(t *testing.T) {
	var reasons []sumu.DisconnectReason
	app := must(sumu.NewApp(awslambda.ContextAuthorizer(), new(memstore.Store), func(o *sumu.AppOptions) {
		o.Observer.Disconnected = func(_ context.Context, _ sumu.Connection, r sumu.DisconnectReason, _ error) {
			reasons = append(reasons, r)
		}
	}))
	h := must(awslambda.NewWebSocket(app))
	// The golden event comes from an API without an authorizer.
	out := call[events.APIGatewayProxyResponse](t, h, golden(t, "apigw-websocket-request-disconnect.json",
		`"requestContext": {`, `"requestContext": {"authorizer": {"principalId": "ann"},`, `"disconnectReason": ""`, `"disconnectReason": "Going away"`))
	if out.StatusCode != 200 {
		t.Fatalf("got %+v", out)
	}
	call[events.APIGatewayProxyResponse](t, h, socketEvent("DISCONNECT", asAnn))
	want := []sumu.DisconnectReason{{Code: 1001, Text: "Going away"}, {Code: 1006}}
	if len(reasons) != 2 || reasons[0] != want[0] || reasons[1] != want[1] {
		t.Errorf("reasons are %+v, want %+v", reasons, want)
	}
}

func TestGoldenConnect(t *testing.T) {
	store, _, h := behind(t)
	out := call[events.APIGatewayProxyResponse](t, h, golden(t, "apigw-websocket-request.json"))
	if out.StatusCode != 200 {
		t.Fatalf("got %+v", out)
	}
	if _, err := store.Get(t.Context(), sumu.ConnectionRef{UserID: "admin", ConnectionID: "TWegAcC4EowCHnA="}); err != nil {
		t.Error(err)
	}
}

// Defect: "message to the backend lacks the connection".
func TestDefectBackendMessageLacksTheConnection(t *testing.T) {
	_, app, h := behind(t)
	var got sumu.BackendMessage
	app.Handle("publish", sumu.ToBackend("apigw.route.publish", func(_ context.Context, m sumu.BackendMessage) error {
		got = m
		return nil
	}))
	body := `{"action":"publish","message":{"text":"` + strings.Repeat("x", 120_000) + `"}}`
	out := call[events.APIGatewayProxyResponse](t, h, socketEvent("MESSAGE", func(e, rc map[string]any) {
		asAnn(e, rc)
		e["body"] = body
	}))
	if !strings.Contains(out.Body, `"type":"ack"`) || got.UserID != "ann" || got.ConnectionID != "c1=" || got.Source != "apigw.route.publish" {
		t.Errorf("got %+v: %s of %s on %s", out, got.Source, got.UserID, got.ConnectionID)
	}
	if len(got.Body) < 120_000 { // Nor is it cut: it travels in the body, not in a query string.
		t.Errorf("message has %d bytes", len(got.Body))
	}
}
