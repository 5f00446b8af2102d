package sumu_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
)

// attachStore is a touchStore that keeps attachments, and tells what it is asked.
type attachStore struct {
	touchStore
	forgot    []sumu.ConnectionRef
	prolonged []time.Time
	attachErr error
}

func (s *attachStore) Forget(_ context.Context, ref sumu.ConnectionRef) error {
	s.note("forget")
	s.forgot = append(s.forgot, ref)
	return s.attachErr
}

func (s *attachStore) Prolong(_ context.Context, _ sumu.ConnectionRef, deleteAt time.Time) error {
	s.note("prolong")
	s.prolonged = append(s.prolonged, deleteAt)
	return s.attachErr
}

func TestOnConnect(t *testing.T) {
	var log []string
	store := &attachStore{touchStore: touchStore{fakeStore: fakeStore{log: &log}}}
	app := newApp(t, letIn(sumu.Identity{UserID: "ann"}), store)
	for _, name := range []string{"first", "second"} {
		app.OnConnect(func(_ context.Context, s *sumu.Session) error {
			log = append(log, name+" "+s.Connection.ID+" "+s.Identity.UserID)
			return nil
		})
	}
	if _, err := app.Connect(t.Context(), &sumu.ConnectRequest{ConnectionID: "c1"}); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(log, ", "); got != "put, first c1 ann, second c1 ann" {
		t.Errorf("what happened: %s", got)
	}
}

// A connection that a hook refuses leaves nothing behind.
func TestOnConnectRefuses(t *testing.T) {
	full := &sumu.Error{Op: "hall", Kind: sumu.ErrForbidden}
	for name, hook := range map[string]func(context.Context, *sumu.Session) error{
		"error": func(context.Context, *sumu.Session) error { return full },
		"panic": func(context.Context, *sumu.Session) error { panic("hook") },
	} {
		var log []string
		store := &attachStore{touchStore: touchStore{fakeStore: fakeStore{log: &log}}}
		app := newApp(t, letIn(sumu.Identity{UserID: "ann"}), store)
		if err := app.KeepAttachments(); err != nil {
			t.Fatal(err)
		}
		app.OnConnect(hook)
		app.OnConnect(func(context.Context, *sumu.Session) error {
			t.Error("a later hook is called")
			return nil
		})
		_, err := app.Connect(t.Context(), &sumu.ConnectRequest{ConnectionID: "c1"})
		if err == nil || name == "error" && !errors.Is(err, full) {
			t.Errorf("%s: connect: %v", name, err)
		}
		if p := (*sumu.PanicError)(nil); name == "panic" && !errors.As(err, &p) {
			t.Errorf("%s: connect: %v", name, err)
		}
		if got := strings.Join(log, ", "); got != "put, delete, forget" || len(store.rows) != 0 {
			t.Errorf("%s: what happened: %s; %d rows", name, got, len(store.rows))
		}
	}
}

func TestKeepAttachments(t *testing.T) {
	app := newApp(t, letIn(sumu.Identity{UserID: "ann"}), new(fakeStore))
	wantKind(t, app.KeepAttachments(), sumu.ErrUnsupported)

	for _, keep := range []bool{false, true} {
		store := new(attachStore)
		app := newApp(t, letIn(sumu.Identity{UserID: "ann"}), store)
		if keep {
			for range 2 { // channels and events, each for itself.
				if err := app.KeepAttachments(); err != nil {
					t.Fatal(err)
				}
			}
		}
		s, err := app.Connect(t.Context(), &sumu.ConnectRequest{ConnectionID: "c1"})
		if err != nil {
			t.Fatal(err)
		}
		if err := app.Renew(t.Context(), s.Connection); err != nil {
			t.Fatal(err)
		}
		if err := app.Disconnect(t.Context(), s.Connection, sumu.DisconnectReason{}); err != nil {
			t.Fatal(err)
		}
		want := 0
		if keep {
			want = 1
		}
		if len(store.forgot) != want || len(store.prolonged) != want {
			t.Errorf("keep %v: forgot %d times, prolonged %d times", keep, len(store.forgot), len(store.prolonged))
		}
		if keep && (store.forgot[0] != s.Connection.Ref() || !store.prolonged[0].Equal(store.touched[0])) {
			t.Errorf("forgot %v, prolonged to %v; the row to %v", store.forgot[0], store.prolonged[0], store.touched[0])
		}
	}
}

// What fails is told, so that a transport can try again or log it.
func TestAttachmentsFail(t *testing.T) {
	store := &attachStore{attachErr: &sumu.Error{Op: "table", Kind: sumu.ErrUnavailable}}
	app := newApp(t, letIn(sumu.Identity{UserID: "ann"}), store)
	if err := app.KeepAttachments(); err != nil {
		t.Fatal(err)
	}
	s, err := app.Connect(t.Context(), &sumu.ConnectRequest{ConnectionID: "c1"})
	if err != nil {
		t.Fatal(err)
	}
	wantKind(t, app.Renew(t.Context(), s.Connection), sumu.ErrUnavailable)
	wantKind(t, app.Disconnect(t.Context(), s.Connection, sumu.DisconnectReason{}), sumu.ErrUnavailable)
	if len(store.rows) != 0 {
		t.Error("the row is still there")
	}
	// A row that cannot be removed keeps what is attached to it: the connection
	// is still a target.
	store.forgot, store.delErr = nil, &sumu.Error{Op: "table", Kind: sumu.ErrUnavailable}
	wantKind(t, app.Disconnect(t.Context(), s.Connection, sumu.DisconnectReason{}), sumu.ErrUnavailable)
	if len(store.forgot) != 0 {
		t.Error("attachments of a row that is still there were removed")
	}
}
