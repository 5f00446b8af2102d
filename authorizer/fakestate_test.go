package authorizer_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/authorizer"
)

// fakeState is a sumu.StateStore in memory.
type fakeState struct {
	mu      sync.Mutex
	now     func() time.Time
	records map[string]sumu.Record
	reads   int
	err     error // of every call
	onLoad  func()
	saved   []sumu.Record
}

func newFakeState(now func() time.Time) *fakeState {
	return &fakeState{now: now, records: make(map[string]sumu.Record)}
}

func (s *fakeState) live(kind, key string) sumu.Record {
	if r := s.records[kind+"\x00"+key]; r.DeleteAt.After(s.now()) {
		return r
	}
	return sumu.Record{}
}

func (s *fakeState) LoadRecord(_ context.Context, kind, key string) (sumu.Record, error) {
	s.mu.Lock()
	s.reads++
	r, err := s.live(kind, key), s.err
	s.mu.Unlock()
	if s.onLoad != nil {
		s.onLoad()
	}
	return r, err
}

func (s *fakeState) SaveRecord(_ context.Context, r sumu.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.err != nil:
		return s.err
	case r.Validate() != nil:
		return r.Validate()
	case s.live(r.Kind, r.Key).Rev != r.Rev-1:
		return sumu.ErrConflict
	}
	r.DeleteAt = r.DeleteAt.Truncate(time.Second)
	s.records[r.Kind+"\x00"+r.Key] = r
	s.saved = append(s.saved, r)
	return nil
}

func (s *fakeState) DeleteRecord(_ context.Context, kind, key string, rev int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch r := s.live(kind, key); {
	case s.err != nil:
		return s.err
	case r.Rev == 0 || r.Rev != rev:
		return &sumu.Error{Op: "delete record", Kind: sumu.ErrConflict}
	}
	delete(s.records, kind+"\x00"+key)
	return nil
}

// ticketing is a store, tickets and the clock of both.
type ticketing struct {
	*authorizer.Tickets
	store *fakeState
	clock time.Time
}

func newTicketing(t testing.TB, optFns ...func(*authorizer.TicketOptions)) *ticketing {
	t.Helper()
	k := &ticketing{clock: testNow.Add(123456789)}
	now := func() time.Time { return k.clock }
	k.store = newFakeState(now)
	var err error
	k.Tickets, err = authorizer.NewTickets(k.store, append([]func(*authorizer.TicketOptions){func(o *authorizer.TicketOptions) {
		o.Now = now
	}}, optFns...)...)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func (k *ticketing) issue(t testing.TB, id sumu.Identity) string {
	t.Helper()
	ticket, err := k.Issue(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return ticket
}
