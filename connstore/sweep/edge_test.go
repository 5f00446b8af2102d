package sweep_test

import (
	"context"
	"errors"
	"iter"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/sweep"
)

// The endpoint "" is the sender's default, and never a node's.
func TestTheDefaultEndpointIsNoNode(t *testing.T) {
	w := newWorld(t)
	w.row("default", "", time.Minute)
	s := w.sweeper(func(o *sweep.Options) { o.Leased = func(string) bool { return true } })
	w.run(s, sweep.Report{Scanned: 1, Kept: 1, Complete: true})
}

func TestLookupsAndChecksShareABudget(t *testing.T) {
	w := newWorld(t)
	w.hold(live, time.Hour)
	w.rows(5, live, time.Hour)
	r, _, err := w.sweeper(func(o *sweep.Options) { o.MaxChecks = 3 }).Run(t.Context(), sumu.Segment{})
	if want := (sweep.Report{Scanned: 2, Kept: 2, Checked: 2, Leases: 1}); r != want || err != nil {
		t.Errorf("%+v, %v", r, err)
	}
}

// sweepStore has its own SweepExpired.
type sweepStore struct {
	sumu.Store
	calls int
	sweep func(ctx context.Context) error
}

func (s *sweepStore) SweepExpired(ctx context.Context, _ int) (int, error) {
	s.calls++
	return 0, s.sweep(ctx)
}

func TestExpiredRowsLeaveTimeForTheScan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.rows(5, api, 0)
		store := &sweepStore{Store: w.Store, sweep: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}
		s, err := sweep.New(store)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 12*time.Second)
		defer cancel()
		began := time.Now()
		r, _, err := s.Run(ctx, sumu.Segment{})
		if want := (sweep.Report{Scanned: 5, Kept: 5, Complete: true}); r != want || err != nil {
			t.Errorf("%+v, %v", r, err)
		}
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

func TestTheFirstSegmentAloneSweepsExpiredRows(t *testing.T) {
	w := newWorld(t)
	w.rows(50, api, 0)
	store := &sweepStore{Store: w.Store, sweep: func(context.Context) error { return sumu.ErrThrottled }}
	s, err := sweep.New(store)
	if err != nil {
		t.Fatal(err)
	}
	scanned := 0
	for i := range 4 {
		r, _, err := s.Run(t.Context(), sumu.Segment{Index: i, Count: 4})
		if (i == 0) != errors.Is(err, sumu.ErrThrottled) || !r.Complete {
			t.Errorf("segment %d: %+v, %v", i, r, err)
		}
		scanned += r.Scanned
	}
	if store.calls != 1 || scanned != 50 {
		t.Errorf("%d sweeps, %d rows", store.calls, scanned)
	}
}

// picky refuses to go on behind any row.
type picky struct{ sumu.Store }

func (p picky) All(ctx context.Context, seg sumu.Segment) iter.Seq2[sumu.Connection, error] {
	if seg.After == (sumu.ConnectionRef{}) {
		return p.Store.All(ctx, seg)
	}
	return func(yield func(sumu.Connection, error) bool) { yield(sumu.Connection{}, sumu.ErrInvalid) }
}

func TestAPositionThatIsRefusedIsGivenUp(t *testing.T) {
	w := newWorld(t)
	w.rows(3, api, time.Hour)
	s, err := sweep.New(picky{w.Store}, func(o *sweep.Options) {
		o.Check, o.MaxChecks, o.Positions, o.Now = w, 2, w.Store, func() time.Time { return w.now }
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{2, 2, 4} { // stopped; refused; from the beginning
		err := s.Sweep(t.Context())
		if (i == 1) != errors.Is(err, sumu.ErrInvalid) || len(w.asked) != want {
			t.Errorf("sweep %d: %v, %d checks, want %d", i, err, len(w.asked), want)
		}
	}
}

// Another Sweep ends first, and keeps its position.
func TestTwoSweepsAtATime(t *testing.T) {
	w := newWorld(t)
	w.rows(3, api, time.Hour)
	other := w.sweeper(func(o *sweep.Options) { o.MaxRows, o.Positions = 2, w.Store })
	nested := false
	s := w.sweeper(func(o *sweep.Options) {
		o.Positions = w.Store
		o.Check = sweep.CheckerFunc(func(ctx context.Context, _ sumu.Connection) error {
			if !nested {
				nested = true
				return other.Sweep(ctx)
			}
			return nil
		})
	})
	if err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	r, err := w.LoadRecord(t.Context(), "sweep", "positions")
	if err != nil || r.Rev != 1 {
		t.Errorf("the position has rev %d, %v", r.Rev, err)
	}
	if w.asked = nil; other.Sweep(t.Context()) != nil || len(w.asked) != 1 {
		t.Errorf("the next sweep checked %q", w.asked)
	}
}

// saveOnly counts the writes of a store that cannot be read.
type saveOnly struct {
	brokenState
	saves int
}

func (s *saveOnly) SaveRecord(context.Context, sumu.Record) error { s.saves++; return nil }

func TestAPositionThatWasNotReadIsNotWritten(t *testing.T) {
	w := newWorld(t)
	state := &saveOnly{}
	if err := w.sweeper(func(o *sweep.Options) { o.Positions = state }).Sweep(t.Context()); !errors.Is(err, sumu.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	if state.saves != 0 {
		t.Error("a position was written over one that nobody has read")
	}
}

func TestOfManyFailuresAFewAreReturned(t *testing.T) {
	w := newWorld(t)
	w.rows(100, api, time.Hour)
	for _, id := range w.left() {
		w.says[id] = errRefused
	}
	r, _, err := w.sweeper().Run(t.Context(), sumu.Segment{})
	var joined interface{ Unwrap() []error }
	var e *sumu.Error
	if !errors.As(err, &e) || !errors.As(e.Err, &joined) || len(joined.Unwrap()) != 8 || r.Failed != 100 {
		t.Errorf("%+v, %v", r, err)
	}
}

func BenchmarkRunYoungRows(b *testing.B) {
	store := newWorld(nil).Store
	now := store.Now()
	for i := range 10_000 {
		id := string(rune('a'+i%26)) + time.Duration(i).String()
		if err := store.Put(b.Context(), sumu.Connection{UserID: id, ID: id, Endpoint: api, ConnectedAt: now}); err != nil {
			b.Fatal(err)
		}
	}
	s, err := sweep.New(store, func(o *sweep.Options) {
		o.Now, o.Leases, o.Leased = store.Now, store, sweep.NodesBelow(base)
		o.Check = sweep.CheckerFunc(func(context.Context, sumu.Connection) error { return nil })
	})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if r, _, err := s.Run(b.Context(), sumu.Segment{}); err != nil || r.Kept != 10_000 {
			b.Fatal(r, err)
		}
	}
}
