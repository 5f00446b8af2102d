package main

import (
	"context"

	"github.com/sumu-live/sumu"
)

// sender posts to the sockets of this node in process, and to those of others
// where their rows say that they are: to all of a node by one request.
type sender struct {
	own      sumu.Sender
	endpoint string // of this process: what the rows of its sockets have
	remote   sumu.BatchSender
}

var _ sumu.BatchSender = sender{}

func (s sender) Post(ctx context.Context, c sumu.Connection, p *sumu.Payload) error {
	if c.Endpoint == s.endpoint {
		return s.own.Post(ctx, c, p)
	}
	return s.remote.Post(ctx, c, p)
}

// MaxBatch has no batches for this node: a post in process costs less than to
// collect them.
func (s sender) MaxBatch(c sumu.Connection) int {
	if c.Endpoint == s.endpoint {
		return 0
	}
	return s.remote.MaxBatch(c)
}

func (s sender) PostBatch(ctx context.Context, conns []sumu.Connection, p *sumu.Payload) []error {
	return s.remote.PostBatch(ctx, conns, p)
}
