package pusher_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/internal/leak"
	"github.com/sumu-live/sumu/pusher"
)

// As many users are looked up at the same time as Lookahead says, and never more,
// however many there are and however many connections each has.
func TestLookahead(t *testing.T) {
	leak.Check(t)
	for _, tt := range []struct{ users, per, lookahead int }{
		{5, 1, 1}, {10, 1, 16}, {160, 1, 16}, {160, 3, 16}, {2_000, 3, 16}, {500, 40, 4},
	} {
		t.Run(fmt.Sprintf("%+v", tt), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := new(memstore.Store)
				fill(t, store, tt.users, tt.per)
				n := sumu.Notification{ID: "n", Data: everyone.Data}
				for i := range tt.users {
					n.Users = append(n.Users, fmt.Sprintf("u%d", i))
				}
				var mu sync.Mutex
				now, most := 0, 0
				count := func(n int) {
					mu.Lock()
					defer mu.Unlock()
					now += n
					most = max(most, now)
				}
				slow := &faultyStore{Store: store, byUser: func(string) error {
					count(+1)
					defer count(-1)
					time.Sleep(100 * time.Millisecond)
					return nil
				}}
				s := new(sender)
				begin := time.Now()
				r := push(t, newPusher(t, slow, s, inTurn, func(o *pusher.Options) { o.Lookahead = tt.lookahead }), n)
				took := time.Since(begin)
				if want := tt.users * tt.per; r.Delivered != want || s.total() != want || s.posts() != want {
					t.Errorf("%d delivered by %d posts; want %d", r.Delivered, s.posts(), want)
				}
				if most != min(tt.users, tt.lookahead) {
					t.Errorf("%d look-ups at the same time", most)
				}
				t.Logf("%v, of %v one after another", took, time.Duration(tt.users)*100*time.Millisecond)
			})
		})
	}
}

// Who is found is posted to while the look-up of the next user goes on.
func TestRowsDoNotWaitForALookup(t *testing.T) {
	leak.Check(t)
	store := new(memstore.Store)
	fill(t, store, 40, 1)
	n := sumu.Notification{ID: "n", Data: everyone.Data}
	for i := range 40 {
		n.Users = append(n.Users, fmt.Sprintf("u%d", i))
	}
	// The last user is found only when all others were posted to.
	var posted atomic.Int64
	all := make(chan struct{})
	s := &sender{respond: func(context.Context, sumu.Connection, int) error {
		if posted.Add(1) == 39 {
			close(all)
		}
		return nil
	}}
	slow := &faultyStore{Store: store, byUser: func(user string) error {
		if user == "u39" {
			<-all
		}
		return nil
	}}
	if r := push(t, newPusher(t, slow, s), n); r.Delivered != 40 {
		t.Errorf("result %+v", r)
	}
}
