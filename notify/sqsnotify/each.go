package sqsnotify

import (
	"context"
	"errors"

	"github.com/sumu-live/sumu"
)

// Each returns a [Handler] that calls handle for each message, one after the
// other: nil removes it, an error has it come again. A panic fails its message
// alone. Once a message of a FIFO queue's group has failed, the later ones of
// its group fail without a call, which keeps their order.
//
// An error that is ErrUnavailable says that what handle needs for any message is
// down, such as a database: the outcome is a Fault, and a batch with nothing else
// is held; see [Poll].
func Each(handle func(ctx context.Context, d sumu.Delivery) error) Handler {
	one := func(ctx context.Context, d sumu.Delivery) (err error) {
		defer sumu.RecoverTo(&err)
		return handle(ctx, d)
	}
	return func(ctx context.Context, batch ...sumu.Delivery) []sumu.Outcome {
		outcomes := make([]sumu.Outcome, len(batch))
		failed := make(map[string]sumu.Outcome) // by group
		for i, d := range batch {
			if first, ok := failed[d.Group]; ok {
				outcomes[i] = sumu.Outcome{Err: errBehind, Fault: first.Fault}
				continue
			}
			err := one(ctx, d)
			outcomes[i] = sumu.Outcome{Err: err, Fault: isFault(err)}
			if d.Group != "" && err != nil {
				failed[d.Group] = outcomes[i]
			}
		}
		return outcomes
	}
}

// isFault reports whether a message is not to blame for an error. For a panic it
// may be.
func isFault(err error) bool {
	var panicked *sumu.PanicError
	return errors.Is(err, sumu.ErrUnavailable) && !errors.As(err, &panicked)
}

var errBehind = &sumu.Error{Op: "an earlier message of its group has failed", Kind: sumu.ErrUnavailable}
