package pusher_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/pusher"
)

var everyone = sumu.Notification{ID: "n", Everyone: true, Data: json.RawMessage(`1`)}

func TestOneFailureStopsNobody(t *testing.T) {
	for name, fault := range map[string]error{
		"gone":      sumu.ErrGone,
		"throttled": sumu.ErrThrottled,
		"too large": sumu.ErrTooLarge,
		"unknown":   errors.New("connection reset"),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := new(memstore.Store)
				fill(t, store, 100, 2)
				s := &sender{respond: func(_ context.Context, c sumu.Connection, _ int) error {
					if c.UserID == "u7" {
						return fault
					}
					return nil
				}}
				r := push(t, newPusher(t, store, s), everyone)
				if r.Targets != 200 || r.Delivered != 198 {
					t.Errorf("result %+v; want 198 of 200 delivered", r)
				}
			})
		})
	}
}

func TestPrune(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := new(memstore.Store)
		now := time.Now()
		for id, connected := range map[string]time.Time{
			"old":     now.Add(-time.Minute),
			"young":   now.Add(-time.Second),
			"unknown": {},
		} {
			if err := store.Put(t.Context(), sumu.Connection{UserID: "ann", ID: id, ConnectedAt: connected}); err != nil {
				t.Fatal(err)
			}
		}
		put(t, store, "bob", "open")
		s := &sender{respond: func(_ context.Context, c sumu.Connection, _ int) error {
			if c.UserID == "ann" {
				return &sumu.Error{Op: "post " + c.ID, Kind: sumu.ErrGone}
			}
			return nil
		}}
		r := push(t, newPusher(t, store, s), everyone)
		if r.Gone != 3 || r.Delivered != 1 || r.Err != nil {
			t.Errorf("result %+v; want 3 gone and 1 delivered", r)
		}
		for id, want := range map[string]bool{"old": false, "young": true, "unknown": false} {
			_, err := store.Get(t.Context(), sumu.ConnectionRef{UserID: "ann", ConnectionID: id})
			if got := err == nil; got != want {
				t.Errorf("row %s is there: %t; want %t", id, got, want)
			}
		}
	})
}

type pruneFails struct{ *memstore.Store }

func (pruneFails) Prune(context.Context, sumu.ConnectionRef, time.Time) (bool, error) {
	return false, sumu.ErrUnavailable
}

func TestPruneThatFailsIsNotThePushs(t *testing.T) {
	store := pruneFails{new(memstore.Store)}
	fill(t, store, 2, 1)
	var observed atomic.Int32
	s := &sender{respond: func(context.Context, sumu.Connection, int) error { return sumu.ErrGone }}
	p := newPusher(t, store, s, func(o *pusher.Options) {
		o.Observer.Pruned = func(_ context.Context, _ sumu.ConnectionRef, err error) {
			if errors.Is(err, sumu.ErrUnavailable) {
				observed.Add(1)
			}
		}
	})
	if r := push(t, p, everyone); r.Gone != 2 || r.Err != nil || observed.Load() != 2 {
		t.Errorf("result %+v, %d prunes observed; want 2 gone, no error, 2", r, observed.Load())
	}
}

func TestRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := new(memstore.Store)
		fill(t, store, 10, 1)
		s := &sender{respond: func(_ context.Context, c sumu.Connection, try int) error {
			switch {
			case c.UserID == "u1" && try < 3:
				return sumu.ErrThrottled
			case c.UserID == "u2":
				return sumu.ErrThrottled
			}
			return nil
		}}
		p := newPusher(t, store, s)
		start := time.Now()
		r := push(t, p, everyone)
		if r.Delivered != 9 || r.Requeued != 1 || r.Err != nil {
			t.Fatalf("result %+v; want 9 delivered, 1 requeued", r)
		}
		if d := time.Since(start); d < 150*time.Millisecond || d > 300*time.Millisecond {
			t.Errorf("two pauses took %v; want 50-100 ms and 100-200 ms", d)
		}
		if got := s.posts(); got != 8+3+3 {
			t.Errorf("%d posts; want 14: only what failed is tried again", got)
		}

		// The remainder holds what failed and nothing else, until the last attempt.
		for attempt := 1; ; attempt++ {
			if len(r.Remainder) != 1 {
				t.Fatalf("remainder %+v; want one notification", r.Remainder)
			}
			n := r.Remainder[0]
			want := sumu.ConnectionRef{UserID: "u2", ConnectionID: "c0"}
			if n.ID != "n" || n.Attempt != attempt || n.Part != strings.Repeat("r", attempt) ||
				len(n.Connections) != 1 || n.Connections[0] != want || n.Everyone || string(n.Data) != "1" {
				t.Fatalf("remainder is %+v", n)
			}
			r = push(t, p, n)
			if attempt == 4 {
				break
			}
		}
		if r.Failed != 1 || r.Requeued != 0 || len(r.Remainder) != 0 || len(r.GivenUp) != 1 {
			t.Errorf("last attempt: %+v; want it given up", r)
		}
		if len(r.Failures) != 1 || !errors.Is(r.Failures[0].Err, sumu.ErrThrottled) {
			t.Errorf("failures %+v; want the reason", r.Failures)
		}
	})
}

func TestForbiddenStopsAndPrunesNothing(t *testing.T) {
	store := new(memstore.Store)
	fill(t, store, 1000, 1)
	s := &sender{respond: func(context.Context, sumu.Connection, int) error {
		return &sumu.Error{Op: "post", Kind: sumu.ErrForbidden}
	}}
	p := newPusher(t, store, s, func(o *pusher.Options) { o.Concurrency = 4 })
	results, err := p.Push(t.Context(), everyone, sumu.Notification{ID: "2", Users: []string{"u1"}, Data: everyone.Data})
	if !errors.Is(err, sumu.ErrForbidden) {
		t.Errorf("error %v; want ErrForbidden", err)
	}
	if got := s.posts(); got > 4 {
		t.Errorf("%d posts after the first was forbidden; want at most the 4 in flight", got)
	}
	if rows(t, store) != 1000 {
		t.Error("rows were pruned")
	}
	for _, r := range results {
		checkCounts(t, r)
		if len(r.Remainder) == 0 || r.Delivered+r.Gone+r.Failed > 0 {
			t.Errorf("result %+v; want all of it in the remainder", r)
		}
	}
}

func TestPostThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := new(memstore.Store)
		fill(t, store, 20, 1)
		s := &sender{respond: func(ctx context.Context, c sumu.Connection, try int) error {
			if c.UserID == "u3" && try == 1 {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		}}
		p := newPusher(t, store, s, func(o *pusher.Options) { o.PostTimeout = time.Second; o.Concurrency = 2 })
		start := time.Now()
		r := push(t, p, everyone)
		if r.Delivered != 20 || s.posts() != 21 {
			t.Errorf("result %+v, %d posts; want all delivered, one tried twice", r, s.posts())
		}
		if d := time.Since(start); d > 1200*time.Millisecond {
			t.Errorf("took %v; want the timeout and one pause", d)
		}
	})
}

func TestFailuresAreBounded(t *testing.T) {
	store := new(memstore.Store)
	fill(t, store, 300, 1)
	s := &sender{respond: func(context.Context, sumu.Connection, int) error { return sumu.ErrTooLarge }}
	r := push(t, newPusher(t, store, s), everyone)
	if r.Failed != 300 || len(r.Failures) != sumu.MaxFailures || s.posts() != 300 {
		t.Errorf("%d failed, %d named, %d posts", r.Failed, len(r.Failures), s.posts())
	}
}

func TestOrderWithinABatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := new(memstore.Store)
		fill(t, store, 40, 2)
		s := &sender{respond: func(_ context.Context, c sumu.Connection, try int) error {
			if c.UserID == "u5" && try <= 2 {
				return sumu.ErrThrottled
			}
			time.Sleep(time.Duration(len(c.UserID)+try*7%5) * time.Millisecond)
			return nil
		}}
		var batch []sumu.Notification
		var want []string
		for i := range 10 {
			data := fmt.Sprintf("%d", i)
			want = append(want, data)
			n := sumu.Notification{ID: fmt.Sprintf("n%d", i), Everyone: true, Data: json.RawMessage(data)}
			if i%2 == 1 {
				n.Everyone = false
				for u := range 40 {
					n.Users = append(n.Users, fmt.Sprintf("u%d", u))
				}
			}
			batch = append(batch, n)
		}
		results, err := newPusher(t, store, s).Push(t.Context(), batch...)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range results {
			if r.Delivered != 80 {
				t.Errorf("result %+v; want 80 delivered", r)
			}
		}
		for ref, got := range s.delivered {
			if strings.Join(got, " ") != strings.Join(want, " ") {
				t.Errorf("%v got %v; want %v", ref, got, want)
			}
		}
	})
}

func TestGoneIsPostedToOncePerBatch(t *testing.T) {
	store := new(memstore.Store)
	put(t, store, "ann", "c")
	s := &sender{respond: func(context.Context, sumu.Connection, int) error { return sumu.ErrGone }}
	ref := sumu.ConnectionRef{UserID: "ann", ConnectionID: "c"}
	results, err := newPusher(t, store, s).Push(t.Context(),
		sumu.Notification{ID: "1", Users: []string{"ann"}, Data: everyone.Data},
		sumu.Notification{ID: "2", Connections: []sumu.ConnectionRef{ref}, Data: everyone.Data},
	)
	if err != nil || s.posts() > 1 || results[0].Gone != 1 || results[1].Gone != 1 {
		t.Errorf("%+v, error %v, %d posts; want gone twice by one post", results, err, s.posts())
	}
}

func TestObserverSeesEveryTry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := new(memstore.Store)
		fill(t, store, 5, 1)
		s := &sender{respond: func(_ context.Context, _ sumu.Connection, try int) error {
			if try == 1 {
				return sumu.ErrThrottled
			}
			return nil
		}}
		var posted, failed, pushed atomic.Int32
		p := newPusher(t, store, s, func(o *pusher.Options) {
			o.Observer.Posted = func(_ context.Context, _ sumu.ConnectionRef, id string, err error) {
				posted.Add(1)
				if err != nil && id == "n" {
					failed.Add(1)
				}
			}
			o.Observer.Pushed = func(_ context.Context, r sumu.Result) { pushed.Add(int32(r.Delivered)) }
		})
		push(t, p, everyone)
		if posted.Load() != 10 || failed.Load() != 5 || pushed.Load() != 5 {
			t.Errorf("observed %d tries, %d failed, %d delivered; want 10, 5, 5", posted.Load(), failed.Load(), pushed.Load())
		}
	})
}
