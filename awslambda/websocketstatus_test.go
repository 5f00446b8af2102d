package awslambda_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/awslambda"
	"github.com/sumu-live/sumu/connstore/memstore"
)

// flakyRecords fails to write.
type flakyRecords struct{ *memstore.Store }

func (flakyRecords) SaveRecord(context.Context, sumu.Record) error {
	return &sumu.Error{Op: "save", Kind: sumu.ErrThrottled}
}

func TestRefusedConnectionLeavesNoRow(t *testing.T) {
	auth, sign := tokens(t)
	store := new(memstore.Store)
	h := must(awslambda.NewWebSocket(must(sumu.NewApp(auth, store)), func(o *awslambda.WebSocketOptions) {
		o.Identities = flakyRecords{store}
	}))
	out := call[events.APIGatewayProxyResponse](t, h, socketEvent("CONNECT", func(e, _ map[string]any) {
		e["queryStringParameters"] = map[string]string{"authorization": sign(nil)}
	}))
	if out.StatusCode != 500 {
		t.Errorf("got %+v", out)
	}
	if live, err := store.HasLive(t.Context(), "ann"); live || err != nil {
		t.Errorf("a row without its identity: %v, %v", live, err)
	}
}

// brokenStore fails to write and to delete.
type brokenStore struct{ memstore.Store }

func (*brokenStore) Put(context.Context, sumu.Connection) error {
	return &sumu.Error{Op: "put", Kind: sumu.ErrThrottled, Err: sumu.ErrForbidden}
}

func (*brokenStore) Delete(context.Context, sumu.ConnectionRef) error {
	return &sumu.Error{Op: "delete", Kind: sumu.ErrForbidden}
}

func TestWebSocketStatus(t *testing.T) {
	_, _, sound := behind(t)
	store := new(memstore.Store)
	capped := must(awslambda.NewWebSocket(must(sumu.NewApp(awslambda.ContextAuthorizer(), store, func(o *sumu.AppOptions) { o.MaxConnections = 1 }))))
	row(t, store, "ann", "other")
	denied := must(awslambda.NewWebSocket(must(sumu.NewApp(sumu.AuthorizerFunc(func(context.Context, *sumu.ConnectRequest) (sumu.Identity, error) {
		return sumu.Identity{}, &sumu.Error{Op: "origin", Kind: sumu.ErrForbidden}
	}), store))))
	panics := must(awslambda.NewWebSocket(must(sumu.NewApp(sumu.AuthorizerFunc(func(context.Context, *sumu.ConnectRequest) (sumu.Identity, error) {
		panic("boom")
	}), store))))
	lost := must(awslambda.NewWebSocket(must(sumu.NewApp(awslambda.ContextAuthorizer(), store)), func(o *awslambda.WebSocketOptions) {
		o.Endpoint = func(string, string) (string, error) { return "", &sumu.Error{Op: "host", Kind: sumu.ErrInvalid} }
	}))
	broken := must(awslambda.NewWebSocket(must(sumu.NewApp(awslambda.ContextAuthorizer(), new(brokenStore)))))
	as := func(members map[string]any) func(e, rc map[string]any) {
		return func(_, rc map[string]any) { rc["authorizer"] = members }
	}
	for _, tt := range []struct {
		name   string
		h      awslambda.Handler
		event  []byte
		status int
		body   string
	}{
		{"no context", sound, socketEvent("CONNECT", nil), 401, ""},
		{"context without a user", sound, socketEvent("CONNECT", as(map[string]any{"x": 1})), 401, ""},
		{"context is no object", sound, socketEvent("CONNECT", func(_, rc map[string]any) { rc["authorizer"] = "ann" }), 401, ""},
		{"broken grants", sound, socketEvent("CONNECT", as(map[string]any{"user_id": "ann", "grants": "x"})), 500, ""},
		{"broken expiry", sound, socketEvent("CONNECT", as(map[string]any{"user_id": "ann", "expires_at": "soon"})), 500, ""},
		{"expired", sound, socketEvent("CONNECT", as(map[string]any{"user_id": "ann", "expires_at": 1})), 401, ""},
		{"forbidden", denied, socketEvent("CONNECT", nil), 403, ""},
		{"too many", capped, socketEvent("CONNECT", asAnn), 429, ""},
		{"the store is throttled", broken, socketEvent("CONNECT", asAnn), 429, ""},
		{"the store refuses a delete", broken, socketEvent("DISCONNECT", asAnn), 500, ""},
		{"panic", panics, socketEvent("CONNECT", nil), 500, ""},
		{"no endpoint", lost, socketEvent("CONNECT", asAnn), 500, ""},
		{"no endpoint is needed", lost, socketEvent("DISCONNECT", asAnn), 200, ""},
		{"message without context", sound, socketEvent("MESSAGE", nil), 401, `{"message":"Unauthorized","connectionId":"c1=","requestId":"req1"}`},
		{"message with broken grants", sound, socketEvent("MESSAGE", as(map[string]any{"user_id": "ann", "grants": "x"})), 500, `{"message":"Internal Server Error","connectionId":"c1=","requestId":"req1"}`},
		{"message that is no base64", sound, socketEvent("MESSAGE", func(e, rc map[string]any) {
			asAnn(e, rc)
			e["body"], e["isBase64Encoded"] = "?", true
		}), 400, `{"message":"Bad Request","connectionId":"c1=","requestId":"req1"}`},
		{"message without a body", sound, socketEvent("MESSAGE", asAnn), 200, `{"message":"Forbidden","connectionId":"c1=","requestId":"req1"}`},
		{"keepalive", sound, socketEvent("MESSAGE", func(e, rc map[string]any) {
			asAnn(e, rc)
			e["body"] = `{"action":"keepalive"}`
		}), 200, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out := call[events.APIGatewayProxyResponse](t, tt.h, tt.event)
			if out.StatusCode != tt.status || out.Body != tt.body {
				t.Errorf("got %d %s, want %d %s", out.StatusCode, out.Body, tt.status, tt.body)
			}
		})
	}
}

// A panic in a user's handler is an error frame, and the process goes on.
func TestHandlerPanic(t *testing.T) {
	_, app, h := behind(t)
	app.Handle("boom", func(context.Context, sumu.Message) ([]byte, error) { panic("secret") })
	out := call[events.APIGatewayProxyResponse](t, h, socketEvent("MESSAGE", func(e, rc map[string]any) {
		asAnn(e, rc)
		e["body"] = `{"action":"boom"}`
	}))
	if out.StatusCode != 200 || !strings.Contains(out.Body, `"code":"unavailable"`) || strings.Contains(out.Body, "secret") {
		t.Errorf("got %+v", out)
	}
}

func TestContextAuthorizerOutsideOfAWebSocket(t *testing.T) {
	_, err := awslambda.ContextAuthorizer().Authorize(t.Context(), &sumu.ConnectRequest{})
	if !errors.Is(err, sumu.ErrUnauthorized) {
		t.Errorf("got %v", err)
	}
}

func TestNewWebSocketNeedsAnApp(t *testing.T) {
	if _, err := awslambda.NewWebSocket(nil); !errors.Is(err, sumu.ErrInvalid) {
		t.Errorf("got %v", err)
	}
}

func TestWebSocketHandleRefusesOtherEvents(t *testing.T) {
	_, _, h := behind(t)
	for _, text := range []string{`{}`, `{"requestContext":{"connectionId":"c1"}}`, `{"requestContext":{"connectionId":"c1","eventType":"PING"}}`} {
		var r events.APIGatewayWebsocketProxyRequest
		if err := json.Unmarshal([]byte(text), &r); err != nil {
			t.Fatal(err)
		}
		if out, err := h.Handle(t.Context(), r); !errors.Is(err, sumu.ErrInvalid) {
			t.Errorf("%s: got %+v, %v", text, out, err)
		}
	}
}
