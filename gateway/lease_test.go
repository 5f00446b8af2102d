package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/gateway"
	"github.com/sumu-live/sumu/internal/ws/wstest"
)

// The lease is taken before the first row is written, renewed while the node
// lives, and given back when it ends. Nobody can take it meanwhile.
func TestLease(t *testing.T) {
	n := startNode(t)
	if len(n.leases.saved) > 0 {
		t.Fatal("a lease without a connection")
	}
	c, row := n.dial("ann")
	if !regexp.MustCompile(`^`+nodeURL+`/node-1-[a-z2-7]{13}$`).MatchString(row.Endpoint) || row.Endpoint != n.gw.Endpoint() {
		t.Errorf("the row's endpoint is %q, the gateway's %q", row.Endpoint, n.gw.Endpoint())
	}
	if r := n.lease(); r.Rev != 2 || !r.DeleteAt.Equal(n.clock.Now().Add(30*time.Second)) {
		t.Errorf("the lease is %+v", r)
	}
	if got := receive(t, n.waits); got != 10*time.Second {
		t.Errorf("it is renewed after %v", got)
	}
	for range 20 {
		n.clock.Advance(10 * time.Second)
		n.renew()
		if _, err := n.sweep(nil); !errors.Is(err, sumu.ErrConflict) {
			t.Fatalf("a sweep of a node that lives: %v, want ErrConflict", err)
		}
		n.dial("bob")
	}
	if n.lease().Rev != 22 {
		t.Errorf("the lease is %+v", n.lease())
	}
	alive(t, c)
	_ = c.Close()
	n.expectEnd(row, 1006)
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // The others do not answer.
	_ = n.gw.Shutdown(ctx)
	if r := n.lease(); r.Rev != 0 || n.rows() != 0 {
		t.Errorf("after the shutdown the lease is %+v, and %d rows are left", r, n.rows())
	}
	if strings.Contains(n.log.String(), "lease") {
		t.Errorf("the log says %s", n.log.String())
	}
}

// A node that stalled finds out. The sockets whose rows were removed are
// closed, the others stay, and until it holds its lease again nobody connects.
func TestLeaseExpires(t *testing.T) {
	n := startNode(t)
	swept, sweptRow := n.dial("ann")
	receive(t, n.waits)
	n.clock.Advance(29 * time.Second)
	if got := n.status("bob"); got != 101 {
		t.Errorf("while it is held: %d", got)
	}
	n.accepted()
	if _, err := n.sweep(nil); !errors.Is(err, sumu.ErrConflict) {
		t.Errorf("while it is held: %v, want ErrConflict", err)
	}
	n.clock.Advance(time.Second)
	if got := n.status("bob"); got != 503 {
		t.Errorf("when it has expired: %d", got)
	}
	removed, err := n.sweep(func() {
		// The node wakes up in the middle of it.
		n.renew()
		if got := n.status("bob"); got != 503 {
			t.Errorf("while another has it: %d", got)
		}
	})
	if removed != 2 || err != nil {
		t.Fatalf("removed %d (%v), want 2", removed, err)
	}
	n.renew()
	if r := n.lease(); r.Rev != 2 {
		t.Errorf("the lease is %+v", r)
	}
	swept.ExpectClose(1001)
	_ = swept.Close()
	if end := receive(t, n.ended); end.conn.Ref() != sweptRow.Ref() || end.reason.Code != 1001 {
		t.Errorf("%+v ended", end)
	}
	until(t, "the end of bob's socket", func() bool { return n.gw.Sockets() == 0 })
	c, _ := n.dial("eve")
	alive(t, c)
	if n.rows() != 1 {
		t.Errorf("%d rows", n.rows())
	}
}

// A lapse that nobody used costs no socket.
func TestLeaseExpiresUnnoticed(t *testing.T) {
	n := startNode(t)
	c, row := n.dial("ann")
	receive(t, n.waits)
	n.clock.Advance(time.Hour)
	n.renew()
	until(t, "the end of renewals", func() bool { return n.gw.Renewing() == 0 })
	alive(t, c)
	n.lives(row, 2*time.Hour)
	if r := n.lease(); r.Rev != 2 {
		t.Errorf("the lease is %+v", r)
	}
}

// A renewal must not fit on top of what a sweep has written, whatever the
// revisions are: each lapse starts them anew.
func TestLeaseNeverRenewsAnothersRecord(t *testing.T) {
	for renewals := range 4 {
		t.Run(fmt.Sprint(renewals), func(t *testing.T) {
			n := startNode(t)
			n.dial("ann")
			receive(t, n.waits)
			for range renewals {
				n.renew()
			}
			n.clock.Advance(time.Minute)
			_, err := n.sweep(func() {
				n.renew()
				if got := string(n.lease().Value); got != "sweep" {
					t.Errorf("the lease was taken from a sweep by %s", got)
				}
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// A store that fails: the lease is tried again sooner, and while it is held
// nothing else happens. A write whose answer was lost is ours.
func TestLeaseStoreFails(t *testing.T) {
	n := startNode(t)
	n.leases.failWith(func(sumu.Record) (error, error) { return sumu.ErrUnavailable, nil })
	if got := n.status("ann"); got != 503 || n.rows() != 0 {
		t.Errorf("without a lease: %d, %d rows", got, n.rows())
	}
	n.leases.failWith(func(r sumu.Record) (before, after error) {
		if r.Rev == 2 {
			return sumu.ErrThrottled, nil
		}
		return nil, nil
	})
	if got := n.status("ann"); got != 503 {
		t.Errorf("with half a lease: %d", got)
	}
	n.leases.failWith(nil)
	c, _ := n.dial("ann")
	receive(t, n.waits)

	n.leases.failWith(func(sumu.Record) (error, error) { return nil, sumu.ErrUnavailable })
	n.clock.Advance(10 * time.Second)
	if wait := n.renew(); wait != 2500*time.Millisecond {
		t.Errorf("tried again after %v", wait)
	}
	if got := n.status("bob"); got != 101 {
		t.Errorf("while it is held: %d", got)
	}
	n.leases.failWith(nil)
	n.clock.Advance(10 * time.Second)
	if wait := n.renew(); wait != 10*time.Second {
		t.Errorf("renewed again after %v", wait)
	}
	alive(t, c)
	if r := n.lease(); r.Rev != 4 || !r.DeleteAt.Equal(n.clock.Now().Add(30*time.Second)) {
		t.Errorf("the lease is %+v", r)
	}
	if strings.Contains(n.log.String(), "had expired") {
		t.Errorf("the log says %s", n.log.String())
	}
}

// Many that connect first at once take one lease.
func TestLeaseIsTakenOnce(t *testing.T) {
	n := startNode(t)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			nc, err := dialUpgraded(n.srv.Listener.Addr().String(), "/?user=u")
			if err != nil {
				t.Error(err)
				return
			}
			_ = nc.Close()
		})
	}
	wg.Wait()
	if got := len(n.leases.saved); got != 2 {
		t.Errorf("the lease was written %d times, want 2", got)
	}
}

// A connection that was let in under a lease that has lapsed since is looked
// after: its row may have gone with those of a dead node.
func TestConnectAcrossALapse(t *testing.T) {
	gate := newGate()
	n := startNode(t)
	n.dial("ann")
	receive(t, n.waits)
	n.auth = gate
	late := wstest.Send(t, wstest.Request(t, n.srv.URL), nil)
	receive(t, gate.asked)
	n.clock.Advance(time.Minute)
	touched := make(chan sumu.ConnectionRef, 10)
	n.store.touch = func(ctx context.Context, ref sumu.ConnectionRef, at time.Time) error {
		touched <- ref
		return n.store.Store.Touch(ctx, ref, at)
	}
	n.renew()
	receive(t, touched) // The first one's.
	gate.let <- nil
	if resp, _ := late.Response(); resp.StatusCode != 101 {
		t.Fatalf("status is %d", resp.StatusCode)
	}
	row := n.accepted()
	if got := receive(t, touched); got != row.Ref() {
		t.Errorf("the row of %v was renewed, want the late one's", got)
	}
}

func TestLeasesNeedAStoreThatRenews(t *testing.T) {
	app, err := sumu.NewApp(newGate(), onlyStore{new(memstore.Store)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := gateway.New(app, func(o *gateway.Options) {
		o.Endpoint, o.Leases = nodeURL, new(memstore.Store)
	}); !errors.Is(err, sumu.ErrUnsupported) {
		t.Errorf("error is %v, want ErrUnsupported", err)
	}
}
