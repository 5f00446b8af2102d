package presence_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/connstore/storetest"
	"github.com/sumu-live/sumu/presence"
)

// TestRunRandomly lets users come, go and expire while two watchers run over
// one store, their publisher fails, and they are stopped and started. The
// events must be exact all the same. The scheduling is the runtime's, so here
// a seed does not repeat a failure: TestModel does.
func TestRunRandomly(t *testing.T) {
	seeds := 40
	if testing.Short() {
		seeds = 4
	}
	for seed := range seeds {
		inBubble(t, func(t *testing.T) { runRandomly(t, rand.New(rand.NewPCG(uint64(seed), 0))) })
		if t.Failed() {
			t.Fatalf("with seed %d", seed)
		}
	}
}

func runRandomly(t *testing.T, rng *rand.Rand) {
	s := new(memstore.Store)
	j := &journal{seen: make(map[string][]sumu.PresenceEvent), rng: rand.New(rand.NewPCG(rng.Uint64(), 0))}
	j.failures = []int{0, 10, 50}[rng.IntN(3)]
	grace := []time.Duration{0, 3 * time.Second}[rng.IntN(2)]
	var ends []func() error
	start := func() {
		w := newWatcher(t, s, j, func(o *presence.Options) {
			o.Grace = grace
			o.SweepEvery = time.Second
			o.ReconcileEvery = 30 * time.Second
			o.Concurrency = 1 + rng.IntN(4)
			o.RetryMax = time.Second
		})
		// Records come late, twice and in any order.
		ends = append(ends, run(t, w, storetest.Reordering(s, rng.Uint64())))
	}
	stop := func() {
		if err := ends[0](); err != nil {
			t.Errorf("Run: %v", err)
		}
		ends = ends[1:]
	}
	start()
	start()
	users := []string{"a", "b", "c", "d"}
	for range 200 {
		u, id := users[rng.IntN(len(users))], strconv.Itoa(rng.IntN(3))
		switch p := rng.IntN(100); {
		case p < 40:
			c := sumu.Connection{UserID: u, ID: id}
			if p < 30 {
				c.DeleteAt = time.Now().Add(time.Duration(1+rng.IntN(60)) * time.Second)
			}
			if err := s.Put(t.Context(), c); err != nil {
				t.Fatal(err)
			}
		case p < 80:
			disconnect(t, s, u, id)
		case p < 85:
			stop()
			start()
		case p < 92:
			synctest.Wait()
		default:
			time.Sleep(time.Duration(rng.IntN(5000)) * time.Millisecond)
		}
	}
	j.calm()
	after(2 * time.Minute) // Every expiry, pause, grace and reconciliation is over.
	for _, u := range users {
		live, err := s.HasLive(t.Context(), u)
		if err != nil {
			t.Fatal(err)
		}
		events := j.seen[u]
		if online := len(events)%2 == 1; online != live {
			t.Errorf("%s: connected is %v after %d events", u, live, len(events))
		}
		if p := row(t, s, u); p.Version != int64(len(events)) || p.Announced != p.Version {
			t.Errorf("%s: %d events, but the row is %+v", u, len(events), p)
		}
	}
	stop()
	stop()
	for _, fault := range j.faults {
		t.Error(fault)
	}
}

// journal is a publisher that fails now and then, before or after it accepts,
// and checks what it accepts.
type journal struct {
	mu       sync.Mutex
	rng      *rand.Rand
	failures int // of 100
	seen     map[string][]sumu.PresenceEvent
	faults   []string
}

func (j *journal) calm() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.failures = 0
}

func (j *journal) PublishPresence(ctx context.Context, e sumu.PresenceEvent) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.rng.IntN(100) < j.failures {
		return errDown
	}
	events := j.seen[e.UserID]
	wantStatus := []sumu.Status{sumu.Offline, sumu.Online}[e.Version%2]
	switch n := int64(len(events)); {
	case e.Version <= n:
		if !slices.Contains(events, e) {
			j.faults = append(j.faults, e.ID()+" differs from its first publication")
		}
	case e.Version != n+1:
		j.faults = append(j.faults, e.ID()+" follows version "+strconv.FormatInt(n, 10))
	case e.Status != wantStatus:
		j.faults = append(j.faults, e.ID()+" is "+string(e.Status))
	case n > 0 && !e.At.After(events[n-1].At):
		j.faults = append(j.faults, e.ID()+" is not after the one before")
	default:
		j.seen[e.UserID] = append(events, e)
	}
	if j.rng.IntN(100) < j.failures {
		return errDown // The answer is lost.
	}
	return ctx.Err()
}
