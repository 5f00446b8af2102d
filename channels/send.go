package channels

import (
	"cmp"
	"context"
	"encoding/json"

	"github.com/sumu-live/sumu"
)

func (c *Channels) handleSend(ctx context.Context, m sumu.Message) ([]byte, error) {
	channel := cmp.Or(c.opts.Default, DefaultChannel)
	if raw := m.Field("channel"); raw != nil {
		var err error
		if channel, err = c.name(raw); err != nil {
			return nil, err
		}
	}
	data := m.Field("message")
	if data == nil {
		return nil, invalid("message is missing; give any JSON value")
	}
	if err := c.allow(ctx, m.Identity, sumu.VerbPost, channel); err != nil {
		return nil, err
	}
	n := sumu.Notification{
		ID:                 sumu.NewID(),
		Channels:           []string{channel},
		ExcludeConnections: []string{m.Connection.ID},
		From:               m.Connection.UserID,
		Data:               data,
	}
	if err := n.Validate(); err != nil {
		return nil, err
	}
	// What could be sent to nobody must not be acknowledged.
	if size := frameSize(&n); size > sumu.MaxPayload {
		return nil, &sumu.Error{
			Op:   "message is too large: with what members are told beside it, it must fit into 128 KB",
			Kind: sumu.ErrTooLarge,
		}
	}
	if err := c.client.Send(ctx, n); err != nil {
		return nil, fault("sendmessage", err)
	}
	return m.Ack(n.ID), nil
}

// frameSize is how large the frame is that members receive, at least.
func frameSize(n *sumu.Notification) int {
	const fixed = len(`{"type":"message","channel":,"from":,"id":,"data":}`)
	size := fixed + len(n.Data)
	for _, text := range []string{n.Channels[0], n.From, n.ID} {
		quoted, err := json.Marshal(text)
		if err != nil {
			panic(err) // Strings always marshal.
		}
		size += len(quoted)
	}
	return size
}
