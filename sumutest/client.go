package sumutest

import (
	"bytes"
	"context"
	"slices"
	"testing"

	"github.com/sumu-live/sumu"
)

var _ sumu.NotifyClient = (*Client)(nil)

// Client is a [sumu.NotifyClient] that records what it is given and delivers
// nothing: for code that notifies. The zero value accepts everything that
// validates.
//
//	client := new(sumutest.Client)
//	shop := NewShop(client) // the code under test
//	shop.Ship(ctx, order)
//	n := client.Next(t)
type Client struct {
	Faults
	sent log[sumu.Notification]
}

// Send implements [sumu.NotifyClient]. ErrInvalid and ErrTooLarge are returned
// for a notification that does not validate, as every client does.
func (c *Client) Send(ctx context.Context, n sumu.Notification) error {
	if err := n.Validate(); err != nil {
		return err
	}
	f, _ := c.take()
	return f.do(ctx, "send "+n.ID, func() error {
		if err := ctx.Err(); err != nil {
			return &sumu.Error{Op: "send " + n.ID, Kind: sumu.ErrUnavailable, Err: err}
		}
		n := n.Clone()
		n.Data = bytes.Clone(n.Data)
		c.sent.add(n)
		return nil
	})
}

// Sent returns the notifications that were accepted, in their order.
func (c *Client) Sent() []sumu.Notification { return c.sent.list() }

// Next returns the first accepted notification that it has not returned yet.
// The test fails when none comes in 10 s.
func (c *Client) Next(tb testing.TB) sumu.Notification {
	tb.Helper()
	return c.sent.next(tb, "notification", wait)
}

// To returns the data of the accepted notifications that name a user among
// their Users and do not exclude him, in their order.
func (c *Client) To(user string) []string {
	var data []string
	for _, n := range c.sent.list() {
		if slices.Contains(n.Users, user) && !slices.Contains(n.ExcludeUsers, user) {
			data = append(data, string(n.Data))
		}
	}
	return data
}
