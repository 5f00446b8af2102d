package memstore

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/eventindex"
)

// rowsOf returns how many rows and partitions the subscribers of an event are
// looked for among.
func (s *Store) rowsOf(e *sumu.EventReader) (rows, partitions int) {
	for _, u := range s.uses.of(e.Event.Type) {
		text, may := u.Text(e)
		if !may {
			continue
		}
		partitions++
		start := s.key(eventindex.Partition(e.Event.Type, u, text), "")
		s.events[shardOf(start.hash)].rows.page(start, 1<<30, func(k key, _ subscription) bool {
			if k.user != start.user {
				return false
			}
			rows++
			return true
		})
	}
	return rows, partitions
}

// However many other connections have subscribed, to other values and types, an
// event looks at the same rows.
func TestRowsReadForAnEvent(t *testing.T) {
	s, ctx := new(Store), t.Context()
	subscribe := func(user string, subs ...sumu.Subscription) {
		t.Helper()
		c := sumu.Connection{UserID: user, ID: "c"}
		if err := errors.Join(s.Put(ctx, c), s.Subscribe(ctx, c, 0, subs...)); err != nil {
			t.Fatal(err)
		}
	}
	subscribe("ann",
		sumu.Subscription{EventType: "T"},
		sumu.Subscription{EventType: "T", Field: "f", Filter: "blue"},
		sumu.Subscription{EventType: "T", Field: "f", Filter: "blu*"},
		sumu.Subscription{EventType: "T", Field: "n", Filter: ">= 5"},
	)
	e := func() *sumu.EventReader {
		return sumu.NewEventReader(&sumu.Event{Type: "T", Payload: json.RawMessage(`{"f":"blue","n":5}`)})
	}
	others := 0
	for _, size := range []int{10, 1_000, 100_000} {
		for ; others < size; others++ {
			subscribe(fmt.Sprint("u", others),
				sumu.Subscription{EventType: "T", Field: "f", Filter: fmt.Sprint("value-", others)},
				sumu.Subscription{EventType: "T", Field: "f", Filter: fmt.Sprintf("%09d*", others)},
				sumu.Subscription{EventType: fmt.Sprint("U", others%100)},
			)
		}
		if rows, partitions := s.rowsOf(e()); rows != 4 || partitions != 4 {
			t.Errorf("with %d others an event looks at %d rows in %d partitions, want 4 in 4", others, rows, partitions)
		}
		found := 0
		for _, err := range s.Subscribers(ctx, e(), "") {
			if err != nil {
				t.Fatal(err)
			}
			found++
		}
		if found != 4 {
			t.Errorf("%d subscribers are found, want 4", found)
		}
	}
}

// Nothing is kept of attachments that have gone, by whatever way.
func TestAttachmentsGiveTheirMemoryBack(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	s, ctx := &Store{Now: func() time.Time { return now }}, t.Context()
	const n = 300
	for i := range n {
		c := sumu.Connection{UserID: fmt.Sprint("u", i%40), ID: fmt.Sprint("c", i), DeleteAt: now.Add(time.Hour)}
		err := errors.Join(
			s.Put(ctx, c), s.Join(ctx, c, "room", 0), s.Join(ctx, c, fmt.Sprint("room", i), 0),
			s.Subscribe(ctx, c, 0, sumu.Subscription{EventType: "T"}, sumu.Subscription{EventType: fmt.Sprint(i), Field: "f", Filter: "a*"}),
		)
		if err != nil {
			t.Fatal(err)
		}
		switch i % 3 {
		case 0:
			err = s.Delete(ctx, c.Ref())
		case 1:
			_, err = s.Prune(ctx, c.Ref(), now)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	now = now.Add(time.Hour)
	if removed, err := s.SweepExpired(ctx, 0); removed != n/3 || err != nil {
		t.Fatalf("%d are swept, %v", removed, err)
	}
	for i := range s.attachments {
		if s.attachments[i] != nil || len(s.members[i].rows.dir) > 0 || len(s.events[i].rows.dir) > 0 {
			t.Fatalf("shard %d keeps something", i)
		}
	}
	if len(s.uses.types) > 0 {
		t.Errorf("uses are kept: %v", s.uses.types)
	}
}

func FuzzCursors(f *testing.F) {
	f.Add("")
	f.Add("AXUBYw")
	f.Add("MS8wL2Y.QQ")
	s := new(Store)
	f.Fuzz(func(t *testing.T, cursor string) {
		for _, err := range s.Members(t.Context(), "room", cursor) {
			if !errors.Is(err, sumu.ErrInvalid) {
				t.Errorf("members after %q: %v", cursor, err)
			}
		}
		e := sumu.NewEventReader(&sumu.Event{Type: "T"})
		for _, err := range s.Subscribers(t.Context(), e, cursor) {
			if !errors.Is(err, sumu.ErrInvalid) {
				t.Errorf("subscribers after %q: %v", cursor, err)
			}
		}
	})
}
