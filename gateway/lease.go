package gateway

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sumu-live/sumu"
)

// leaseKind is the kind of a node's [sumu.Record].
const leaseKind = "lease"

// lease is the record that says that this node lives; see the package's "Node
// leases". It is taken by the first Ready, or for the first connection before its
// row is written, and from then on renewed by a goroutine that Shutdown ends.
type lease struct {
	g      *Gateway
	holder string
	key    string

	until atomic.Int64 // held for certain until then, ms
	epoch atomic.Int64 // how often it was taken anew, when others may have had it

	turn   chan struct{} // what follows belongs to whoever is in it
	rev    int64         // of the record that is ours; 0: none is
	lapsed bool          // others may have had it, and our rows, since
	began  bool
	closed bool

	stop chan struct{}
	done chan struct{}
}

func newLease(g *Gateway) *lease {
	holder := g.opts.Node + "-" + strings.ToLower(rand.Text()[:13])
	return &lease{
		g:      g,
		holder: holder,
		key:    strings.TrimRight(g.opts.Endpoint, "/") + "/" + holder,
		turn:   make(chan struct{}, 1),
		stop:   make(chan struct{}),
		done:   make(chan struct{}),
	}
}

// hold returns nil while the lease is held, and when it was taken. The first
// call takes it.
func (l *lease) hold(ctx context.Context) (epoch int64, err error) {
	epoch = l.epoch.Load() // Before until: one that is taken anew later is noticed.
	if l.g.now() < l.until.Load() {
		return epoch, nil
	}
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return 0, errNoLease
	}
	switch {
	case l.g.now() < l.until.Load(): // Another request took it meanwhile.
		return l.epoch.Load(), nil
	case l.began, l.closed:
		return 0, errNoLease
	}
	if err := l.renew(ctx); err != nil {
		l.g.opts.Logger.Error("the node's lease was not taken", "lease", l.key, "err", err)
		return 0, errNoLease
	}
	l.began = true
	go l.run()
	return l.epoch.Load(), nil
}

// Ready returns nil while this gateway takes connections: it is not shutting
// down, and its lease is held. The first call takes the lease, as a connection
// does, so that a probe finds out about the table before a client does; from
// then on it costs nothing. ErrClosed is returned once Shutdown was called,
// ErrUnavailable without the lease.
func (g *Gateway) Ready(ctx context.Context) error {
	g.mu.RLock()
	stopping := g.stopping
	g.mu.RUnlock()
	if stopping {
		return &sumu.Error{Op: "gateway: shutting down", Kind: sumu.ErrClosed}
	}
	if g.lease == nil {
		return nil
	}
	if _, err := g.lease.hold(ctx); err != nil {
		return &sumu.Error{Op: "gateway: the lease is not held", Kind: sumu.ErrUnavailable}
	}
	return nil
}

func (l *lease) run() {
	defer close(l.done)
	const renewals = 3 // in LeaseTTL
	wait := l.g.opts.LeaseTTL / renewals
	for {
		select {
		case <-l.stop:
			return
		case <-l.g.opts.sleep(wait):
		}
		l.turn <- struct{}{}
		ctx, cancel := context.WithTimeout(l.g.ctx, l.g.opts.LeaseTTL/renewals)
		err := l.renew(ctx)
		cancel()
		<-l.turn
		wait = l.g.opts.LeaseTTL / renewals
		if err != nil {
			wait /= 4
			l.g.opts.Logger.Error("the node's lease was not renewed", "lease", l.key, "err", err)
		}
	}
}

// renew prolongs the lease, or takes it. The caller is in its turn.
func (l *lease) renew(ctx context.Context) error {
	var err error
	if l.rev == 1 { // The last call got no further, however long ago it was.
		err = l.look(ctx)
	}
	if err == nil {
		err = l.write(ctx)
	}
	if errors.Is(err, sumu.ErrConflict) {
		if err = l.look(ctx); err == nil {
			err = l.write(ctx)
		}
	}
	if err != nil || !l.lapsed {
		return err
	}
	l.lapsed = false
	l.epoch.Add(1)
	l.g.opts.Logger.Error("the node's lease had expired; sockets without a row are closed", "lease", l.key)
	// While it had expired others may have removed our rows. A renewal tells,
	// and closes the socket of one that is gone.
	for _, s := range l.g.hub.all() {
		l.g.renewers.add(s)
	}
	return nil
}

// write writes the next revision. A node holds its lease from revision 2 on:
// revision 1 is also what a sweep writes that takes the lease, and a renewal
// of ours must never fit on top of that.
func (l *lease) write(ctx context.Context) error {
	for {
		until := l.g.opts.Now().Add(l.g.opts.LeaseTTL)
		err := l.g.opts.Leases.SaveRecord(ctx, sumu.Record{
			Kind:     leaseKind,
			Key:      l.key,
			Value:    []byte(l.holder),
			Rev:      l.rev + 1,
			DeleteAt: until.Add(time.Second - 1).Truncate(time.Second),
		})
		if err != nil {
			return err
		}
		if l.rev++; l.rev > 1 {
			l.until.Store(until.UnixMilli())
			return nil
		}
	}
}

// look finds out why a revision was in conflict. It returns nil when the lease
// can be written again.
func (l *lease) look(ctx context.Context) error {
	r, err := l.g.opts.Leases.LoadRecord(ctx, leaseKind, l.key)
	switch {
	case err != nil:
		return err
	case string(r.Value) == l.holder: // A write of ours whose answer was lost.
		l.rev = r.Rev
		return nil
	}
	l.rev, l.lapsed = 0, l.began
	if r.Rev > 0 {
		return &sumu.Error{Op: "the lease is held by another", Kind: sumu.ErrConflict}
	}
	return nil
}

// end stops the renewals and, if all rows are removed, gives the lease back.
// It returns at most forceWait later.
func (l *lease) end(clean bool) {
	ctx, cancel := context.WithTimeout(context.Background(), forceWait)
	defer cancel()
	select {
	case l.turn <- struct{}{}:
	case <-ctx.Done():
		return
	}
	ended := l.closed
	l.closed = true
	<-l.turn
	if ended || !l.began {
		return
	}
	close(l.stop)
	select {
	case <-l.done:
	case <-ctx.Done():
		return
	}
	l.until.Store(0)
	if !clean {
		return // It expires, and then whatever is left may be swept.
	}
	err := l.g.opts.Leases.DeleteRecord(ctx, leaseKind, l.key, l.rev)
	if err != nil && !errors.Is(err, sumu.ErrConflict) {
		l.g.opts.Logger.Warn("the node's lease was not given back; it expires", "lease", l.key, "err", err)
	}
}
