package main

import (
	"context"

	"github.com/sumu-live/sumu"
)

// sender posts to the sockets of this node in process, and to those of others
// where their rows say that they are.
type sender struct {
	own      sumu.Sender
	endpoint string // of this process: what the rows of its sockets have
	remote   sumu.Sender
}

func (s sender) Post(ctx context.Context, c sumu.Connection, p *sumu.Payload) error {
	if c.Endpoint == s.endpoint {
		return s.own.Post(ctx, c, p)
	}
	return s.remote.Post(ctx, c, p)
}
