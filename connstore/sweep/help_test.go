package sweep_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/connstore/sweep"
)

const (
	base = "https://nodes.example.com/prod"
	dead = base + "/node-abcdefghij234"
	live = base + "/node-zzzzzzzzzz777"
	api  = "https://abc.execute-api.eu-west-1.amazonaws.com/prod"
)

// world is a memstore whose clock stands still until it is moved.
type world struct {
	*memstore.Store
	t     *testing.T
	now   time.Time
	asked []string         // connection ids, in order
	says  map[string]error // what Check says of an id; nil: it exists
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, now: time.UnixMilli(1_700_000_000_123), says: make(map[string]error)}
	w.Store = &memstore.Store{Now: func() time.Time { return w.now }}
	return w
}

func (w *world) Check(_ context.Context, c sumu.Connection) error {
	w.asked = append(w.asked, c.ID)
	return w.says[c.ID]
}

// sweeper checks with w, and knows the leases of the nodes below base.
func (w *world) sweeper(optFns ...func(*sweep.Options)) *sweep.Sweeper {
	w.t.Helper()
	s, err := sweep.New(w.Store, append([]func(*sweep.Options){func(o *sweep.Options) {
		o.Check, o.Leases, o.Leased, o.Now = w, w.Store, sweep.NodesBelow(base), func() time.Time { return w.now }
		o.Takeover = -1 // The clock stands still.
	}}, optFns...)...)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// row puts a row of that age; its user has the same name.
func (w *world) row(id, endpoint string, age time.Duration) sumu.Connection {
	w.t.Helper()
	c := sumu.Connection{UserID: id, ID: id, Endpoint: endpoint, ConnectedAt: w.now.Add(-age), DeleteAt: w.now.Add(2 * time.Hour)}
	if err := w.Put(w.t.Context(), c); err != nil {
		w.t.Fatal(err)
	}
	return c
}

func (w *world) rows(n int, endpoint string, age time.Duration) {
	for i := range n {
		w.row(fmt.Sprintf("c%03d", i), endpoint, age)
	}
}

// left returns the ids of the rows that are left, sorted.
func (w *world) left() []string {
	w.t.Helper()
	ids := []string{}
	for c, err := range w.All(w.t.Context(), sumu.Segment{}) {
		if err != nil {
			w.t.Fatal(err)
		}
		ids = append(ids, c.ID)
	}
	slices.Sort(ids)
	return ids
}

func (w *world) wantLeft(ids ...string) {
	w.t.Helper()
	if got := w.left(); !slices.Equal(got, ids) {
		w.t.Errorf("rows left: %q, want %q", got, ids)
	}
}

// hold writes a lease as a node does, in two revisions.
func (w *world) hold(endpoint string, ttl time.Duration) {
	w.t.Helper()
	for rev := range int64(2) {
		err := w.SaveRecord(w.t.Context(), sumu.Record{Kind: "lease", Key: endpoint, Value: []byte("node"), Rev: rev + 1, DeleteAt: w.now.Add(ttl)})
		if err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *world) leaseRev(endpoint string) int64 {
	w.t.Helper()
	r, err := w.LoadRecord(w.t.Context(), "lease", endpoint)
	if err != nil {
		w.t.Fatal(err)
	}
	return r.Rev
}

// run runs the whole table and wants a report.
func (w *world) run(s *sweep.Sweeper, want sweep.Report) {
	w.t.Helper()
	got, next, err := s.Run(w.t.Context(), sumu.Segment{})
	if err != nil {
		w.t.Errorf("Run: %v", err)
	}
	if got != want {
		w.t.Errorf("report\n%+v, want\n%+v", got, want)
	}
	if got.Complete != (next == sumu.Segment{}) {
		w.t.Errorf("Complete is %v, but the next run begins at %+v", got.Complete, next)
	}
	w.adds(got)
}

func (w *world) adds(r sweep.Report) {
	w.t.Helper()
	if r.Scanned != r.Kept+r.Gone+r.NodeDead+r.Failed {
		w.t.Errorf("the report does not add up: %+v", r)
	}
}

var errRefused = errors.New("connection refused")

func gone() error { return &sumu.Error{Op: "get", Kind: sumu.ErrGone} }
