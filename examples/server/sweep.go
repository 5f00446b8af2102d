package main

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/dynamostore"
	"github.com/sumu-live/sumu/connstore/sweep"
	"github.com/sumu-live/sumu/pusher/apigw"
)

// newSweeper removes the rows that nobody else does: of nodes that died, of
// sockets that a living node does not know, and those that have expired.
func newSweeper(s settings, store *dynamostore.StateStore, remote *apigw.Sender, log *slog.Logger) (*sweep.Sweeper, error) {
	return sweep.New(sweptStore{store}, func(o *sweep.Options) {
		o.Leases, o.Leased, o.Takeover = store, isNode, s.leaseTTL/2
		o.Check = sweep.CheckerFunc(func(ctx context.Context, c sumu.Connection) error {
			_, err := remote.Get(ctx, c)
			return err
		})
		o.Positions = store
		o.Logger = log
	})
}

// sweptStore has channels and events forget a connection together with its row.
// The cleaner does so for whoever else removes rows, and again for the sweeper,
// but by the stream alone: a node that begins to follow that for the first time
// begins with what happens from then on.
type sweptStore struct{ *dynamostore.StateStore }

func (s sweptStore) Prune(ctx context.Context, ref sumu.ConnectionRef, notAfter time.Time) (removed bool, err error) {
	removed, err = s.StateStore.Prune(ctx, ref, notAfter)
	if removed {
		_, err = sumu.ForgetGone(ctx, s.StateStore, ref)
	}
	return removed, err
}

// isNode reports whether a row is of a node: its endpoint has the form of those
// with a lease. These tables are of such nodes alone.
func isNode(endpoint string) bool {
	i := strings.LastIndexByte(endpoint, '/')
	return i > 0 && sweep.NodesBelow(endpoint[:i])(endpoint)
}

// sweep runs until ctx ends. Every node asks for the turn, and one has it: the
// scan of the table is paid for once, whatever the number of nodes. Two at a
// time would do no harm, and a turn whose node dies is the next one's.
func (n *node) sweep(ctx context.Context) {
	tick := time.NewTicker(n.settings.sweepEvery / 2)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		// A node that cannot keep its own lease must not judge the others by theirs.
		if n.gateway.Ready(ctx) != nil || !n.hasTurn(ctx) {
			continue
		}
		run, cancel := context.WithTimeout(ctx, max(n.settings.sweepEvery, time.Minute))
		_ = n.sweeper.Sweep(run) // It logs its errors, and the next one goes on.
		cancel()
	}
}

// hasTurn takes the one record that is there for each turn, and expires with it.
func (n *node) hasTurn(ctx context.Context) bool {
	err := n.records.SaveRecord(ctx, sumu.Record{
		Kind: "sweep", Key: "turn", Value: []byte(n.settings.node), Rev: 1,
		DeleteAt: time.Now().Add(n.settings.sweepEvery),
	})
	if err != nil && !errors.Is(err, sumu.ErrConflict) && ctx.Err() == nil {
		n.log.Error("no turn to sweep", "err", err)
	}
	return err == nil
}
