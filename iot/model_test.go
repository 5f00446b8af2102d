package iot_test

import (
	"context"
	"errors"
	"iter"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/iot"
)

// TestModel walks through lives of one client: it connects and disconnects, its
// versions restart, its events come in any order, twice, and to several workers,
// of which only one at a time takes a step, any of them, and any may fail before
// or after it. Whenever all events have been handled the row is what the last
// one says.
func TestModel(t *testing.T) {
	walks := 500
	if os.Getenv("SUMU_SLOW") == "1" {
		walks = 200_000
	}
	seed := rand.Uint64()
	if s := os.Getenv("SUMU_SEED"); s != "" { // One walk again.
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
		walks = 1
	}
	for range walks {
		walk(t, seed)
		if t.Failed() {
			t.Fatalf("walk again with SUMU_SEED=%d", seed)
		}
		seed++
	}
}

// lifeOf returns a client's events as they happened, with clocks that are up to
// two minutes wrong.
func lifeOf(r *rand.Rand, id string) []iot.Event {
	at := time.Now().Add(-20 * time.Hour)
	stamp := func() time.Time {
		return at.Add(time.Duration(r.Int64N(int64(4*time.Minute))) - 2*time.Minute).Truncate(time.Millisecond)
	}
	var life []iot.Event
	version := r.Int64N(2)
	for range 1 + r.IntN(5) {
		life = append(life, iot.Event{ClientID: id, Connected: true, Version: version, At: stamp()})
		at = at.Add(oneOf(r, time.Millisecond, time.Second, 10*time.Minute, 90*time.Minute))
		life = append(life, iot.Event{ClientID: id, Version: version, At: stamp()})
		gap := oneOf(r, time.Millisecond, time.Minute, 50*time.Minute, time.Hour, 2*time.Hour)
		at = at.Add(gap)
		version += 1 + r.Int64N(3)
		if gap > time.Hour || gap == time.Hour && r.IntN(2) == 0 { // About an hour.
			version = 0
		}
	}
	if r.IntN(2) == 0 {
		life = life[:len(life)-1]
	}
	return life
}

func oneOf[T any](r *rand.Rand, choices ...T) T { return choices[r.IntN(len(choices))] }

func walk(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 0))
	id := "ann" + random
	life := lifeOf(r, id)
	queue := slices.Clone(life)
	for range r.IntN(4) {
		queue = append(queue, oneOf(r, life...))
	}
	r.Shuffle(len(queue), func(i, j int) { queue[i], queue[j] = queue[j], queue[i] })

	rows := new(memstore.Store)
	store := &stepStore{Store: rows, r: r, faults: r.IntN(12)}
	l, err := iot.NewLifecycle(store, store)
	if err != nil {
		t.Fatal(err)
	}
	var working []*worker
	for len(queue)+len(working) > 0 {
		if len(queue) > 0 && len(working) < 4 && (len(working) == 0 || r.IntN(3) == 0) {
			working = append(working, newWorker(t.Context(), l, queue[0]))
			queue = queue[1:]
			continue
		}
		i := r.IntN(len(working))
		w := working[i]
		if _, more := w.next(); more {
			continue
		}
		working = slices.Delete(working, i, i+1)
		if w.err != nil {
			if !errors.Is(w.err, errFault) && !errors.Is(w.err, sumu.ErrConflict) {
				t.Error(w.err)
				return
			}
			queue = append(queue, w.event) // It comes again.
		}
	}
	last := life[len(life)-1]
	c, err := rows.Get(t.Context(), sumu.ConnectionRef{UserID: "ann", ConnectionID: id})
	if is := err == nil; is != last.Connected || is && !c.ConnectedAt.Equal(last.At) {
		t.Errorf("the last event is %+v, the row %+v, %v; all were %+v", last, c, err, life)
	}
}

// worker handles one event, step by step.
type worker struct {
	event iot.Event
	err   error
	next  func() (struct{}, bool)
}

type stepKey struct{}

func newWorker(ctx context.Context, l *iot.Lifecycle, e iot.Event) *worker {
	w := &worker{event: e}
	w.next, _ = iter.Pull(func(yield func(struct{}) bool) {
		w.err = l.Apply(context.WithValue(ctx, stepKey{}, yield), e)
	})
	return w
}

var errFault = errors.New("fault")

// stepStore gives others a turn before and after every call, and fails some.
type stepStore struct {
	*memstore.Store
	r      *rand.Rand
	faults int // still to come
}

func (s *stepStore) step(ctx context.Context, do func() error) error {
	yield, _ := ctx.Value(stepKey{}).(func(struct{}) bool)
	yield(struct{}{})
	fault := s.faults > 0 && s.r.IntN(6) == 0
	if fault {
		s.faults--
		if s.r.IntN(2) == 0 {
			return errFault
		}
	}
	err := do()
	if yield(struct{}{}); fault {
		return errFault // Done, but nobody was told.
	}
	return err
}

func (s *stepStore) Put(ctx context.Context, c sumu.Connection) error {
	return s.step(ctx, func() error { return s.Store.Put(ctx, c) })
}

func (s *stepStore) Delete(ctx context.Context, ref sumu.ConnectionRef) error {
	return s.step(ctx, func() error { return s.Store.Delete(ctx, ref) })
}

func (s *stepStore) SaveRecord(ctx context.Context, r sumu.Record) error {
	return s.step(ctx, func() error { return s.Store.SaveRecord(ctx, r) })
}

func (s *stepStore) LoadRecord(ctx context.Context, kind, key string) (r sumu.Record, err error) {
	err = s.step(ctx, func() (err error) { r, err = s.Store.LoadRecord(ctx, kind, key); return err })
	return r, err
}
