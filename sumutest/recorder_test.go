package sumutest_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/internal/leak"
	"github.com/sumu-live/sumu/pusher"
	"github.com/sumu-live/sumu/sumutest"
)

func post(t *testing.T, rec *sumutest.Recorder, id, text string) error {
	t.Helper()
	return rec.Post(t.Context(), sumu.Connection{UserID: "u", ID: id}, payload(t, text))
}

func TestRecorderFaults(t *testing.T) {
	rec := new(sumutest.Recorder)
	rec.FailNext(sumu.ErrThrottled, nil, sumu.ErrForbidden)
	rec.On("c2").FailNext(sumu.ErrGone)
	rec.On("c2").LoseNext()
	steps := []struct {
		id, text string
		want     error
	}{
		{"c1", "1", sumu.ErrThrottled},
		{"c2", "2", sumu.ErrGone}, // Its own fault, and not the next of all.
		{"c2", "3", sumu.ErrUnavailable},
		{"c2", "4", nil},
		{"c1", "5", sumu.ErrForbidden},
		{"c1", "6", nil},
	}
	for _, s := range steps {
		if err := post(t, rec, s.id, s.text); !errors.Is(err, s.want) || (err == nil) != (s.want == nil) {
			t.Errorf("post %s: %v, want %v", s.text, err, s.want)
		}
	}
	rec.FailAll(sumu.ErrThrottled)
	rec.FailNext(nil)
	for i, want := range []error{nil, sumu.ErrThrottled, sumu.ErrThrottled} {
		if err := post(t, rec, "c1", "7"); !errors.Is(err, want) {
			t.Errorf("post %d: %v, want %v", i, err, want)
		}
	}
	rec.FailAll(nil)
	if err := post(t, rec, "c1", "8"); err != nil {
		t.Errorf("post after FailAll(nil): %v", err)
	}

	wantEqual(t, "c1 has taken", rec.Taken("c1"), "6", "7", "8")
	wantEqual(t, "c2 has taken", rec.Taken("c2"), "4")
	if n := len(rec.Posts()); n != len(steps)+4 {
		t.Errorf("%d posts are recorded, want all %d", n, len(steps)+4)
	}
	if p := rec.Next(t); string(p.Data) != "1" || p.Connection.ID != "c1" || !errors.Is(p.Err, sumu.ErrThrottled) {
		t.Errorf("the first post is %+v", p)
	}
	if p := rec.Next(t); string(p.Data) != "2" {
		t.Errorf("the second post is %+v", p)
	}
}

func TestRecorderHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := new(sumutest.Recorder)
		hang, never := rec.HangNext(), rec.HangNext()
		done := make(chan error)
		go func() { done <- post(t, rec, "c1", "1") }()
		hang.Wait(t)
		synctest.Wait()
		if n := len(rec.Posts()); n != 0 {
			t.Errorf("%d posts have ended, want it to hang", n)
		}
		hang.Release()
		hang.Release()
		if err := <-done; err != nil {
			t.Errorf("released: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := rec.Post(ctx, sumu.Connection{UserID: "u", ID: "c1"}, payload(t, "2"))
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, sumu.ErrUnavailable) {
			t.Errorf("never released: %v, want the deadline", err)
		}
		never.Wait(t) // It has been.
		wantEqual(t, "c1 has taken", rec.Taken("c1"), "1")

		wantFailure(t, func(tb testing.TB) { rec.HangNext().Wait(tb) }, "no call came to hang in 10s")
		rec.Next(t)
		rec.Next(t)
		wantFailure(t, func(tb testing.TB) { rec.Next(tb) }, "no post in 10s; there were 2 before")
		time.AfterFunc(time.Second, func() { _ = post(t, rec, "c2", "3") })
		hangs := rec.On("c2").HangNext()
		time.AfterFunc(2*time.Second, hangs.Release)
		if p := rec.Next(t); p.Connection.ID != "c2" {
			t.Errorf("waited for %+v", p)
		}
	})
}

func TestRecorderDisconnect(t *testing.T) {
	rec := new(sumutest.Recorder)
	store := new(memstore.Store)
	for _, id := range []string{"c1", "c2"} {
		if err := store.Put(t.Context(), sumu.Connection{UserID: "ann", ID: id}); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := sumu.Kick(t.Context(), store, rec, "ann"); n != 2 || err != nil {
		t.Fatalf("kicked %d: %v", n, err)
	}
	for _, id := range []string{"c1", "c2"} {
		if got := strings.Join(rec.Taken(id), ""); !strings.Contains(got, "kicked") {
			t.Errorf("%s was told %q", id, got)
		}
		if err := post(t, rec, id, "late"); !errors.Is(err, sumu.ErrGone) {
			t.Errorf("post to a connection that was closed: %v", err)
		}
	}
	if n, err := sumu.Kick(t.Context(), store, rec, "ann"); n != 0 || err != nil {
		t.Errorf("kicked %d again: %v", n, err)
	}
	var ids []string
	for _, c := range rec.Disconnected() {
		ids = append(ids, c.ID)
	}
	wantEqual(t, "disconnected", ids, "c1", "c2")
}

// sender is a Sender and no Disconnecter.
type sender struct{ err error }

func (s sender) Post(context.Context, sumu.Connection, *sumu.Payload) error { return s.err }

func TestRecorderPassesOn(t *testing.T) {
	rec := &sumutest.Recorder{Sender: sender{sumu.ErrTooLarge}}
	if err := post(t, rec, "c1", "1"); !errors.Is(err, sumu.ErrTooLarge) {
		t.Errorf("post: %v, want the sender's error", err)
	}
	if err := rec.Disconnect(t.Context(), sumu.Connection{ID: "c1"}); !errors.Is(err, sumu.ErrUnsupported) {
		t.Errorf("disconnect: %v, want ErrUnsupported", err)
	}
	over := &sumutest.Recorder{Sender: new(sumutest.Recorder)}
	for _, want := range []error{nil, sumu.ErrGone} {
		if err := over.Disconnect(t.Context(), sumu.Connection{ID: "c1"}); !errors.Is(err, want) {
			t.Errorf("disconnect: %v, want %v", err, want)
		}
	}
	if n := len(over.Disconnected()); n != 1 {
		t.Errorf("%d disconnected, want 1", n)
	}
}

// What the pusher does about each fault, seen through sockets.
func TestEnvFaults(t *testing.T) {
	leak.Check(t)
	dead := make(chan error, 1)
	env := sumutest.New(t, simple, func(o *sumutest.Options) {
		o.Pusher = func(p *pusher.Options) {
			p.Observer.Pushed = func(_ context.Context, r sumu.Result) {
				if r.Failed > 0 {
					dead <- r.Failures[0].Err
				}
			}
		}
	})
	ann, bob := env.Connect(t, "ann"), env.Connect(t, "bob")

	env.Sender.On(ann.ID()).FailNext(sumu.ErrThrottled)
	env.Notify(t, 1, "ann", "bob")
	ann.Expect(t, "1")
	ann.ExpectNothing(t)
	bob.Expect(t, "1")
	bob.ExpectNothing(t) // Only ann's was tried again.
	if n := len(env.Sender.Posts()); n != 3 {
		t.Errorf("%d posts, want 3", n)
	}

	env.Sender.On(ann.ID()).LoseNext()
	env.Notify(t, 2, "ann")
	ann.Expect(t, "2")
	ann.Expect(t, "2") // At least once, and so twice.
	ann.ExpectNothing(t)

	env.Sender.On(ann.ID()).FailAll(sumu.ErrThrottled)
	env.Notify(t, 3, "ann")
	if err := <-dead; !errors.Is(err, sumu.ErrThrottled) {
		t.Errorf("given up for %v", err)
	}
	ann.ExpectNothing(t)
	env.Sender.On(ann.ID()).FailAll(nil)

	env.Clock.Advance(10 * time.Second) // Who has just come is not taken for gone.
	env.Sender.On(ann.ID()).FailNext(sumu.ErrGone)
	env.Notify(t, 4, "ann", "bob")
	bob.Expect(t, "4")
	ann.ExpectNothing(t)
	if live, err := env.Store.HasLive(t.Context(), "ann"); live || err != nil {
		t.Errorf("the row of what is gone was not pruned (%v)", err)
	}
}
