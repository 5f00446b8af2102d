package channels

import (
	"cmp"
	"context"
	"encoding/json"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/strictjson"
)

func (c *Channels) handleSend(ctx context.Context, m sumu.Message) ([]byte, error) {
	channel, err := c.target(&m)
	if err != nil {
		return nil, err
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

// target returns the channel that a message is for. One that names none is for
// the default one, and holds known members only: "chanel" must not tell a
// message to others than it is meant for.
func (c *Channels) target(m *sumu.Message) (string, error) {
	if raw := m.Field("channel"); raw != nil {
		return c.name(raw)
	}
	channel := cmp.Or(c.opts.Default, DefaultChannel)
	members, err := strictjson.Parse(m.Body, 0)
	if err != nil {
		return "", invalid("%v", err)
	}
	for _, member := range members {
		switch member.Name {
		case "action", "ref", "key", "message":
		default:
			return "", invalid("unknown member %.64q in a message without \"channel\", which is for %q", member.Name, channel)
		}
	}
	return channel, nil
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
