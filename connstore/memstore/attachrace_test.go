package memstore_test

import (
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
)

// Connections come and go while others of their calls join, leave, subscribe,
// sweep and read: nothing of one that is gone is found afterwards.
func TestAttachmentsOfWhatComesAndGoes(t *testing.T) {
	store := new(memstore.Store)
	ctx := t.Context()
	const workers, rounds, conns, rooms = 8, 400, 6, 3
	row := func(i int) sumu.Connection {
		return sumu.Connection{
			UserID: "u" + strconv.Itoa(i%2), ID: "c" + strconv.Itoa(i),
			ConnectedAt: time.Now(), DeleteAt: time.Now().Add(time.Hour),
		}
	}
	sub := func(i int) sumu.Subscription {
		return sumu.Subscription{EventType: "t", Field: "f" + strconv.Itoa(i%rooms), Filter: "v*"}
	}
	event := sumu.Event{Type: "t", Payload: []byte(`{"f0":"v","f1":"vv","f2":"vvv"}`)}
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for n := range rounds {
				c, room := row((n*7+w)%conns), "room."+strconv.Itoa(n%rooms)
				switch (n + w) % 8 {
				case 0:
					_ = store.Put(ctx, c)
				case 1:
					_ = store.Delete(ctx, c.Ref())
				case 2, 3: // ErrGone is expected of many.
					_ = store.Join(ctx, c, room, 2)
					_ = store.Subscribe(ctx, c, 2, sub(n), sub(n+1))
				case 4:
					_ = store.Leave(ctx, c.Ref(), room)
					_ = store.Unsubscribe(ctx, c.Ref(), sub(n))
				case 5:
					_ = store.Forget(ctx, c.Ref())
					_ = store.Touch(ctx, c.Ref(), time.Now().Add(2*time.Hour))
				case 6:
					for m, err := range store.Members(ctx, room, "") {
						if err != nil || m.Connection.ID == "" {
							t.Errorf("member %+v, %v", m, err)
						}
						_ = store.Leave(ctx, m.Connection.Ref(), room) // From within the loop.
					}
				case 7:
					for s, err := range store.Subscribers(ctx, sumu.NewEventReader(&event), "") {
						if err != nil || s.Connection.ID == "" {
							t.Errorf("subscriber %+v, %v", s, err)
						}
					}
				}
			}
		})
	}
	wg.Wait()
	for i := range conns {
		if err := store.Delete(ctx, row(i).Ref()); err != nil {
			t.Fatal(err)
		}
	}
	for i := range rooms {
		if n, err := store.CountMembers(ctx, "room."+strconv.Itoa(i)); n != 0 || err != nil {
			t.Errorf("room %d has %d members, %v", i, n, err)
		}
	}
	for s, err := range store.Subscribers(ctx, sumu.NewEventReader(&event), "") {
		t.Errorf("a subscriber is left: %+v, %v", s, err)
	}
}
