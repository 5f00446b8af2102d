package pusher_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/pusher"
)

func TestNoTryAfterTheNotificationsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := new(memstore.Store)
		fill(t, store, 2, 1)
		s := &sender{respond: func(_ context.Context, c sumu.Connection, _ int) error {
			if c.UserID == "u1" {
				return sumu.ErrThrottled
			}
			return nil
		}}
		p := newPusher(t, store, s, func(o *pusher.Options) { o.Backoff = time.Second })
		n := everyone
		n.Deadline = time.Now().Add(100 * time.Millisecond)
		r := push(t, p, n)
		if s.posts() != 2 || r.Delivered != 1 || r.Failed != 1 || len(r.Remainder) != 0 {
			t.Fatalf("%d posts, result %+v; want one try each", s.posts(), r)
		}
		if err := r.Failures[0].Err; !errors.Is(err, sumu.ErrExpired) {
			t.Errorf("the reason is %v; want ErrExpired", err)
		}
	})
}
