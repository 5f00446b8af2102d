package sweep_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/connstore/sweep"
	"github.com/sumu-live/sumu/gateway"
)

func TestOnlyADeadNodesRowsAreRemoved(t *testing.T) {
	w := newWorld(t)
	w.hold(dead, 30*time.Second)
	w.hold(live, time.Hour)
	w.now = w.now.Add(31 * time.Second)
	w.row("dead-1", dead, time.Minute)
	w.row("dead-2", dead, 10*time.Hour)
	w.row("live", live, time.Minute)
	w.row("api", api, time.Minute)        // never had a lease
	w.row("default", "", time.Minute)     // nor had the sender's default
	w.row("unleased", base, time.Minute)  // a gateway without Leases
	w.row("odd", base+"/v1", time.Minute) // something else below the base
	// memstore counts the expired record as well.
	w.run(w.sweeper(), sweep.Report{Expired: 1, Scanned: 7, Kept: 5, NodeDead: 2, Leases: 2, Complete: true})
	w.wantLeft("api", "default", "live", "odd", "unleased")
	if rev := w.leaseRev(dead); rev != 0 {
		t.Errorf("the dead node's lease was not given back: rev %d", rev)
	}
	if rev := w.leaseRev(live); rev != 2 {
		t.Errorf("the living node's lease has rev %d", rev)
	}
	if len(w.asked) != 0 {
		t.Errorf("checked: %q", w.asked)
	}
}

func TestALeaseInItsFirstOrLastMomentHolds(t *testing.T) {
	w := newWorld(t)
	w.hold(dead, 30*time.Second)
	w.rows(2, dead, 0)
	w.now = w.now.Add(28 * time.Second)
	w.run(w.sweeper(), sweep.Report{Scanned: 2, Kept: 2, Leases: 1, Complete: true})

	// A node that has only just begun has revision 1.
	err := w.SaveRecord(t.Context(), sumu.Record{Kind: "lease", Key: live, Value: []byte("node"), Rev: 1, DeleteAt: w.now.Add(time.Minute)})
	if err != nil {
		t.Fatal(err)
	}
	w.row("live", live, 0)
	w.run(w.sweeper(), sweep.Report{Scanned: 3, Kept: 3, Leases: 2, Complete: true})
}

func TestWithoutLeasesNobodyIsDead(t *testing.T) {
	w := newWorld(t)
	w.rows(3, dead, time.Minute)
	s := w.sweeper(func(o *sweep.Options) { o.Leases, o.Leased = nil, nil })
	w.run(s, sweep.Report{Scanned: 3, Kept: 3, Complete: true})
}

// An old row of a node that lives is still asked about.
func TestALivingNodeIsChecked(t *testing.T) {
	w := newWorld(t)
	w.hold(live, time.Hour)
	w.rows(3, live, time.Hour/2)
	w.says["c001"] = gone()
	w.run(w.sweeper(), sweep.Report{Scanned: 3, Kept: 2, Gone: 1, Checked: 3, Leases: 1, Complete: true})
}

// between calls a func after each load of a lease.
type between struct {
	sumu.StateStore
	then func()
}

func (b between) LoadRecord(ctx context.Context, kind, key string) (sumu.Record, error) {
	r, err := b.StateStore.LoadRecord(ctx, kind, key)
	b.then()
	return r, err
}

func TestANodeThatComesBackFirstKeepsItsRows(t *testing.T) {
	w := newWorld(t)
	w.rows(3, dead, time.Minute)
	s := w.sweeper(func(o *sweep.Options) {
		o.Leases = between{w.Store, func() { w.hold(dead, time.Minute) }}
	})
	w.run(s, sweep.Report{Scanned: 3, Kept: 3, Leases: 1, Complete: true})
	if rev := w.leaseRev(dead); rev != 2 {
		t.Errorf("the node's lease has rev %d", rev)
	}
}

// slowPrune lets time pass with every removal, and notes the lease's revision
// and the time that is left of it.
type slowPrune struct {
	*world
	takes float64 // seconds
	least time.Duration
}

func (s *slowPrune) Prune(ctx context.Context, ref sumu.ConnectionRef, notAfter time.Time) (bool, error) {
	r, err := s.LoadRecord(ctx, "lease", dead)
	if err != nil || r.Rev != 1 {
		return false, fmt.Errorf("removed at rev %d: %w", r.Rev, err)
	}
	s.least = min(s.least, r.DeleteAt.Sub(s.now))
	s.now = s.now.Add(time.Duration(s.takes * float64(time.Second)))
	return s.world.Prune(ctx, ref, notAfter)
}

func TestALeaseIsNeverRenewedAndUsedInItsFirstThird(t *testing.T) {
	w := newWorld(t)
	w.rows(50, dead, time.Minute)
	store := &slowPrune{world: w, takes: 1.5, least: time.Hour}
	s, err := sweep.New(store, func(o *sweep.Options) {
		o.Takeover = -1
		o.Leases, o.Leased, o.Now = w.Store, sweep.NodesBelow(base), func() time.Time { return w.now }
	})
	if err != nil {
		t.Fatal(err)
	}
	// 14 rows fit into 20 s.
	w.run(s, sweep.Report{Scanned: 50, NodeDead: 50, Leases: 4, Complete: true})
	if store.least < 40*time.Second {
		t.Errorf("a row was removed %v before the end of the lease", store.least)
	}
	if rev := w.leaseRev(dead); rev != 0 {
		t.Errorf("the lease was not given back: rev %d", rev)
	}
}

// What may be another's by now is not given back.
func TestALeaseThatMayHaveExpiredIsLeft(t *testing.T) {
	w := newWorld(t)
	w.rows(1, dead, time.Minute)
	store := &slowPrune{world: w, takes: 50, least: time.Hour}
	s, err := sweep.New(store, func(o *sweep.Options) {
		o.Takeover = -1
		o.Leases, o.Leased, o.Now = w.Store, sweep.NodesBelow(base), func() time.Time { return w.now }
	})
	if err != nil {
		t.Fatal(err)
	}
	w.run(s, sweep.Report{Scanned: 1, NodeDead: 1, Leases: 1, Complete: true})
	if rev := w.leaseRev(dead); rev != 1 {
		t.Errorf("rev %d; it was given back", rev)
	}
	// Until it expires another sweep leaves that node alone; then it is free.
	w.row("late", dead, time.Minute)
	w.run(w.sweeper(), sweep.Report{Scanned: 1, Kept: 1, Leases: 1, Complete: true})
	w.now = w.now.Add(12 * time.Second)
	w.run(w.sweeper(), sweep.Report{Expired: 1, Scanned: 1, NodeDead: 1, Leases: 1, Complete: true})
}

type brokenState struct{ sumu.StateStore }

func (brokenState) LoadRecord(context.Context, string, string) (sumu.Record, error) {
	return sumu.Record{}, &sumu.Error{Op: "load", Kind: sumu.ErrUnavailable}
}

func TestALeaseThatCannotBeReadProvesNothing(t *testing.T) {
	w := newWorld(t)
	w.rows(3, dead, time.Hour)
	w.row("other", api, time.Hour)
	w.says["other"] = gone()
	r, _, err := w.sweeper(func(o *sweep.Options) { o.Leases = brokenState{w.Store} }).Run(t.Context(), sumu.Segment{})
	if want := (sweep.Report{Scanned: 4, Gone: 1, Failed: 3, Checked: 1, Leases: 1, Complete: true}); r != want || !errors.Is(err, sumu.ErrUnavailable) {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestLookupsSpendTheBudget(t *testing.T) {
	w := newWorld(t)
	for i := range 5 {
		w.row(fmt.Sprint("c", i), fmt.Sprintf("%s/node-abcdefghij%c22", base, 'a'+i), time.Minute)
	}
	r, next, err := w.sweeper(func(o *sweep.Options) { o.MaxChecks = 3 }).Run(t.Context(), sumu.Segment{})
	if want := (sweep.Report{Scanned: 3, NodeDead: 3, Leases: 3}); r != want || err != nil {
		t.Fatalf("%+v, %v", r, err)
	}
	r, _, err = w.sweeper(func(o *sweep.Options) { o.MaxChecks = 3 }).Run(t.Context(), next)
	if want := (sweep.Report{Scanned: 2, NodeDead: 2, Leases: 2, Complete: true}); r != want || err != nil {
		t.Fatalf("%+v, %v", r, err)
	}
}

func TestNodesBelow(t *testing.T) {
	leased := sweep.NodesBelow(base+"/", "", "http://10.0.0.1:8080")
	for endpoint, want := range map[string]bool{
		dead:                                     true,
		"http://10.0.0.1:8080/a-b-abcdefghijklm": true,
		base:                                     false,
		base + "/":                               false,
		base + "/node":                           false,
		base + "/-abcdefghijklm":                 false,
		base + "/node-abcdefghijkl1":             false,
		base + "/node-abcdefghijkl":              false,
		base + "/x/node-abcdefghijklm":           false,
		base + "x/node-abcdefghijklm":            false,
		api:                                      false,
		"/node-abcdefghijklm":                    false,
		"":                                       false,
	} {
		if got := leased(endpoint); got != want {
			t.Errorf("%q: %v", endpoint, got)
		}
	}
}

// The form of the endpoints is package gateway's.
func TestNodesBelowKnowsGateways(t *testing.T) {
	auth := sumu.AuthorizerFunc(func(context.Context, *sumu.ConnectRequest) (sumu.Identity, error) {
		return sumu.Identity{UserID: "ann"}, nil
	})
	store := new(memstore.Store)
	app, err := sumu.NewApp(auth, store)
	if err != nil {
		t.Fatal(err)
	}
	for _, leases := range []sumu.StateStore{nil, store} {
		gw, err := gateway.New(app, func(o *gateway.Options) { o.Endpoint, o.Node, o.Leases = base+"/", "eu-1.a_B", leases })
		if err != nil {
			t.Fatal(err)
		}
		if got := sweep.NodesBelow(base)(gw.Endpoint()); got != (leases != nil) {
			t.Errorf("%s: %v", gw.Endpoint(), got)
		}
		if err := gw.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	}
}
