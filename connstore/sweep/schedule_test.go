package sweep_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/awslambda"
	"github.com/sumu-live/sumu/connstore/sweep"
	"github.com/sumu-live/sumu/internal/leak"
	"github.com/sumu-live/sumu/presence"
)

// Every Sweep has another Sweeper, as a Lambda has that starts anew; the record
// lets it go on. Without it every one begins anew, unless the Sweeper lives on.
func TestSweepGoesOnWhereItStopped(t *testing.T) {
	leak.Check(t)
	for name, tt := range map[string]struct {
		keeps, anew bool
		rounds      int
	}{
		"record, anew":   {keeps: true, anew: true, rounds: 2},
		"record":         {keeps: true, rounds: 2},
		"memory":         {rounds: 2},
		"nothing at all": {anew: true, rounds: 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.rows(20, api, time.Hour) // They all exist, and stay.
			fresh := func() *sweep.Sweeper {
				return w.sweeper(func(o *sweep.Options) {
					if o.MaxChecks = 5; tt.keeps {
						o.Positions = w.Store
					}
				})
			}
			s := fresh()
			for range 8 + 2 { // 4 full runs, and one that finds the end, per round.
				if tt.anew {
					s = fresh()
				}
				if err := s.Sweep(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			times := map[string]int{}
			for _, id := range w.asked {
				times[id]++
			}
			if tt.rounds == 2 && len(times) != 20 || tt.rounds == 1 && len(times) != 5 {
				t.Errorf("%d rows were checked: %v", len(times), times)
			}
		})
	}
}

// The segments of a Sweep share what they know of nodes, and one lease.
func TestSweepOfSegments(t *testing.T) {
	leak.Check(t)
	w := newWorld(t)
	w.rows(500, dead, time.Minute)
	s := w.sweeper(func(o *sweep.Options) { o.Segments, o.Positions = 8, w.Store })
	if err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.wantLeft()
	if rev := w.leaseRev(dead); rev != 0 {
		t.Errorf("the lease was not given back: rev %d", rev)
	}
}

func TestAPositionThatCannotBeRead(t *testing.T) {
	w := newWorld(t)
	w.rows(3, api, time.Hour)
	s := w.sweeper(func(o *sweep.Options) { o.Positions = brokenState{w.Store} })
	if err := s.Sweep(t.Context()); !errors.Is(err, sumu.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	if len(w.asked) != 3 {
		t.Errorf("checked %q", w.asked)
	}
}

// The entrypoint of a schedule; and a user whose last row is swept is OFFLINE.
func TestPresenceGoesOfflineAfterASweep(t *testing.T) {
	leak.Check(t)
	w := newWorld(t)
	var events []string
	watcher, err := presence.New(w.Store, sumu.PresencePublisherFunc(func(_ context.Context, e sumu.PresenceEvent) error {
		events = append(events, e.UserID+" "+string(e.Status))
		return nil
	}), func(o *presence.Options) { o.Now = func() time.Time { return w.now } })
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	feed := w.Changes(ctx)
	observe := func(users int) {
		t.Helper()
		n := 0
		for c := range feed {
			if _, err := watcher.Observe(ctx, c); err != nil {
				t.Fatal(err)
			}
			if n++; n == users {
				break
			}
		}
		slices.Sort(events)
	}
	w.row("gone", api, time.Hour)
	w.row("node", dead, time.Minute)
	w.row("open", api, time.Hour)
	observe(3)
	if want := []string{"gone ONLINE", "node ONLINE", "open ONLINE"}; !slices.Equal(events, want) {
		t.Fatalf("events %q", events)
	}
	events, w.says["gone"] = nil, gone()

	feed = w.Changes(ctx)
	schedule, err := awslambda.NewSchedule(w.sweeper().Sweep)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := schedule.Invoke(ctx, []byte(`{"source":"aws.scheduler","detail-type":"Scheduled Event","detail":{}}`)); err != nil {
		t.Fatal(err)
	}
	observe(2)
	if want := []string{"gone OFFLINE", "node OFFLINE"}; !slices.Equal(events, want) {
		t.Errorf("events %q, want %q", events, want)
	}
	w.wantLeft("open")
}
