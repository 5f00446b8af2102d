package sweep_test

import (
	"context"
	"errors"
	"iter"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/sweep"
)

func TestExpiredRowsAreRemoved(t *testing.T) {
	w := newWorld(t)
	w.rows(5, api, 0)
	w.now = w.now.Add(2*time.Hour + time.Second)
	w.row("young", api, 0)
	w.run(w.sweeper(func(o *sweep.Options) { o.KeepExpired = true }), sweep.Report{Scanned: 1, Kept: 1, Complete: true})
	w.run(w.sweeper(func(o *sweep.Options) { o.MaxRemovals = 3 }), sweep.Report{Expired: 3, Scanned: 1, Kept: 1, Complete: true})
	w.run(w.sweeper(), sweep.Report{Expired: 2, Scanned: 1, Kept: 1, Complete: true})
	w.run(w.sweeper(), sweep.Report{Scanned: 1, Kept: 1, Complete: true})
	w.wantLeft("young")
}

func TestOnlyAnOldRowThatIsGoneIsRemoved(t *testing.T) {
	w := newWorld(t)
	const bound = 15 * time.Minute
	w.row("old-gone", api, bound+time.Millisecond)
	w.row("old-open", "", 24*time.Hour)
	w.row("young-gone", api, bound)
	w.row("no-date-gone", api, 0)
	c := w.row("no-date-gone", api, 0)
	c.ConnectedAt = time.Time{}
	if err := w.Put(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"old-gone", "young-gone", "no-date-gone"} {
		w.says[id] = gone()
	}
	w.run(w.sweeper(), sweep.Report{Scanned: 4, Kept: 2, Gone: 2, Checked: 3, Complete: true})
	w.wantLeft("old-open", "young-gone")
	if slices.Contains(w.asked, "young-gone") {
		t.Error("a young row was checked")
	}
}

func TestWhatProvesNothing(t *testing.T) {
	for name, err := range map[string]error{
		"refused":               errRefused,
		"forbidden":             &sumu.Error{Kind: sumu.ErrForbidden},
		"throttled":             sumu.ErrThrottled,
		"unavailable, gone":     &sumu.Error{Kind: sumu.ErrUnavailable, Err: sumu.ErrGone},
		"forbidden, gone":       &sumu.Error{Kind: sumu.ErrForbidden, Err: sumu.ErrGone},
		"gone joined with more": errors.Join(sumu.ErrGone, errRefused),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.rows(3, api, time.Hour)
			w.says["c001"], w.says["c002"] = err, gone()
			got, _, runErr := w.sweeper().Run(t.Context(), sumu.Segment{})
			if want := (sweep.Report{Scanned: 3, Kept: 1, Gone: 1, Failed: 1, Checked: 3, Complete: true}); got != want {
				t.Errorf("report\n%+v, want\n%+v", got, want)
			}
			if !errors.Is(runErr, err) {
				t.Errorf("Run returned %v", runErr)
			}
			w.wantLeft("c000", "c001")
		})
	}
}

func TestAPanicIsOneRowsFailure(t *testing.T) {
	w := newWorld(t)
	w.rows(3, api, time.Hour)
	s := w.sweeper(func(o *sweep.Options) {
		o.Check = sweep.CheckerFunc(func(_ context.Context, c sumu.Connection) error {
			if c.ID == "c001" {
				panic(sumu.ErrGone)
			}
			return gone()
		})
	})
	got, _, err := s.Run(t.Context(), sumu.Segment{})
	if want := (sweep.Report{Scanned: 3, Gone: 2, Failed: 1, Checked: 3, Complete: true}); got != want {
		t.Errorf("report\n%+v, want\n%+v", got, want)
	}
	var p *sumu.PanicError
	if !errors.As(err, &p) {
		t.Errorf("Run returned %v", err)
	}
	w.wantLeft("c001")
}

// Between check and removal the connection's row is written anew.
func TestARowThatWasReplacedStays(t *testing.T) {
	w := newWorld(t)
	w.row("c", api, time.Hour)
	s := w.sweeper(func(o *sweep.Options) {
		o.Check = sweep.CheckerFunc(func(context.Context, sumu.Connection) error {
			w.row("c", api, time.Second)
			return gone()
		})
	})
	w.run(s, sweep.Report{Scanned: 1, Kept: 1, Checked: 1, Complete: true})
	w.wantLeft("c")
}

func TestBudgetsAndResume(t *testing.T) {
	const rows = 25
	tests := map[string]struct {
		opts func(*sweep.Options)
		runs int
	}{
		"checks":   {func(o *sweep.Options) { o.MaxChecks = 10 }, 3},
		"removals": {func(o *sweep.Options) { o.MaxRemovals = 10 }, 3},
		"rows":     {func(o *sweep.Options) { o.MaxRows = 10 }, 3},
		"one":      {func(o *sweep.Options) { o.MaxChecks = 1 }, rows},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.rows(rows, api, time.Hour)
			for _, id := range w.left() {
				w.says[id] = gone()
			}
			var seg sumu.Segment
			runs := 0
			for {
				r, next, err := w.sweeper(tt.opts).Run(t.Context(), seg)
				if err != nil {
					t.Fatal(err)
				}
				w.adds(r)
				if runs++; r.Complete {
					break
				}
				if r.Gone == 0 || next == seg || runs > rows {
					t.Fatalf("run %d did nothing: %+v", runs, r)
				}
				seg = next
			}
			if runs != tt.runs || len(w.asked) != rows {
				t.Errorf("%d runs and %d checks; want %d and %d", runs, len(w.asked), tt.runs, rows)
			}
			w.wantLeft()
		})
	}
}

// A failing removal spends its budget too: a store that is down is not hammered.
func TestFailedRemovalsSpendTheBudget(t *testing.T) {
	w := newWorld(t)
	w.rows(20, api, time.Hour)
	for _, id := range w.left() {
		w.says[id] = gone()
	}
	s, err := sweep.New(brokenPrune{w.Store}, func(o *sweep.Options) {
		o.Check, o.MaxRemovals, o.Now = w, 12, func() time.Time { return w.now }
	})
	if err != nil {
		t.Fatal(err)
	}
	r, _, err := s.Run(t.Context(), sumu.Segment{})
	if want := (sweep.Report{Scanned: 12, Failed: 12, Checked: 12}); r != want || !errors.Is(err, sumu.ErrUnavailable) {
		t.Errorf("%+v, %v", r, err)
	}
}

type brokenPrune struct{ sumu.Store }

func (brokenPrune) Prune(context.Context, sumu.ConnectionRef, time.Time) (bool, error) {
	return false, &sumu.Error{Kind: sumu.ErrUnavailable}
}

// brokenAll yields some rows and then an error.
type brokenAll struct {
	sumu.Store
	after int
}

func (b brokenAll) All(ctx context.Context, seg sumu.Segment) iter.Seq2[sumu.Connection, error] {
	return func(yield func(sumu.Connection, error) bool) {
		n := 0
		for c, err := range b.Store.All(ctx, seg) {
			if n++; n > b.after {
				yield(sumu.Connection{}, sumu.ErrUnavailable)
				return
			}
			if !yield(c, err) {
				return
			}
		}
	}
}

func TestAScanThatFailsIsResumed(t *testing.T) {
	w := newWorld(t)
	w.rows(10, api, 0)
	s, err := sweep.New(brokenAll{w.Store, 4})
	if err != nil {
		t.Fatal(err)
	}
	var seg sumu.Segment
	for _, want := range []int{4, 4, 2} {
		var r sweep.Report
		r, seg, err = s.Run(t.Context(), seg)
		if r.Scanned != want || r.Complete != (err == nil) || err != nil && !errors.Is(err, sumu.ErrUnavailable) {
			t.Fatalf("%+v, %v; want %d rows", r, err, want)
		}
	}
	if err != nil {
		t.Error(err)
	}
}

func TestAHangingCheckHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.rows(4, api, time.Hour)
		began := time.Now()
		s := w.sweeper(func(o *sweep.Options) {
			o.CheckTimeout = 3 * time.Second
			o.Check = sweep.CheckerFunc(func(ctx context.Context, c sumu.Connection) error {
				<-ctx.Done()
				return ctx.Err()
			})
		})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second) // Of which 2 s are reserved.
		defer cancel()
		r, next, err := s.Run(ctx, sumu.Segment{})
		if took := time.Since(began); took != 8*time.Second {
			t.Errorf("it took %v", took)
		}
		if want := (sweep.Report{Scanned: 3, Failed: 3, Checked: 3}); r != want || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%+v, %v", r, err)
		}
		// The third was cut short by the end of the run: it is passed over too.
		r, _, err = s.Run(t.Context(), next)
		if want := (sweep.Report{Scanned: 1, Failed: 1, Checked: 1, Complete: true}); r != want || err == nil {
			t.Errorf("%+v, %v", r, err)
		}
		if n := len(w.left()); n != 4 {
			t.Errorf("%d rows are left", n)
		}
	})
}

func TestTheReserveIsNoError(t *testing.T) {
	w := newWorld(t)
	w.rows(4, api, time.Hour)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r, next, err := w.sweeper(func(o *sweep.Options) { o.Reserve = time.Hour }).Run(ctx, sumu.Segment{})
	if err != nil || r != (sweep.Report{}) || next != (sumu.Segment{}) {
		t.Errorf("%+v, %+v, %v", r, next, err)
	}
}

func TestACancelledContext(t *testing.T) {
	w := newWorld(t)
	w.rows(4, api, time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	s := w.sweeper(func(o *sweep.Options) {
		o.Check = sweep.CheckerFunc(func(context.Context, sumu.Connection) error { cancel(); return nil })
	})
	r, next, err := s.Run(ctx, sumu.Segment{})
	if r.Scanned != 1 || r.Complete || next.After == (sumu.ConnectionRef{}) || !errors.Is(err, context.Canceled) {
		t.Errorf("%+v, %+v, %v", r, next, err)
	}
}

func TestASegmentThatDoesNotExist(t *testing.T) {
	_, _, err := newWorld(t).sweeper().Run(t.Context(), sumu.Segment{Index: 2, Count: 2})
	if !errors.Is(err, sumu.ErrInvalid) {
		t.Errorf("got %v", err)
	}
}

func TestNewRefuses(t *testing.T) {
	_, err := sweep.New(nil, func(o *sweep.Options) {
		o.OlderThan, o.CheckTimeout, o.Segments, o.Leased = time.Second, -1, 17, sweep.NodesBelow(base)
	})
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok || len(joined.Unwrap()) != 5 || !errors.Is(err, sumu.ErrInvalid) {
		t.Errorf("got %v", err)
	}
}
