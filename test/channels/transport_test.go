package channels

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	lambdaevents "github.com/aws/aws-lambda-go/events"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/awslambda"
	"github.com/sumu-live/sumu/gateway"
	"github.com/sumu-live/sumu/internal/testlog"
	"github.com/sumu-live/sumu/internal/ws"
	"github.com/sumu-live/sumu/internal/ws/wstest"
)

// ownGateway has sockets of its own.
type ownGateway struct {
	*gateway.Gateway
	web *httptest.Server
}

func newGateway(t *testing.T, app *sumu.App) transport {
	gw := must(gateway.New(app, func(o *gateway.Options) {
		o.Logger = testlog.Logger()
		o.MessageRate = -1
	}))
	web := httptest.NewServer(gw)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		if err := gw.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		web.Close()
	})
	return &ownGateway{gw, web}
}

func (g *ownGateway) dial(t *testing.T, user string) (*client, int) {
	conn := wstest.Send(t, wstest.Request(t, g.web.URL+"/?authorization="+user), nil)
	resp, _ := conn.Response()
	if resp.StatusCode != 101 {
		return nil, resp.StatusCode
	}
	c := &client{t: t, user: user, frames: make(chan string, 1000)}
	c.send = func(frame string) { conn.Send(wstest.Text(frame)) }
	over := make(chan struct{})
	c.end = func() {
		conn.Send(wstest.Close(1000, ""))
		<-over
	}
	go func() {
		defer close(over)
		for {
			f, err := conn.Next()
			if err != nil || f.Opcode == ws.Close {
				close(c.frames)
				return
			}
			if f.Opcode == ws.Text {
				c.frames <- string(f.Payload)
			}
		}
	}()
	t.Cleanup(func() {
		_ = conn.Close()
		<-over
	})
	return c, 0
}

// apiGateway is API Gateway in front of the functions: what it does to events
// and answers, and its connections.
type apiGateway struct {
	authorizer *awslambda.Authorizer
	socket     *awslambda.WebSocket
	ids        atomic.Int64
	mu         sync.Mutex
	open       map[string]*client
}

func newLambda(_ *testing.T, app *sumu.App) transport {
	return &apiGateway{
		authorizer: must(awslambda.NewAuthorizer(auth)),
		socket:     must(awslambda.NewWebSocket(app, func(o *awslambda.WebSocketOptions) { o.Logger = testlog.Logger() })),
		open:       make(map[string]*client),
	}
}

const methodARN = "arn:aws:execute-api:us-east-1:123456789012:abcdef123/prod/$connect"

func (g *apiGateway) dial(t *testing.T, user string) (*client, int) {
	id := fmt.Sprintf("c%d=", g.ids.Add(1))
	query := map[string]string{"authorization": user}
	out, err := g.authorizer.Invoke(t.Context(), jsonText(map[string]any{
		"type": "REQUEST", "methodArn": methodARN, "queryStringParameters": query,
		"requestContext": map[string]any{"routeKey": "$connect", "eventType": "CONNECT", "connectionId": id},
	}))
	if err != nil {
		return nil, 401
	}
	var policy lambdaevents.APIGatewayCustomAuthorizerResponse
	if err := json.Unmarshal(out, &policy); err != nil {
		t.Fatal(err)
	}
	verified := map[string]any{"principalId": policy.PrincipalID}
	for name, v := range policy.Context {
		verified[name] = fmt.Sprint(v)
	}
	event := func(kind, body string) lambdaevents.APIGatewayProxyResponse {
		out, err := g.socket.Invoke(context.Background(), jsonText(map[string]any{
			"queryStringParameters": query, "body": body, "isBase64Encoded": false,
			"requestContext": map[string]any{
				"eventType": kind, "connectionId": id, "requestId": "r" + fmt.Sprint(g.ids.Add(1)), "stage": "prod",
				"domainName": "abcdef123.execute-api.us-east-1.amazonaws.com", "authorizer": verified,
			},
		}))
		if err != nil {
			t.Error(err)
		}
		var r lambdaevents.APIGatewayProxyResponse
		if err := json.Unmarshal(out, &r); err != nil {
			t.Errorf("answer %s: %v", out, err)
		}
		return r
	}
	c := &client{t: t, user: user, id: id, frames: make(chan string, 1000)}
	// It counts as open while its function runs: API Gateway cannot be told
	// of a message before, but nobody knows of it then.
	if r := event("CONNECT", ""); r.StatusCode != 200 {
		return nil, r.StatusCode
	}
	g.mu.Lock()
	g.open[id] = c
	g.mu.Unlock()
	c.send = func(frame string) {
		if r := event("MESSAGE", frame); r.Body != "" {
			c.frames <- r.Body
		}
	}
	c.end = sync.OnceFunc(func() {
		g.mu.Lock()
		delete(g.open, id)
		g.mu.Unlock()
		if r := event("DISCONNECT", ""); r.StatusCode != 200 {
			t.Errorf("$disconnect answers %d", r.StatusCode)
		}
	})
	return c, 0
}

// Post is the management API.
func (g *apiGateway) Post(_ context.Context, conn sumu.Connection, p *sumu.Payload) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	c, ok := g.open[conn.ID]
	if !ok {
		return &sumu.Error{Op: "post " + conn.ID, Kind: sumu.ErrGone}
	}
	c.frames <- string(p.Bytes())
	return nil
}

func jsonText(v any) []byte { return must(json.Marshal(v)) }
