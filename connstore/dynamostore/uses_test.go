package dynamostore_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/dynamostore"
)

// Clients make up the fields that they filter by, and an event reads which ones
// there are of its type, also long after nobody has subscribed to them any more.
func TestMadeUpFieldsDoNotMakeEventsDear(t *testing.T) {
	db := newMemDB()
	s, err := dynamostore.NewWithState(db, func(o *dynamostore.Options) { o.SweepConcurrency = 1 })
	if err != nil {
		t.Fatal(err)
	}
	c := costConn("ann")
	if err := s.Put(bg, c); err != nil {
		t.Fatal(err)
	}
	honest := sumu.Subscription{EventType: "T", Field: "color", Filter: "blue"}
	if err := s.Subscribe(bg, c, 0, honest); err != nil {
		t.Fatal(err)
	}
	refused := 0
	for i := range 1_500 {
		sub := sumu.Subscription{EventType: "T", Field: fmt.Sprint("made.up.", i), Filter: "x"}
		switch err := s.Subscribe(bg, c, 0, sub); {
		case errors.Is(err, sumu.ErrThrottled):
			refused++
		case err != nil:
			t.Fatal(err)
		}
		if err := s.Unsubscribe(bg, c.Ref(), sub); err != nil {
			t.Fatal(err)
		}
	}
	before := db.RowsRead()
	if err := subscribersOf(s, event("T", `{"color":"blue"}`), 1)(); err != nil {
		t.Fatal(err)
	}
	if rows := db.RowsRead() - before; rows > 600 || refused == 0 {
		t.Errorf("an event reads %d rows, and %d subscriptions were refused; want at most 600 rows", rows, refused)
	}
	// What is in use already goes on, and other types are not concerned.
	other := sumu.Subscription{EventType: "U", Field: "color", Filter: "blue"}
	another := sumu.Subscription{EventType: "T", Field: "color", Filter: "red"}
	if err := s.Subscribe(bg, c, 0, honest, other, another); err != nil {
		t.Error(err)
	}
}
