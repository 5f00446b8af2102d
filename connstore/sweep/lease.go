package sweep

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/sumu-live/sumu"
)

// NodesBelow returns an [Options.Leased] for the nodes of package gateway with
// Leases and one of these gateway.Options.Endpoint: it reports whether an
// endpoint is a base followed by "/", the node's name, "-" and 13 random
// letters. A base itself, which rows have of gateways without Leases, is none.
func NodesBelow(bases ...string) func(endpoint string) bool {
	prefixes := make([]string, 0, len(bases))
	for _, base := range bases {
		if base = strings.TrimRight(base, "/"); base != "" {
			prefixes = append(prefixes, base+"/")
		}
	}
	return func(endpoint string) bool {
		for _, prefix := range prefixes {
			if name, ok := strings.CutPrefix(endpoint, prefix); ok && isHolder(name) {
				return true
			}
		}
		return false
	}
}

func isHolder(name string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyz234567" // as crypto/rand.Text has, in lower case
	i := strings.LastIndexByte(name, '-')
	return i > 0 && !strings.Contains(name, "/") &&
		len(name)-i-1 == 13 && strings.Trim(name[i+1:], letters) == ""
}

const (
	leaseKind = "lease"
	// hold is how long a dead node's lease is taken for, and use how long rows
	// are removed under it: whoever's clock is ahead by less than the rest does
	// not take it from us meanwhile.
	hold = time.Minute
	use  = hold / 3
)

type nodeState int

const (
	nodeUnknown nodeState = iota
	nodeAlive             // or in the hands of another sweep
	nodeDead              // its lease is ours
)

type node struct {
	state nodeState
	taken time.Time // when dead
}

// nodes are the nodes that a run, or the runs of a Sweep together, have met.
type nodes struct {
	s      *Sweeper
	holder string
	mu     sync.Mutex // over calls too: one lookup serves all segments
	seen   map[string]node
	since  time.Time // since when leases can be read; zero: the last could not
}

func (s *Sweeper) newNodes() *nodes {
	return &nodes{s: s, holder: "sweep-" + strings.ToLower(rand.Text()), seen: make(map[string]node)}
}

// ask returns the state of a node, and since when its lease is ours. A lookup
// is made once spend agrees. Only a lookup returns an error; the node's
// state is unknown for the rest of the run then.
func (n *nodes) ask(ctx context.Context, endpoint string, spend func() bool) (time.Time, nodeState, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	known, ok := n.seen[endpoint]
	if ok && (known.state != nodeDead || n.s.opts.Now().Before(known.taken.Add(use))) {
		return known.taken, known.state, nil
	}
	if !spend() {
		return time.Time{}, nodeUnknown, nil
	}
	if ok {
		n.giveBack(ctx, endpoint, known)
	}
	known, err := n.take(ctx, endpoint)
	n.seen[endpoint] = known
	if err != nil {
		err = &sumu.Error{Op: "lease of " + endpoint, Err: err}
	}
	return known.taken, known.state, err
}

// take takes the lease of a node that has none. It reads first: a read costs
// less than a write that fails, and most nodes live.
func (n *nodes) take(ctx context.Context, endpoint string) (node, error) {
	alive, err := n.alive(ctx, endpoint)
	if err == nil && !alive && n.wait(ctx) {
		alive, err = n.alive(ctx, endpoint)
	}
	if err == nil {
		err = ctx.Err() // It may not have waited to the end.
	}
	if err != nil {
		return node{}, err
	}
	if alive {
		return node{state: nodeAlive}, nil
	}
	now := n.s.opts.Now()
	err = n.s.opts.Leases.SaveRecord(ctx, sumu.Record{
		Kind:     leaseKind,
		Key:      endpoint,
		Value:    []byte(n.holder),
		Rev:      1, // A node holds its lease from 2 on.
		DeleteAt: now.Add(hold + time.Second - 1).Truncate(time.Second),
	})
	switch {
	case errors.Is(err, sumu.ErrConflict):
		return node{state: nodeAlive}, nil
	case err != nil: // If it was written, it expires.
		return node{}, err
	}
	return node{state: nodeDead, taken: now}, nil
}

func (n *nodes) alive(ctx context.Context, endpoint string) (bool, error) {
	r, err := n.s.opts.Leases.LoadRecord(ctx, leaseKind, endpoint)
	switch {
	case err != nil:
		n.since = time.Time{}
	case n.since.IsZero():
		n.since = n.s.opts.Now()
	}
	return r.Rev > 0, err
}

// wait lets the nodes that live take their leases again. It reports whether
// there was something to wait for.
func (n *nodes) wait(ctx context.Context) bool {
	left := n.since.Add(n.s.opts.Takeover).Sub(n.s.opts.Now())
	if left <= 0 {
		return false
	}
	t := time.NewTimer(left)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
	return true
}

// release gives back every lease that is held.
func (n *nodes) release(ctx context.Context) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for endpoint, known := range n.seen {
		if known.state == nodeDead {
			n.giveBack(ctx, endpoint, known)
		}
	}
	clear(n.seen)
}

// giveBack removes the record while it is certainly ours: revision 1 of that
// name may be another sweep's later. If it fails the lease expires.
func (n *nodes) giveBack(ctx context.Context, endpoint string, known node) {
	if !n.s.opts.Now().Before(known.taken.Add(2 * use)) {
		return
	}
	err := n.s.opts.Leases.DeleteRecord(ctx, leaseKind, endpoint, 1)
	if err != nil && !errors.Is(err, sumu.ErrConflict) {
		n.s.opts.Logger.Warn("a dead node's lease was not given back; it expires", "lease", endpoint, "err", err)
	}
}
