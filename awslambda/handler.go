package awslambda

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

	"github.com/sumu-live/sumu"
)

// Handler handles the raw event of an invocation. Every handler of this package
// is one, and so is any lambda.Handler of aws-lambda-go.
type Handler interface {
	// Invoke takes an event and returns the answer, both as JSON. ErrInvalid is
	// returned for an event that the handler does not serve.
	Invoke(ctx context.Context, payload []byte) ([]byte, error)
}

// handler is a Handler of ours: it takes an event that has been opened.
type handler interface {
	Handler
	handle(ctx context.Context, e *event) (answer any, err error)
}

// invoke is Invoke of all handlers.
func invoke(ctx context.Context, h handler, payload []byte) ([]byte, error) {
	e, err := open(payload)
	if err != nil {
		return nil, err
	}
	return serve(ctx, h, e)
}

func serve(ctx context.Context, h handler, e *event) (out []byte, err error) {
	// Lambda would end the process and everything it has warmed up.
	err = safely(func() error {
		answer, err := h.handle(ctx, e)
		if err != nil {
			return err
		}
		out, err = json.Marshal(answer)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// safely turns a panic into an error.
func safely(do func() error) (err error) {
	defer sumu.RecoverTo(&err)
	return do()
}

// logError logs an error, and where it panicked if it did.
func logError(ctx context.Context, l *slog.Logger, text string, err error, args ...any) {
	args = append(args, "error", err.Error())
	var p *sumu.PanicError
	if errors.As(err, &p) {
		args = append(args, "stack", string(p.Stack))
	}
	l.ErrorContext(ctx, text, args...)
}

func invalid(format string, args ...any) error {
	return &sumu.Error{Op: "awslambda: " + fmt.Sprintf(format, args...), Kind: sumu.ErrInvalid}
}
