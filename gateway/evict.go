package gateway

import (
	"context"
	"errors"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/ws"
)

// maxEvictions bounds how many requests to connect have others' sockets closed
// at a time.
const maxEvictions = 32

// evict closes the sockets whose place a new connection took. Their rows are
// gone already.
func (g *Gateway) evict(evicted []sumu.Connection) {
	var elsewhere []sumu.Connection
	for _, c := range evicted {
		ours := g.hub.close(c.ID, &ending{
			ws.ClosePolicy, "replaced by a newer connection",
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
	if err := g.opts.Nodes.Disconnect(ctx, c); err != nil && !errors.Is(err, sumu.ErrGone) {
		g.opts.Logger.Warn("an evicted connection's socket was not closed; it has no row any more",
			"connection", c.ID, "endpoint", c.Endpoint, "err", err)
	}
}
