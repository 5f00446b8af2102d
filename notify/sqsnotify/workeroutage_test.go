package sqsnotify_test

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/notify/sqsnotify"
	"github.com/sumu-live/sumu/pusher"
)

// slowClient is a sender to a client that reads too slowly.
type slowClient struct{}

func (slowClient) Post(context.Context, sumu.Connection, *sumu.Payload) error {
	return &sumu.Error{Op: "post", Kind: sumu.ErrThrottled}
}

// noSend is a queue that lets itself be read, and refuses what is sent to it
// until a time.
type noSend struct{ until time.Time }

func (q noSend) Requeue(context.Context, sumu.Notification, time.Duration) error {
	if time.Now().Before(q.until) {
		return &sumu.Error{Op: "SendMessage", Kind: sumu.ErrForbidden}
	}
	return nil
}

// While a queue takes no remainders a message spends no receives, as little as
// while the store is down.
func TestPollOutlastsAQueueThatTakesNothing(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store, now := new(memstore.Store), time.Now()
		err := store.Put(t.Context(), sumu.Connection{UserID: "ann", ID: "c", Endpoint: "e", ConnectedAt: now, DeleteAt: now.Add(24 * time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		push, err := pusher.New(store, slowClient{}, func(o *pusher.Options) { o.Logger = slog.New(slog.DiscardHandler) })
		if err != nil {
			t.Fatal(err)
		}
		w, err := pusher.NewWorker(push, noSend{now.Add(3 * time.Hour)}, func(o *pusher.WorkerOptions) { o.Records = store })
		if err != nil {
			t.Fatal(err)
		}
		q := new(queue)
		q.put(`{"id":"n","users":["ann"],"data":1}`)
		p := poll(t, q, w.Handle, func(o *sqsnotify.PollOptions) { o.Probe = w.Probe })
		time.Sleep(3*time.Hour + 5*time.Minute)
		synctest.Wait()
		if n := q.receives()["m1"]; n > 1 || !q.wasRemoved("m1") {
			t.Errorf("received %d times in 3 h, left: %v", n, q.left())
		}
		p.end(t)
	})
}
