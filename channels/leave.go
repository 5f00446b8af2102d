package channels

import (
	"context"

	"github.com/sumu-live/sumu"
)

// handleLeave needs no grant: a token that was replaced by one that allows less
// must not keep a connection in a channel.
func (c *Channels) handleLeave(ctx context.Context, m sumu.Message) ([]byte, error) {
	channel, err := c.named(&m)
	if err != nil {
		return nil, err
	}
	if err := c.limitRate(&m); err != nil {
		return nil, err
	}
	if err := c.store.Leave(ctx, m.Connection.Ref(), channel); err != nil {
		return nil, fault("leave", err)
	}
	return reply(&m, channel), nil
}
