package sumu_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
)

func TestMessageErrorFrames(t *testing.T) {
	cause := errors.New("dial 10.0.0.7: secret-table does not answer")
	for _, tt := range []struct {
		name       string
		err        error
		code, text string
	}{
		{"invalid", &sumu.Error{Op: "channel is missing", Kind: sumu.ErrInvalid}, "bad_request", "channel is missing"},
		{"forbidden", &sumu.Error{Op: "join room.1", Kind: sumu.ErrForbidden}, "forbidden", "join room.1"},
		{"unauthorized", &sumu.Error{Op: "join room.1", Kind: sumu.ErrUnauthorized}, "forbidden", "join room.1"},
		{"too large", &sumu.Error{Op: "message", Kind: sumu.ErrTooLarge}, "too_large", "message"},
		{"limit", &sumu.Error{Op: "50 channels", Kind: sumu.ErrLimit}, "limit_exceeded", "50 channels"},
		{"throttled", &sumu.Error{Op: "10 messages a second", Kind: sumu.ErrThrottled}, "rate_limited", "10 messages a second"},

		{"unavailable", &sumu.Error{Op: "put secret-table", Kind: sumu.ErrUnavailable}, "unavailable", "try again later"},
		{"conflict", &sumu.Error{Op: "put secret-table", Kind: sumu.ErrConflict}, "unavailable", "try again later"},
		{"unknown", cause, "unavailable", "try again later"},
		{"unknown in an Error", &sumu.Error{Op: "put secret-table", Err: cause}, "unavailable", "try again later"},
		{"deadline", fmt.Errorf("secret-table: %w", context.DeadlineExceeded), "unavailable", "timed out; try again"},

		// The cause stays inside, whatever the kind.
		{"cause", &sumu.Error{Op: "join room.1", Kind: sumu.ErrForbidden, Err: cause}, "forbidden", "join room.1"},
		{"without an op", &sumu.Error{Kind: sumu.ErrForbidden, Err: cause}, "forbidden", "forbidden"},
		{"a kind alone", sumu.ErrForbidden, "forbidden", "forbidden"},
		{"a kind, wrapped", fmt.Errorf("secret-table: %w", sumu.ErrTooLarge), "too_large", "too large"},
		{"an Error, wrapped", fmt.Errorf("secret-table: %w", &sumu.Error{Op: "join", Kind: sumu.ErrInvalid}), "bad_request", "join"},
		{"kind of the cause", &sumu.Error{Op: "join", Err: &sumu.Error{Op: "secret-table", Kind: sumu.ErrLimit}}, "limit_exceeded", "join"},
		{"neither op nor kind", &sumu.Error{Err: &sumu.Error{Op: "join", Kind: sumu.ErrInvalid}}, "bad_request", "join"},
		{"neither op nor kind, sentinel", &sumu.Error{Err: sumu.ErrInvalid}, "bad_request", "invalid"},
		{"empty", &sumu.Error{}, "unavailable", "try again later"},
		// That the store refused our own request is not the client's fault.
		{
			"the outermost kind decides",
			&sumu.Error{Op: "put secret-table", Kind: sumu.ErrUnavailable, Err: &sumu.Error{Op: "item", Kind: sumu.ErrInvalid}},
			"unavailable", "try again later",
		},
		{"joined", errors.Join(cause, &sumu.Error{Op: "join", Kind: sumu.ErrForbidden}), "forbidden", "join"},
	} {
		app := newMessageApp(t)
		app.Handle("do", func(context.Context, sumu.Message) ([]byte, error) { return []byte(`"never sent"`), tt.err })
		got := send(t, app, `{"action":"do","ref":"7"}`)
		want, _ := json.Marshal(map[string]string{
			"type": "error", "action": "do", "ref": "7", "code": tt.code, "message": tt.text,
		})
		t.Log(tt.name)
		wantJSON(t, got, string(want))
		if strings.Contains(string(got), "secret") || strings.Contains(string(got), "10.0.0.7") {
			t.Errorf("%s: the client reads of things inside: %s", tt.name, got)
		}
	}
}

func TestMessagePanicIsAnsweredAndReported(t *testing.T) {
	for _, p := range []any{"secret", io.EOF, 7, sumu.ErrForbidden} {
		var told error
		app := newMessageApp(t, func(o *sumu.AppOptions) {
			o.Observer.Message = func(_ context.Context, _ sumu.Connection, _ string, _ time.Duration, err error) { told = err }
		})
		app.Handle("do", func(context.Context, sumu.Message) ([]byte, error) { panic(p) })
		wantJSON(t, send(t, app, `{"action":"do"}`),
			`{"type":"error","action":"do","code":"unavailable","message":"try again later"}`)
		wantKind(t, told, sumu.ErrUnavailable)
		var cause *sumu.PanicError
		if !errors.As(told, &cause) || cause.Value != p || !strings.Contains(string(cause.Stack), "appmessageerror_test.go") {
			t.Errorf("the observer cannot tell what happened and where: %v", told)
		}
		if strings.Contains(told.Error(), "secret") {
			t.Errorf("the error shows the value: %v", told)
		}
	}
}

func TestErrorFramesNeverOutgrowTheQuota(t *testing.T) {
	frame := `{"action":"` + strings.Repeat("<", sumu.MaxPayload-100) + `","ref":7}`
	got := send(t, newMessageApp(t), frame)
	if len(got) > 1024 || !json.Valid(got) {
		t.Errorf("a frame of %d bytes is answered with %d", len(frame), len(got))
	}
}
