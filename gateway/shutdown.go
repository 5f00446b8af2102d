package gateway

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/logging"
	"github.com/sumu-live/sumu/internal/ws"
)

// wavesPerSecond is how finely a shutdown spreads [Options.DrainRate].
const wavesPerSecond = 10

// forceWait is how long Shutdown waits for what it ended by force.
const forceWait = time.Second

// Shutdown refuses new connections (503), closes the open ones with 1001, behind
// what is pending for them and at the pace of [Options.DrainRate], and waits
// until all their rows are removed: then the node's lease is given back, and no
// goroutine of the gateway is left.
//
// When ctx ends first the rest is reset, handlers of messages are cancelled,
// and Shutdown returns an error that matches the context's at most a second
// later, or two with a lease; rows that were not removed by then expire, and so
// does the lease.
func (g *Gateway) Shutdown(ctx context.Context) error {
	g.mu.Lock()
	g.stopping = true
	g.mu.Unlock()
	defer func() {
		for _, s := range []*logging.Summary{&g.connectErrors, &g.renewErrors, &g.removeErrors, &g.replyErrors} {
			s.Flush(ctx)
		}
	}()

	g.drain(ctx)
	err := g.running.wait(ctx)
	g.kill()
	clean := err == nil
	if g.lease != nil {
		defer func() { g.lease.end(clean) }()
	}
	if clean {
		return nil
	}
	for _, s := range slices.Concat(g.hub.all(), g.wheel.closing()) {
		s.abort(abnormal("server was stopped"))
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), forceWait)
	defer cancel()
	if clean = g.running.wait(last) == nil; !clean {
		err = fmt.Errorf("%d sockets or rows are left: %w", g.used.Load(), err)
	}
	return &sumu.Error{Op: "gateway: shutdown", Err: err}
}

// drain closes the open sockets, wave after wave.
func (g *Gateway) drain(ctx context.Context) {
	wave := max(1, g.opts.DrainRate/wavesPerSecond)
	pause := time.Second * time.Duration(wave) / time.Duration(g.opts.DrainRate)
	for i, s := range g.hub.all() {
		if i > 0 && i%wave == 0 {
			select {
			case <-g.opts.sleep(pause):
			case <-ctx.Done():
				return
			}
		}
		s.close(ws.CloseGoingAway, "server is shutting down")
	}
}
