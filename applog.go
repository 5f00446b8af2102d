package sumu

import (
	"context"
	"errors"
	"log/slog"
)

// logFailure tells of a message whose failure is a fault of ours: the client
// learns no more than that it may try again.
func (a *App) logFailure(ctx context.Context, m *Message, route string, err error) {
	if code, _ := wireError(err); code != "unavailable" {
		return
	}
	args := []any{"route", route, "connection", m.Connection.ID, "request", m.RequestID, "err", err}
	var p *PanicError
	if errors.As(err, &p) {
		args = append(args, "stack", string(p.Stack))
	}
	a.failures.Add(ctx, a.opts.Logger, slog.LevelError, 1, "messages of clients failed", args...)
}
