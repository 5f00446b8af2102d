package sqsnotify

import (
	"context"

	"github.com/sumu-live/sumu"
)

// Each returns a [Handler] that calls handle for each message, one after the
// other: nil removes it, an error has it come again. A panic fails its message
// alone. Once a message of a FIFO queue's group has failed, the later ones of
// its group fail without a call, which keeps their order.
func Each(handle func(ctx context.Context, d sumu.Delivery) error) Handler {
	one := func(ctx context.Context, d sumu.Delivery) (err error) {
		defer sumu.RecoverTo(&err)
		return handle(ctx, d)
	}
	return func(ctx context.Context, batch ...sumu.Delivery) []sumu.Outcome {
		outcomes := make([]sumu.Outcome, len(batch))
		failed := make(map[string]bool) // groups
		for i, d := range batch {
			if failed[d.Group] {
				outcomes[i].Err = errBehind
				continue
			}
			outcomes[i].Err = one(ctx, d)
			failed[d.Group] = d.Group != "" && outcomes[i].Err != nil
		}
		return outcomes
	}
}

var errBehind = &sumu.Error{Op: "an earlier message of its group has failed", Kind: sumu.ErrUnavailable}
