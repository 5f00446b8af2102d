package channels

import (
	"context"
	"iter"

	"github.com/sumu-live/sumu"
)

// Join makes a live connection a member of a channel, whatever its grants.
// ErrGone is returned when the connection is no more, ErrLimit when it is in
// [Options.MaxChannels] already, ErrInvalid for a name that cannot be.
func (c *Channels) Join(ctx context.Context, ref sumu.ConnectionRef, channel string) error {
	op := "join " + ref.ConnectionID
	if err := sumu.ValidateChannel(channel); err != nil {
		return &sumu.Error{Op: op, Err: err}
	}
	conn, err := c.rows.Get(ctx, ref)
	if err == nil {
		err = c.store.Join(ctx, conn, channel, c.opts.MaxChannels)
	}
	if err != nil {
		return &sumu.Error{Op: op, Err: err}
	}
	return nil
}

// Leave ends a membership. One that never was is no error.
func (c *Channels) Leave(ctx context.Context, ref sumu.ConnectionRef, channel string) error {
	if err := c.store.Leave(ctx, ref, channel); err != nil {
		return &sumu.Error{Op: "leave " + ref.ConnectionID, Err: err}
	}
	return nil
}

// Of yields the channels of a connection in ascending byte order.
func (c *Channels) Of(ctx context.Context, ref sumu.ConnectionRef) iter.Seq2[string, error] {
	return c.store.Channels(ctx, ref)
}

// Members yields the connections in a channel, streamed: memory does not grow
// with their number. Who had joined before it began is among them. After an
// error it yields nothing more.
func (c *Channels) Members(ctx context.Context, channel string) iter.Seq2[sumu.Connection, error] {
	return func(yield func(sumu.Connection, error) bool) {
		for m, err := range c.store.Members(ctx, channel, "") {
			if !yield(m.Connection, err) || err != nil {
				return
			}
		}
	}
}

// Count returns how many connections are in a channel, those that joined before
// among them.
func (c *Channels) Count(ctx context.Context, channel string) (int, error) {
	return c.store.CountMembers(ctx, channel)
}

// Users yields the users in a channel, each once however many of their
// connections are: who is there. Their ids are remembered meanwhile: memory
// grows with the users of this channel. After an error it yields nothing more.
func (c *Channels) Users(ctx context.Context, channel string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		seen := make(map[string]struct{})
		for m, err := range c.store.Members(ctx, channel, "") {
			if err != nil {
				yield("", err)
				return
			}
			user := m.Connection.UserID
			if _, ok := seen[user]; ok {
				continue
			}
			seen[user] = struct{}{}
			if !yield(user, nil) {
				return
			}
		}
	}
}
