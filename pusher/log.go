package pusher

import (
	"context"
	"errors"
	"log/slog"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/logging"
)

// lines are what a Pusher logs: each of a kind once a second, with a count.
type lines struct {
	failed, deadLetters logging.Summary
}

// note keeps the first error of a target that is a fault of somebody: that a
// client reads slowly, or has gone, is none.
func (pl *plan) note(err error) {
	if pl.fault == nil && !errors.Is(err, sumu.ErrThrottled) {
		pl.fault = err
	}
}

// logPushed tells of a push that failed for some targets, or as a whole. What
// was refused is told to whoever sent it.
func (p *Pusher) logPushed(ctx context.Context, pl *plan) {
	r := &pl.result
	err := pl.fault
	switch {
	case r.Refused(), errors.Is(r.Err, context.Canceled):
		return
	case r.Err != nil && !errors.Is(r.Err, sumu.ErrExpired):
		err = r.Err
	case err == nil && len(r.Failures) > 0:
		err = r.Failures[0].Err
	case err == nil:
		return
	}
	p.lines.failed.Add(ctx, p.opts.Logger, slog.LevelWarn, 1, "pushes failed, whole or for some connections",
		"notification", r.ID, "targets", r.Targets, "delivered", r.Delivered, "failed", r.Failed, "requeued", r.Requeued, "err", err)
}

func (p *Pusher) logDeadLetter(ctx context.Context, n sumu.Notification, err error) {
	p.lines.deadLetters.Add(ctx, p.opts.Logger, slog.LevelWarn, 1, "notifications given up, whole or for some connections",
		"notification", n.ID, "err", err)
}
