package gateway_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
)

// A probe takes the lease, as a connection would, and is told when it lapses
// and when the gateway shuts down.
func TestReady(t *testing.T) {
	n := startNode(t)
	ctx := t.Context()
	n.leases.failWith(func(sumu.Record) (before, after error) { return errors.New("no table"), nil })
	if err := n.gw.Ready(ctx); !errors.Is(err, sumu.ErrUnavailable) {
		t.Errorf("without a table: %v, want ErrUnavailable", err)
	}
	n.leases.failWith(nil)
	for range 2 {
		if err := n.gw.Ready(ctx); err != nil {
			t.Errorf("ready: %v", err)
		}
	}
	if r := n.lease(); r.Rev != 2 {
		t.Errorf("the lease is %+v, want one taken once", r)
	}
	receive(t, n.waits)
	n.clock.Advance(30 * time.Second)
	if err := n.gw.Ready(ctx); !errors.Is(err, sumu.ErrUnavailable) {
		t.Errorf("when it has expired: %v, want ErrUnavailable", err)
	}
	n.renew()
	if err := n.gw.Ready(ctx); err != nil {
		t.Errorf("when it is held again: %v", err)
	}
	if err := n.gw.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if err := n.gw.Ready(ctx); !errors.Is(err, sumu.ErrClosed) {
		t.Errorf("after Shutdown: %v, want ErrClosed", err)
	}
	if r := n.lease(); r.Rev != 0 {
		t.Errorf("after Shutdown the lease is %+v", r)
	}
}

func TestReadyWithoutLeases(t *testing.T) {
	e := start(t, config{})
	if err := e.gw.Ready(t.Context()); err != nil {
		t.Errorf("ready: %v", err)
	}
}
