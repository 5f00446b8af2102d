package events

import (
	"context"

	"github.com/sumu-live/sumu"
)

// handleUnsubscribe needs no grant: a token that was replaced by one that
// allows less must not keep events coming.
func (e *Events) handleUnsubscribe(ctx context.Context, m sumu.Message) ([]byte, error) {
	subs, err := e.read(&m)
	if err != nil {
		return nil, err
	}
	if err := e.limitRate(&m, len(subs)); err != nil {
		return nil, err
	}
	if err := e.store.Unsubscribe(ctx, m.Connection.Ref(), subs...); err != nil {
		return nil, fault("unsubscribe", err)
	}
	return m.Ack(m.RequestID), nil
}
