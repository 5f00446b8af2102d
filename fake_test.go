package sumu_test

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"sync"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
)

// now is when the tests happen.
var now = time.Date(2026, 11, 20, 12, 0, 0, 123_456_789, time.UTC)

// fakeStore records what an App does to a store, in order.
type fakeStore struct {
	mu      sync.Mutex
	log     *[]string
	rows    map[sumu.ConnectionRef]sumu.Connection
	putErr  error
	delErr  error
	puts    []sumu.Connection
	deletes []sumu.ConnectionRef
}

func (s *fakeStore) note(what string) {
	if s.log != nil {
		*s.log = append(*s.log, what)
	}
}

func (s *fakeStore) Put(_ context.Context, c sumu.Connection) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.note("put")
	if s.putErr != nil {
		return s.putErr
	}
	if s.rows == nil {
		s.rows = make(map[sumu.ConnectionRef]sumu.Connection)
	}
	s.rows[c.Ref()] = c
	s.puts = append(s.puts, c)
	return nil
}

func (s *fakeStore) Delete(_ context.Context, ref sumu.ConnectionRef) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.note("delete")
	s.deletes = append(s.deletes, ref)
	if s.delErr != nil {
		return s.delErr
	}
	delete(s.rows, ref)
	return nil
}

var errUnused = errors.New("an App does not call this")

func (s *fakeStore) Get(context.Context, sumu.ConnectionRef) (sumu.Connection, error) {
	return sumu.Connection{}, errUnused
}

func (s *fakeStore) Prune(context.Context, sumu.ConnectionRef, time.Time) (bool, error) {
	return false, errUnused
}

func (s *fakeStore) HasLive(context.Context, string) (bool, error) { return false, errUnused }

func (s *fakeStore) ByUser(context.Context, string) iter.Seq2[sumu.Connection, error] {
	return func(yield func(sumu.Connection, error) bool) { yield(sumu.Connection{}, errUnused) }
}

func (s *fakeStore) All(context.Context, sumu.Segment) iter.Seq2[sumu.Connection, error] {
	return func(yield func(sumu.Connection, error) bool) { yield(sumu.Connection{}, errUnused) }
}

// touchStore is a fakeStore that can prolong a row.
type touchStore struct {
	fakeStore
	touched []time.Time
}

func (s *touchStore) Touch(_ context.Context, ref sumu.ConnectionRef, deleteAt time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.rows[ref]; !ok {
		return &sumu.Error{Op: "touch " + ref.ConnectionID, Kind: sumu.ErrGone}
	}
	s.touched = append(s.touched, deleteAt)
	return nil
}

// letIn accepts everybody as the given identity.
func letIn(id sumu.Identity) sumu.Authorizer {
	return sumu.AuthorizerFunc(func(context.Context, *sumu.ConnectRequest) (sumu.Identity, error) {
		return id, nil
	})
}

// refuse accepts nobody.
func refuse(err error) sumu.Authorizer {
	return sumu.AuthorizerFunc(func(context.Context, *sumu.ConnectRequest) (sumu.Identity, error) {
		return sumu.Identity{UserID: "u1"}, err
	})
}

// newApp returns an App whose clock stands still.
func newApp(t testing.TB, auth sumu.Authorizer, store sumu.Store, optFns ...func(*sumu.AppOptions)) *sumu.App {
	t.Helper()
	optFns = append([]func(*sumu.AppOptions){func(o *sumu.AppOptions) {
		o.Now = func() time.Time { return now }
	}}, optFns...)
	app, err := sumu.NewApp(auth, store, optFns...)
	if err != nil {
		t.Fatal(err)
	}
	return app
}

// wantJSON fails the test unless got is the same JSON value as want.
func wantJSON(t testing.TB, got []byte, want string) {
	t.Helper()
	var g, w any
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatalf("want is not JSON: %v", err)
	}
	if err := json.Unmarshal(got, &g); err != nil {
		t.Fatalf("got %q, which is not JSON: %v", got, err)
	}
	gb, _ := json.Marshal(g) // Sorts the members.
	wb, _ := json.Marshal(w)
	if string(gb) != string(wb) {
		t.Errorf("got  %s\nwant %s", gb, wb)
	}
}

// wantKind fails the test unless err is of the kind.
func wantKind(t testing.TB, err, kind error) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Errorf("got error %v, want one of kind %q", err, kind)
	}
}
