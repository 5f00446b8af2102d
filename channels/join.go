package channels

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/strictjson"
)

func (c *Channels) handleJoin(ctx context.Context, m sumu.Message) ([]byte, error) {
	channel, err := c.named(&m)
	if err != nil {
		return nil, err
	}
	if err := c.allow(ctx, m.Identity, sumu.VerbJoin, channel); err != nil {
		return nil, err
	}
	if err := c.limitRate(&m); err != nil {
		return nil, err
	}
	if err := c.join(ctx, m.Connection, channel); err != nil {
		return nil, err
	}
	return reply(&m, channel), nil
}

// join returns an error that a client may read.
func (c *Channels) join(ctx context.Context, conn sumu.Connection, channel string) error {
	err := c.store.Join(ctx, conn, channel, c.opts.MaxChannels)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sumu.ErrLimit):
		return &sumu.Error{
			Op:   fmt.Sprintf("at most %d channels per connection are allowed; leave one first", c.opts.MaxChannels),
			Kind: sumu.ErrLimit, Err: err,
		}
	}
	return fault("join", err)
}

// limitRate returns ErrThrottled for a connection that joins and leaves too often.
func (c *Channels) limitRate(m *sumu.Message) error {
	if c.joins.Allow(m.Connection.ID, 1) {
		return nil
	}
	return &sumu.Error{Op: "too many joins and leaves; slow down", Kind: sumu.ErrThrottled}
}

// named returns the channel that a message is about.
func (c *Channels) named(m *sumu.Message) (string, error) {
	raw := m.Field("channel")
	if raw == nil {
		return "", invalid("channel is missing")
	}
	return c.name(raw)
}

// name reads the name of a channel that a client sent.
func (c *Channels) name(raw json.RawMessage) (string, error) {
	channel, ok := strictjson.String(raw)
	if !ok {
		return "", invalid("channel is not a string")
	}
	if n := len(channel); n > c.opts.MaxName {
		return "", invalid("channel has %d bytes; at most %d are allowed", n, c.opts.MaxName)
	}
	if err := sumu.ValidateChannel(channel); err != nil {
		return "", err
	}
	for _, r := range channel {
		if !c.opts.Alphabet(r) {
			return "", invalid("channel holds %q, which is not allowed in its name", r)
		}
	}
	return channel, nil
}

// reply is what the original's clients read.
func reply(m *sumu.Message, channel string) []byte {
	b, err := json.Marshal(struct {
		Channel      string `json:"channel"`
		ConnectionID string `json:"connectionId"`
		Ref          string `json:"ref,omitempty"`
	}{channel, m.Connection.ID, m.Ref})
	if err != nil {
		panic(err) // Strings always marshal.
	}
	return b
}
