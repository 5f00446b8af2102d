package sumu

import (
	"context"
	"errors"
)

// Watchers returns a [PresenceWatcher] that has every one of ws observe each
// change: presence beside the cleaning up of attachments, on one stream. A
// change is dealt with when all of them have dealt with it; one that fails keeps
// none of the others from being asked.
func Watchers(ws ...PresenceWatcher) PresenceWatcher { return watchers(ws) }

type watchers []PresenceWatcher

func (ws watchers) Observe(ctx context.Context, changes ...Change) ([]error, error) {
	outcomes := make([]error, len(changes))
	for _, w := range ws {
		each, err := w.Observe(ctx, changes...)
		for i := range outcomes {
			switch {
			case i < len(each):
				outcomes[i] = errors.Join(outcomes[i], each[i])
			case err != nil: // It broke its contract; nothing must get lost by that.
				outcomes[i] = errors.Join(outcomes[i], err)
			}
		}
	}
	return outcomes, errors.Join(outcomes...)
}
