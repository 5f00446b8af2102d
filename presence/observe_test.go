package presence_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/internal/leak"
	"github.com/sumu-live/sumu/presence"
)

func TestObserveNamesWhatFailed(t *testing.T) {
	leak.Check(t)
	s := new(memstore.Store)
	r := &recorder{err: func(e sumu.PresenceEvent) error {
		if e.UserID == "bad" {
			return errDown
		}
		return nil
	}}
	w := newWatcher(t, s, r)
	for _, u := range []string{"a", "bad", "b"} {
		connect(t, s, u, "c")
	}
	long := strings.Repeat("x", sumu.MaxUserID+1)
	outcomes, err := w.Observe(t.Context(), changesOf("a", "bad", "", "b", "bad", long, "a")...)
	if len(outcomes) != 7 {
		t.Fatalf("%d outcomes for 7 changes", len(outcomes))
	}
	for i, kind := range []error{nil, errDown, sumu.ErrInvalid, nil, errDown, sumu.ErrInvalid, nil} {
		if !errors.Is(outcomes[i], kind) {
			t.Errorf("outcome %d is %v, want %v", i, outcomes[i], kind)
		}
	}
	wantKind(t, err, errDown, "presence of bad: publish bad:1: down")
	wantKind(t, err, sumu.ErrInvalid, "presence: user_id is empty")
	if n := strings.Count(err.Error(), "publish bad:1"); n != 1 {
		t.Errorf("a user's error is joined %d times: %v", n, err)
	}
	if r.tries != 3 {
		t.Errorf("published %d times, want once for each user", r.tries)
	}
}

func TestObserveNothing(t *testing.T) {
	outcomes, err := newWatcher(t, new(memstore.Store), new(recorder)).Observe(t.Context())
	if len(outcomes) != 0 || err != nil {
		t.Errorf("got %v, %v; want nothing", outcomes, err)
	}
}

func TestObserveBoundsConcurrency(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		s := new(memstore.Store)
		release := make(chan struct{})
		var busy, most atomic.Int32
		w := newWatcher(t, s, sumu.PresencePublisherFunc(func(context.Context, sumu.PresenceEvent) error {
			most.Store(max(most.Load(), busy.Add(1)))
			<-release
			busy.Add(-1)
			return nil
		}), func(o *presence.Options) { o.Concurrency = 4 })
		var users []string
		for i := range 10 {
			users = append(users, strconv.Itoa(i))
			connect(t, s, users[i], "c")
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			if _, err := w.Observe(t.Context(), changesOf(users...)...); err != nil {
				t.Error(err)
			}
		}()
		synctest.Wait()
		if n := busy.Load(); n != 4 {
			t.Errorf("%d users are evaluated at once, want 4", n)
		}
		close(release)
		<-done
		if n := most.Load(); n > 4 {
			t.Errorf("up to %d users were evaluated at once, want 4", n)
		}
	})
}

func TestObserveEndsWithContext(t *testing.T) {
	leak.Check(t)
	s := &spy{Store: new(memstore.Store)}
	ctx, cancel := context.WithCancel(t.Context())
	r := &recorder{err: func(sumu.PresenceEvent) error { cancel(); return ctx.Err() }}
	w := newWatcher(t, s, r, func(o *presence.Options) { o.Concurrency = 1 })
	connect(t, s.Store, "a", "c")
	connect(t, s.Store, "b", "c")
	outcomes, _ := w.Observe(ctx, changesOf("a", "b")...)
	for i, err := range outcomes {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("outcome %d is %v, want context.Canceled", i, err)
		}
	}
	if n := s.reads.Load(); n != 1 {
		t.Errorf("%d rows were read, want 1: the second user came after the end", n)
	}
}

func TestStoreErrorsAreOutcomes(t *testing.T) {
	fail := func(string) error { return errDown }
	for name, s := range map[string]*spy{
		"read":  {onRead: fail},
		"count": {onCount: fail},
		"save":  {onSave: func(sumu.PresenceRow) error { return errDown }},
	} {
		t.Run(name, func(t *testing.T) {
			s.Store = new(memstore.Store)
			connect(t, s.Store, "u", "c")
			r := new(recorder)
			_, err := newWatcher(t, s, r).Observe(t.Context(), changesOf("u")...)
			wantKind(t, err, errDown, "presence of u")
			wantEvents(t, r)
		})
	}
}

// One user's publisher that panics is that user's failure, also among others.
func TestObservePanicIsOneUsersFailure(t *testing.T) {
	store := new(memstore.Store)
	for _, user := range []string{"ann", "bob", "cid"} {
		if err := store.Put(t.Context(), sumu.Connection{UserID: user, ID: "c"}); err != nil {
			t.Fatal(err)
		}
	}
	pub := sumu.PresencePublisherFunc(func(_ context.Context, e sumu.PresenceEvent) error {
		if e.UserID == "bob" {
			panic("secret")
		}
		return nil
	})
	w, err := presence.New(store, pub)
	if err != nil {
		t.Fatal(err)
	}
	outcomes, err := w.Observe(t.Context(), sumu.Change{UserID: "ann"}, sumu.Change{UserID: "bob"}, sumu.Change{UserID: "cid"})
	var cause *sumu.PanicError
	if !errors.As(err, &cause) || outcomes[0] != nil || outcomes[2] != nil || !errors.Is(outcomes[1], sumu.ErrUnavailable) {
		t.Errorf("outcomes %v; want bob's alone to fail", outcomes)
	}
	if strings.Contains(err.Error(), "secret") {
		t.Errorf("the error shows the value: %v", err)
	}
}
