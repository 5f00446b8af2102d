package gateway_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/gateway"
)

const nodeURL = "https://node-1.example.com/prod"

// leases is a store of records that can fail, and that tells of each write.
type leases struct {
	*memstore.Store
	saved chan sumu.Record

	mu   sync.Mutex
	fail func(r sumu.Record) (before, after error)
}

func (l *leases) SaveRecord(ctx context.Context, r sumu.Record) error {
	l.mu.Lock()
	fail := l.fail
	l.mu.Unlock()
	var before, after error
	if fail != nil {
		before, after = fail(r)
	}
	if before != nil {
		return before
	}
	err := l.Store.SaveRecord(ctx, r)
	if err == nil {
		l.saved <- r
	}
	return errors.Join(err, after)
}

func (l *leases) failWith(f func(r sumu.Record) (before, after error)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fail = f
}

// node is a gateway with a lease, whose renewals happen when the test says so.
type node struct {
	*env
	leases *leases
	tick   chan time.Time
	waits  chan time.Duration
	log    strings.Builder
}

func startNode(t *testing.T) *node {
	t.Helper()
	n := &node{tick: make(chan time.Time), waits: make(chan time.Duration, 100)}
	n.env = start(t, config{
		setup: func(e *env) { n.leases = &leases{Store: e.store.Store, saved: make(chan sumu.Record, 100)} },
		gw: []func(*gateway.Options){
			gateway.Sleep(func(d time.Duration) <-chan time.Time {
				n.waits <- d
				return n.tick
			}),
			logTo(&n.log),
			func(o *gateway.Options) {
				o.Endpoint, o.Node, o.Leases = nodeURL+"/", "node-1", n.leases
				o.IdleTimeout = -1
			},
		},
	})
	return n
}

// renew lets the node renew its lease, and waits until it has tried.
func (n *node) renew() (wait time.Duration) {
	n.t.Helper()
	select {
	case n.tick <- time.Time{}:
	case <-time.After(20 * time.Second):
		n.t.Fatal("nothing renews the lease")
	}
	return receive(n.t, n.waits)
}

func (n *node) lease() sumu.Record {
	n.t.Helper()
	r, err := n.leases.LoadRecord(context.Background(), "lease", n.gw.Endpoint())
	if err != nil {
		n.t.Fatal(err)
	}
	return r
}

// sweep does what the package's documentation asks of whoever removes the rows
// of a dead node. It returns ErrConflict while the node lives.
func (n *node) sweep(during func()) (removed int, err error) {
	n.t.Helper()
	ctx := context.Background()
	mine := sumu.Record{Kind: "lease", Key: n.gw.Endpoint(), Value: []byte("sweep"), Rev: 1, DeleteAt: n.clock.Now().Add(time.Minute)}
	if err := n.leases.SaveRecord(ctx, mine); err != nil {
		return 0, err
	}
	for c, err := range n.store.All(ctx, sumu.Segment{}) {
		if err != nil {
			n.t.Fatal(err)
		}
		if c.Endpoint == mine.Key {
			removed++
			if err := n.store.Store.Delete(ctx, c.Ref()); err != nil {
				n.t.Fatal(err)
			}
		}
	}
	if during != nil {
		during()
	}
	return removed, n.leases.DeleteRecord(ctx, "lease", mine.Key, 1)
}
