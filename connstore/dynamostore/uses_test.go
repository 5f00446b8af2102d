package dynamostore_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

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

// Two connections begin to use a filter at the same time: the use is kept for as
// long as the one that lasts longer.
func TestAUseIsNotShortened(t *testing.T) {
	db := newMemDB()
	key, later := "", n(4_200_000_000)
	d := &double{next: db, before: func(in any) (any, error) {
		if put, ok := in.(*dynamodb.PutItemInput); ok && strings.HasPrefix(textOf(put.Item["pk"]), "events/") {
			key = keyOf(put.Item)[1]
			db.Set("state", keyOf(put.Item), row{"pk": put.Item["pk"], "sk": put.Item["sk"], "delete_at": later})
		}
		return nil, nil
	}}
	store, err := dynamostore.NewWithState(d)
	if err != nil {
		t.Fatal(err)
	}
	c := costConn("ann")
	if err := errors.Join(store.Put(bg, c), store.Subscribe(bg, c, 0, sumu.Subscription{EventType: "T"})); err != nil {
		t.Fatal(err)
	}
	for k, it := range db.Rows("state") {
		if k[1] == key && textOf(it["delete_at"]) != textOf(later) {
			t.Errorf("it is kept until %s, want %s", textOf(it["delete_at"]), textOf(later))
		}
	}
	if key == "" {
		t.Error("no use is written")
	}
}
