package sumu_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
)

// send gives the App a frame of connection c1 of user u1.
func send(t testing.TB, app *sumu.App, frame string) []byte {
	t.Helper()
	return app.Message(t.Context(), sumu.Message{
		Connection: sumu.Connection{UserID: "u1", ID: "c1"},
		Body:       []byte(frame),
		RequestID:  "r1",
	})
}

func newMessageApp(t testing.TB, optFns ...func(*sumu.AppOptions)) *sumu.App {
	return newApp(t, letIn(sumu.Identity{UserID: "u1"}), new(fakeStore), optFns...)
}

const apiGatewayForbidden = `{"message":"Forbidden","connectionId":"c1","requestId":"r1"}`

func TestMessageRouting(t *testing.T) {
	for _, tt := range []struct {
		name, frame string
		want        string // "": no reply
	}{
		{"ping", `{"action":"ping"}`, `{"type":"pong","statusCode":200,"connectionId":"c1"}`},
		{"ping with a ref", `{"action":"ping","ref":"7"}`, `{"type":"pong","statusCode":200,"connectionId":"c1","ref":"7"}`},
		{"keepalive", `{"action":"keepalive"}`, ``},
		{"keepalive with a ref", `{"action":"keepalive","ref":"7"}`, ``},
		{"registered", `{"action":"echo","x":1}`, `{"action":"echo","x":1}`},
		{"written with an escape", `{"action":"\u0065cho"}`, `{"action":"\u0065cho"}`},
		{
			"unknown action", `{"action":"nothing"}`,
			`{"message":"Forbidden","connectionId":"c1","requestId":"r1","action":"nothing"}`,
		},
		{
			"unknown action with a ref", `{"ref":"7","action":"nothing"}`,
			`{"message":"Forbidden","connectionId":"c1","requestId":"r1","action":"nothing","ref":"7"}`,
		},
		{"no action but a ref", `{"ref":"7"}`, `{"message":"Forbidden","connectionId":"c1","requestId":"r1","ref":"7"}`},
		{
			"wrong case of the action", `{"action":"Echo"}`,
			`{"message":"Forbidden","connectionId":"c1","requestId":"r1","action":"Echo"}`,
		},
		{"wrong case of the member", `{"Action":"echo"}`, apiGatewayForbidden},
		{"no action", `{"x":1}`, apiGatewayForbidden},
		{"empty action", `{"action":""}`, apiGatewayForbidden},
		{"action a number", `{"action":7}`, apiGatewayForbidden},
		{"action null", `{"action":null}`, apiGatewayForbidden},
		{"action in a list", `{"action":["echo"]}`, apiGatewayForbidden},
		{"action twice", `{"action":"echo","action":"ping"}`, apiGatewayForbidden},
		{"nested action", `{"x":{"action":"echo"}}`, apiGatewayForbidden},
		{"not JSON", `hello`, apiGatewayForbidden},
		{"empty", ``, apiGatewayForbidden},
		{"a list", `["echo"]`, apiGatewayForbidden},
		{"more than one object", `{"action":"echo"}{"action":"echo"}`, apiGatewayForbidden},
		{"stray brace", `{"action":"echo"}}`, apiGatewayForbidden},
		{"not UTF-8", "{\"action\":\"echo\",\"x\":\"\xff\"}", apiGatewayForbidden},
		{"an action without end", `{"action":"` + strings.Repeat("a", 129) + `"}`, apiGatewayForbidden},
	} {
		t.Run(tt.name, func(t *testing.T) {
			app := newMessageApp(t)
			app.Handle("echo", func(_ context.Context, m sumu.Message) ([]byte, error) {
				if m.Action != "echo" || m.Connection.ID != "c1" || m.RequestID != "r1" || !m.ReceivedAt.Equal(now) {
					t.Errorf("the handler got %+v", m)
				}
				return m.Body, nil
			})
			got := send(t, app, tt.frame)
			if tt.want == "" {
				if got != nil {
					t.Errorf("got %s, want no reply", got)
				}
				return
			}
			wantJSON(t, got, tt.want)
		})
	}
}

func TestMessageDefaultHandler(t *testing.T) {
	app := newMessageApp(t, func(o *sumu.AppOptions) {
		o.Default = func(_ context.Context, m sumu.Message) ([]byte, error) {
			return fmt.Appendf(nil, `{"default":%q,"ref":%q}`, m.Action, m.Ref), nil
		}
	})
	wantJSON(t, send(t, app, `{"action":"nothing","ref":"7"}`), `{"default":"nothing","ref":"7"}`)
	wantJSON(t, send(t, app, `{"ref":"7"}`), `{"default":"","ref":"7"}`)
	wantJSON(t, send(t, app, `not JSON`), `{"default":"","ref":""}`)
	wantJSON(t, send(t, app, `{"action":"ping"}`), `{"type":"pong","statusCode":200,"connectionId":"c1"}`)
}

func TestMessageBuiltInsCanBeReplaced(t *testing.T) {
	app := newMessageApp(t)
	for _, action := range []string{"ping", "keepalive"} {
		app.Handle(action, func(context.Context, sumu.Message) ([]byte, error) { return []byte(`"mine"`), nil })
		wantJSON(t, send(t, app, `{"action":"`+action+`"}`), `"mine"`)
	}
	if got := app.Actions(); !slices.Equal(got, []string{"keepalive", "ping"}) {
		t.Errorf("Actions() = %q", got)
	}
}

func TestMessageIgnoresWhatTheTransportSaysOfTheFrame(t *testing.T) {
	app := newMessageApp(t)
	app.Handle("echo", func(context.Context, sumu.Message) ([]byte, error) { return []byte(`1`), nil })
	got := app.Message(t.Context(), sumu.Message{
		Connection: sumu.Connection{UserID: "u1", ID: "c1"},
		Action:     "echo", Ref: "9", RequestID: "r1", Body: []byte(`{"x":1}`),
	})
	wantJSON(t, got, apiGatewayForbidden)
}

func TestMessageFillsInWhatTheTransportLeftOut(t *testing.T) {
	app := newMessageApp(t)
	ids := make(map[string]bool)
	app.Handle("echo", func(_ context.Context, m sumu.Message) ([]byte, error) {
		ids[m.RequestID] = true
		if len(m.RequestID) < 16 || !m.ReceivedAt.Equal(now) {
			t.Errorf("request id %q, received %v", m.RequestID, m.ReceivedAt)
		}
		return nil, nil
	})
	for range 3 {
		if got := app.Message(t.Context(), sumu.Message{Body: []byte(`{"action":"echo"}`)}); got != nil {
			t.Errorf("got %s, want no reply", got)
		}
	}
	if len(ids) != 3 {
		t.Errorf("3 messages have %d request ids", len(ids))
	}
	earlier := now.Add(-time.Second)
	app.Handle("when", func(_ context.Context, m sumu.Message) ([]byte, error) {
		if !m.ReceivedAt.Equal(earlier) {
			t.Errorf("the transport's time was replaced with %v", m.ReceivedAt)
		}
		return nil, nil
	})
	app.Message(t.Context(), sumu.Message{ReceivedAt: earlier, Body: []byte(`{"action":"when"}`)})
}

func TestMessageRef(t *testing.T) {
	app := newMessageApp(t)
	called := 0
	app.Handle("do", func(_ context.Context, m sumu.Message) ([]byte, error) {
		called++
		return m.Ack("id1"), nil
	})
	longest, umlauts := strings.Repeat("r", 64), strings.Repeat("ü", 64)
	for _, tt := range []struct{ ref, want string }{
		{``, `{"type":"ack","action":"do","id":"id1"}`},
		{`,"ref":""`, `{"type":"ack","action":"do","id":"id1"}`},
		{`,"ref":"7"`, `{"type":"ack","action":"do","ref":"7","id":"id1"}`},
		{`,"ref":"\"<\u0000"`, `{"type":"ack","action":"do","ref":"\"<\u0000","id":"id1"}`},
		{`,"ref":"` + longest + `"`, `{"type":"ack","action":"do","ref":"` + longest + `","id":"id1"}`},
		{`,"ref":"` + umlauts + `"`, `{"type":"ack","action":"do","ref":"` + umlauts + `","id":"id1"}`},
	} {
		wantJSON(t, send(t, app, `{"action":"do"`+tt.ref+`}`), tt.want)
	}
	if called != 6 {
		t.Errorf("the handler was called %d times, want 6", called)
	}
	for _, ref := range []string{`"` + longest + `r"`, `"` + strings.Repeat("ü", 65) + `"`, `7`, `null`, `true`, `["7"]`, `{}`} {
		wantJSON(t, send(t, app, `{"action":"do","ref":`+ref+`}`),
			`{"type":"error","action":"do","code":"bad_request","message":"ref is not a string of at most 64 characters"}`)
	}
	if called != 6 {
		t.Error("a frame with a bad ref reached the handler")
	}
}

func TestMessageMiddleware(t *testing.T) {
	var calls []string
	wrapped := 0
	around := func(name string) sumu.Middleware {
		return func(next sumu.Handler) sumu.Handler {
			wrapped++
			return func(ctx context.Context, m sumu.Message) ([]byte, error) {
				calls = append(calls, name+" "+m.Action)
				return next(ctx, m)
			}
		}
	}
	app := newMessageApp(t, func(o *sumu.AppOptions) {
		o.Middleware = []sumu.Middleware{around("outer"), around("inner")}
	})
	app.Handle("do", func(context.Context, sumu.Message) ([]byte, error) {
		calls = append(calls, "do")
		return nil, nil
	})
	was := wrapped
	for _, tt := range []struct {
		frame string
		want  []string
	}{
		{`{"action":"do"}`, []string{"outer do", "inner do", "do"}},
		{`{"action":"ping"}`, []string{"outer ping", "inner ping"}},
		{`{"action":"keepalive"}`, []string{"outer keepalive", "inner keepalive"}},
		{`{"action":"nothing"}`, []string{"outer nothing", "inner nothing"}},
		{`not JSON`, []string{"outer ", "inner "}},
	} {
		calls = nil
		send(t, app, tt.frame)
		if !slices.Equal(calls, tt.want) {
			t.Errorf("%s: got %q, want %q", tt.frame, calls, tt.want)
		}
	}
	// A middleware that counts or limits keeps its state beside its handler.
	if wrapped != was {
		t.Errorf("handlers were wrapped again %d times while messages came", wrapped-was)
	}
}

func TestMessageObserver(t *testing.T) {
	at := now
	var told []string
	app := newMessageApp(t, func(o *sumu.AppOptions) {
		o.Now = func() time.Time { return at }
		o.Observer.Message = func(_ context.Context, c sumu.Connection, action string, took time.Duration, err error) {
			told = append(told, fmt.Sprint(c.ID, " ", action, " ", took, " ", err))
		}
	})
	app.Handle("slow", func(context.Context, sumu.Message) ([]byte, error) {
		at = at.Add(3 * time.Second)
		return nil, nil
	})
	app.Handle("bad", func(context.Context, sumu.Message) ([]byte, error) { return nil, sumu.ErrLimit })
	send(t, app, `{"action":"slow"}`)
	send(t, app, `{"action":"bad"}`)
	send(t, app, `{"action":"bad","ref":7}`)
	want := []string{
		"c1 slow 3s <nil>",
		"c1 bad 0s limit exceeded",
		"c1 bad 0s ref is not a string of at most 64 characters: invalid",
	}
	if !slices.Equal(told, want) {
		t.Errorf("got  %q\nwant %q", told, want)
	}
}

func TestHandlePanics(t *testing.T) {
	nothing := func(context.Context, sumu.Message) ([]byte, error) { return nil, nil }
	for name, register := range map[string]func(*sumu.App){
		"empty action": func(a *sumu.App) { a.Handle("", nothing) },
		"nil handler":  func(a *sumu.App) { a.Handle("do", nil) },
		"twice":        func(a *sumu.App) { a.Handle("do", nothing); a.Handle("do", nothing) },
		"ping twice":   func(a *sumu.App) { a.Handle("ping", nothing); a.Handle("ping", nothing) },
		"long action":  func(a *sumu.App) { a.Handle(strings.Repeat("a", 129), nothing) },
	} {
		func() {
			defer func() {
				if p, ok := recover().(string); !ok || !strings.HasPrefix(p, "sumu: ") {
					t.Errorf("%s: Handle did not panic with a reason: %v", name, p)
				}
			}()
			register(newMessageApp(t))
		}()
	}
	app := newMessageApp(t)
	app.Handle(strings.Repeat("a", 128), nothing)
}

func TestLikeAPIGateway(t *testing.T) {
	app := newMessageApp(t)
	got := app.Message(t.Context(), sumu.Message{
		Connection: sumu.Connection{UserID: "u1", ID: "c1"}, RequestID: "r1",
		Body: []byte(`{"action":"nothing","ref":"7"}`), LikeAPIGateway: true,
	})
	if string(got) != apiGatewayForbidden {
		t.Errorf("answered %s, want %s", got, apiGatewayForbidden)
	}
}
