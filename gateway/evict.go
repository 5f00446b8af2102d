package gateway

import (
	"context"
	"errors"

	"github.com/sumu-live/sumu"
)

// maxEvictions bounds how many requests to connect have others' sockets closed
// at a time.
const maxEvictions = 32

var replaced = sumu.DisconnectReason{Code: sumu.CloseReplaced, Text: "replaced by a newer connection"}

// evict closes the sockets whose place a new connection took. Their rows are
// gone already.
func (g *Gateway) evict(evicted []sumu.Connection) {
	var elsewhere []sumu.Connection
	for _, c := range evicted {
		ours := g.hub.close(c.ID, &ending{
			replaced.Code, replaced.Text,
			[][]byte{closingFrame("replaced", "a newer connection took this one's place")},
		})
		if !ours && c.Endpoint != g.endpoint && g.opts.Nodes != nil {
			elsewhere = append(elsewhere, c)
		}
	}
	if len(elsewhere) == 0 {
		return
	}
	// The new connection does not wait for other nodes.
	g.running.add()
	go func() {
		defer g.running.done()
		g.evictions <- struct{}{}
		defer func() { <-g.evictions }()
		for _, c := range elsewhere {
			g.evictElsewhere(c)
		}
	}()
}

func (g *Gateway) evictElsewhere(c sumu.Connection) {
	ctx, cancel := context.WithTimeout(g.ctx, maxStoreCall)
	defer cancel()
	if sender, ok := g.opts.Nodes.(sumu.Sender); ok {
		if p, err := sumu.NewPayload(sumu.ClosingFrame("replaced", "a newer connection took this one's place")); err == nil {
			_ = sender.Post(ctx, c, p) // A courtesy: it is closed anyhow.
		}
	}
	disconnect := g.opts.Nodes.Disconnect
	if r, ok := g.opts.Nodes.(sumu.ReasonDisconnecter); ok {
		disconnect = func(ctx context.Context, c sumu.Connection) error { return r.DisconnectFor(ctx, c, replaced) }
	}
	if err := disconnect(ctx, c); err != nil && !errors.Is(err, sumu.ErrGone) {
		g.opts.Logger.Warn("an evicted connection's socket was not closed; it has no row any more",
			"connection", c.ID, "endpoint", c.Endpoint, "err", err)
	}
}
