package defects_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/awslambda"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/internal/leak"
	"github.com/sumu-live/sumu/presence"
	"github.com/sumu-live/sumu/pusher"
	"github.com/sumu-live/sumu/sumutest"
)

// Rows that had expired, and that nothing had removed yet, were posted to, and
// kept their users online.
func TestDefectExpiredRowsCount(t *testing.T) {
	clock := new(sumutest.Clock)
	store, sent, seen := &memstore.Store{Now: clock.Now}, new(posts), new(published)
	watcher := must(presence.New(store, seen, func(o *presence.Options) { o.Now = clock.Now }))
	put(t, store, "ann", "old")
	observe(t, watcher, "ann")
	clock.Advance(3 * time.Hour)
	if err := store.Put(t.Context(), sumu.Connection{UserID: "bob", ID: "new", DeleteAt: clock.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	p := newPusher(t, store, sent, func(o *pusher.Options) { o.Now = clock.Now })
	for i, n := range []sumu.Notification{
		{Everyone: true},
		{Users: []string{"ann"}},
		{Connections: []sumu.ConnectionRef{{UserID: "ann", ConnectionID: "old"}}},
	} {
		if r := pushOne(t, p, n); r.Delivered != max(0, 1-i) || r.Err != nil || len(r.Remainder) > 0 {
			t.Errorf("notification %d: %+v", i, r)
		}
	}
	sent.wantOnce(t, 1)
	observe(t, watcher, "ann")
	seen.want(t, "ann:1 ONLINE", "ann:2 OFFLINE")
}

// An error of a post that was not 410 was printed, and the message was gone.
func TestDefectPostErrorsLost(t *testing.T) {
	leak.Check(t)
	store, rec, q := new(memstore.Store), new(sumutest.Recorder), new(queue)
	for _, id := range []string{"slow", "down", "broken", "gone", "fine"} {
		put(t, store, id, id)
	}
	rec.On("slow").FailNext(sumu.ErrThrottled)
	rec.On("down").FailNext(sumu.ErrUnavailable, sumu.ErrUnavailable)
	rec.On("broken").FailAll(sumu.ErrTooLarge)
	rec.On("gone").FailAll(sumu.ErrGone)
	worker := newWorker(newPusher(t, store, rec, func(o *pusher.Options) { o.Tries = 2 }), store, q)

	first := worker.Handle(t.Context(), sumu.Delivery{Body: []byte(`{"id":"n","users":[],"data":1}`), MessageID: "m"})[0]
	if r := first.Result; first.Err != nil || r.Delivered != 2 || r.Gone != 1 || r.Failed != 1 || r.Requeued != 1 {
		t.Fatalf("%+v, %v", r, first.Err)
	}
	if f := first.Result.Failures; len(f) != 1 || f[0].Target.ConnectionID != "broken" || !errors.Is(f[0].Err, sumu.ErrTooLarge) {
		t.Errorf("failures are %v", f)
	}
	if again := worker.Handle(t.Context(), q.take(t)...); len(again) != 1 || again[0].Err != nil || again[0].Result.Delivered != 1 {
		t.Errorf("from the queue: %+v", again)
	}
	for id, want := range map[string]int{"slow": 1, "down": 1, "fine": 1} {
		if got := rec.Taken(id); len(got) != want {
			t.Errorf("%s took %q", id, got)
		}
	}
}

// And so was one that was refused by a fault of configuration.
func TestDefectRefusedSenderLosesTargets(t *testing.T) {
	store := new(memstore.Store)
	for i := range 10 {
		put(t, store, fmt.Sprint("u", i), fmt.Sprint("c", i))
	}
	refused := &posts{fail: func(sumu.Connection) error { return sumu.ErrForbidden }}
	r := pushOne(t, newPusher(t, store, refused, func(o *pusher.Options) { o.Concurrency, o.Lookahead = 1, 1 }), sumu.Notification{Everyone: true})
	if !errors.Is(r.Err, sumu.ErrForbidden) || len(r.Remainder) == 0 {
		t.Fatalf("%+v", r)
	}
	granted := new(posts)
	if _, err := newPusher(t, store, granted).Push(t.Context(), r.Remainder...); err != nil {
		t.Error(err)
	}
	granted.wantOnce(t, 10)
}

// A record that could not be read failed the batch of ten that it came with,
// five times, until all ten were dead letters.
func TestDefectBadRecordFailsItsBatch(t *testing.T) {
	store, sent := new(memstore.Store), new(posts)
	put(t, store, "ann", "c")
	h := must(awslambda.NewPusher(newWorker(newPusher(t, store, sent), store, new(queue))))
	good := `{"users":["ann"],"data":1}`
	out, err := h.Invoke(t.Context(), sqsEvent(good, `{"users":`, `{"users":["ann"]}`, good, `[]`))
	if want := `{"batchItemFailures":[{"itemIdentifier":"m2"},{"itemIdentifier":"m3"},{"itemIdentifier":"m5"}]}`; err != nil || string(out) != want {
		t.Errorf("answer is %s, %v; want %s", out, err, want)
	}
	if sent.to["c"] != 2 {
		t.Errorf("%d good records were pushed", sent.to["c"])
	}
}

// Two records that named one stale connection made a batch delete with a key
// twice, which failed after both were delivered: all came again.
func TestDefectStaleConnectionTwice(t *testing.T) {
	store := new(memstore.Store)
	put(t, store, "ann", "fine")
	put(t, store, "ann", "stale")
	sent := &posts{fail: func(c sumu.Connection) error {
		if c.ID == "stale" {
			return sumu.ErrGone
		}
		return nil
	}}
	h := must(awslambda.NewPusher(newWorker(newPusher(t, store, sent), store, new(queue))))
	for range 2 { // The second time it was delivered again.
		out, err := h.Invoke(t.Context(), sqsEvent(`{"users":["ann"],"data":1}`, `{"users":["ann"],"data":2}`))
		if err != nil || string(out) != `{"batchItemFailures":[]}` {
			t.Errorf("answer is %s, %v", out, err)
		}
	}
	if sent.to["fine"] != 2 {
		t.Errorf("the live connection got %d posts of 2 records", sent.to["fine"])
	}
	if _, err := store.Get(t.Context(), sumu.ConnectionRef{UserID: "ann", ConnectionID: "stale"}); !errors.Is(err, sumu.ErrGone) {
		t.Errorf("the stale row: %v", err)
	}
}

// unprunable is a store that cannot remove rows.
type unprunable struct{ *memstore.Store }

func (unprunable) Prune(context.Context, sumu.ConnectionRef, time.Time) (bool, error) {
	return false, sumu.ErrThrottled
}

// An error of the removal of stale rows was one of the push.
func TestDefectPruningFailsThePush(t *testing.T) {
	store := unprunable{new(memstore.Store)}
	put(t, store, "ann", "stale")
	gone := &posts{fail: func(sumu.Connection) error { return sumu.ErrGone }}
	if r := pushOne(t, newPusher(t, store, gone), sumu.Notification{Users: []string{"ann"}}); r.Err != nil || r.Gone != 1 || len(r.Remainder) > 0 {
		t.Errorf("%+v", r)
	}
}

// More than 100 excluded users made a filter that the database refused, and
// the broadcast was lost without a word.
func TestDefectManyExcludedUsers(t *testing.T) {
	store, sent := new(memstore.Store), new(posts)
	var excluded []string
	for i := range 2000 {
		user := fmt.Sprint("u", i)
		put(t, store, user, fmt.Sprint("c", i))
		if i%2 == 0 {
			excluded = append(excluded, user)
		}
	}
	if r := pushOne(t, newPusher(t, store, sent), sumu.Notification{Everyone: true, ExcludeUsers: excluded}); r.Delivered != 1000 || r.Err != nil {
		t.Errorf("%+v", r)
	}
	sent.wantOnce(t, 1000)
	if sent.to["c0"] != 0 || sent.to["c1999"] != 1 {
		t.Error("the wrong half got it")
	}
}

// ahead is a store that counts the rows that were read.
type ahead struct {
	*memstore.Store
	read atomic.Int64
	sent *posts
	most int64
}

func (a *ahead) All(ctx context.Context, seg sumu.Segment) iter.Seq2[sumu.Connection, error] {
	return func(yield func(sumu.Connection, error) bool) {
		for c, err := range a.Store.All(ctx, seg) {
			read := a.read.Add(1)
			a.sent.mu.Lock()
			a.most = max(a.most, read-int64(a.sent.done))
			a.sent.mu.Unlock()
			if !yield(c, err) {
				return
			}
		}
	}
}

// A broadcast read the whole table into memory, and began all posts at once.
func TestDefectBroadcastUnbounded(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		sent := &posts{hold: time.Millisecond}
		store := &ahead{Store: new(memstore.Store), sent: sent}
		for i := range 2000 {
			put(t, store, fmt.Sprint("u", i), fmt.Sprint("c", i))
		}
		const workers, lookahead = 8, 4
		p := newPusher(t, store, sent, func(o *pusher.Options) { o.Concurrency, o.Lookahead = workers, lookahead })
		if r := pushOne(t, p, sumu.Notification{Everyone: true}); r.Delivered != 2000 || r.Err != nil {
			t.Errorf("%+v", r)
		}
		sent.wantOnce(t, 2000)
		if sent.most != workers {
			t.Errorf("%d posts at once, want %d", sent.most, workers)
		}
		// A few are held for each worker and look-up, however long the table is.
		if store.most > 100 {
			t.Errorf("%d of 2000 rows were read ahead of the posts", store.most)
		}
	})
}

// A broadcast that took too long was killed, and began again from the start.
func TestDefectTimeoutRepeatsAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, sent, q := new(memstore.Store), &posts{hold: 100 * time.Millisecond}, new(queue)
		for i := range 200 {
			put(t, store, fmt.Sprint("u", i), fmt.Sprint("c", i))
		}
		worker := newWorker(newPusher(t, store, sent, func(o *pusher.Options) { o.Concurrency = 5 }), store, q)
		batch := []sumu.Delivery{{Body: []byte(`{"id":"n","users":[],"data":1}`), MessageID: "m"}}
		var reached []int
		for range 10 {
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			for _, out := range worker.Handle(ctx, batch...) {
				if out.Err != nil || ctx.Err() != nil {
					t.Errorf("%v; the context: %v", out.Err, ctx.Err())
				}
			}
			cancel()
			reached = append(reached, len(sent.to))
			if batch = q.take(t); len(batch) == 0 {
				break
			}
		}
		if len(reached) < 2 || !slices.IsSorted(reached) || len(batch) > 0 {
			t.Errorf("reached %v, %d messages left; the push was to be cut short and to end", reached, len(batch))
		}
		sent.wantOnce(t, 200)
	})
}
