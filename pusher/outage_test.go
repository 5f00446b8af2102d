package pusher_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/pusher"
)

// Each of these is down for 20 minutes while the queue is not.
func TestAnOutageSpendsNoAttempt(t *testing.T) {
	const length = 20 * time.Minute
	lookups := func(kind error) func(*testing.T, *bench) {
		return func(_ *testing.T, b *bench) {
			end := time.Now().Add(length)
			down := func() error {
				if time.Now().Before(end) {
					return &sumu.Error{Op: "query", Kind: kind}
				}
				return nil
			}
			b.faulty.byUser = func(string) error { return down() }
			b.faulty.all = func(int) error { return down() }
			b.faulty.get = func(sumu.ConnectionRef) error { return down() }
		}
	}
	posts := func(fail func(context.Context) error) func(*testing.T, *bench) {
		return func(_ *testing.T, b *bench) {
			end := time.Now().Add(length)
			b.sender.respond = func(ctx context.Context, _ sumu.Connection, _ int) error {
				if time.Now().Before(end) {
					return fail(ctx)
				}
				return nil
			}
		}
	}
	for name, cut := range map[string]func(*testing.T, *bench){
		"look-ups fail":          lookups(sumu.ErrUnavailable),
		"look-ups are throttled": lookups(sumu.ErrThrottled),
		"look-ups are forbidden": lookups(sumu.ErrForbidden),
		"look-ups hang": func(_ *testing.T, b *bench) {
			end := time.Now().Add(length)
			b.faulty.hang = func(ctx context.Context) {
				if time.Now().Before(end) {
					<-ctx.Done()
				}
			}
		},
		"posts fail":          posts(func(context.Context) error { return sumu.ErrUnavailable }),
		"posts are refused":   posts(func(context.Context) error { return sumu.ErrForbidden }),
		"posts get no answer": posts(func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, q := outageBench(t, 0)
				fill(t, b.store, 3, 4)
				cut(t, b)
				for i := range 5 {
					q.send(to(fmt.Sprint("n", i), "u0", "u1"), time.Duration(i)*time.Minute)
				}
				q.send(toAll("all"), 0)
				one := sumu.Notification{ID: "one", Data: []byte(`1`), Connections: []sumu.ConnectionRef{{UserID: "u2", ConnectionID: "c0"}}}
				q.send(one, 0)
				q.serve(t, b, 4*time.Hour)
				if len(q.dead) > 0 || len(b.dead) > 0 || len(q.messages) > 0 {
					t.Errorf("%d messages are dead, %d given up (%v), %d left", len(q.dead), len(b.dead), b.reasons, len(q.messages))
				}
				if want := 5*8 + 12 + 1; b.sender.total() != want {
					t.Errorf("%d posts delivered; want %d", b.sender.total(), want)
				}
			})
		})
	}
}

// A topic and a stream have no count of receives, and no queue to wait in.
func TestAnOutageDropsNothingOfATopic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, q := outageBench(t, 20*time.Minute)
		fill(t, b.store, 1, 2)
		for i, n := range []sumu.Notification{to("named", "u0"), to("", "u0")} {
			out := b.one(t, sumu.Delivery{Body: deliver(t, "", n).Body, MessageID: fmt.Sprint("topic-", i)})
			if out.Err != nil {
				t.Errorf("the topic is told %v; it would drop the message", out.Err)
			}
		}
		q.serve(t, b, 3*time.Hour)
		if len(q.dead) > 0 || b.sender.total() != 4 {
			t.Errorf("%d messages are dead, %d posts; want 0 and 4", len(q.dead), b.sender.total())
		}
	})
}

// A short call must not keep a message from others for longer than twice its time.
func TestWorkerLeaseOfAShortCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		put(t, b.store, "ann", "c")
		killed := make(chan struct{})
		b.sender.respond = func(context.Context, sumu.Connection, int) error {
			<-killed
			return errors.New("killed")
		}
		d := deliver(t, "m", to("n", "ann"))
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		go b.worker.Handle(ctx, d)
		synctest.Wait()
		out := b.another(t).Handle(t.Context(), d)[0]
		if !errors.Is(out.Err, sumu.ErrConflict) || out.RetryAfter != 4*time.Second {
			t.Errorf("%v, to come again in %v; want a conflict and 4s", out.Err, out.RetryAfter)
		}
		close(killed)
		synctest.Wait()
	})
}

// A time that has not come yet, of a clock that is ahead or of a request that
// says so, makes nothing last for ever.
func TestSinceAheadOfTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(o *pusher.Options) { o.MaxOutage = 30 * time.Minute })
		fill(t, b.store, 1, 1)
		posts := 0
		b.sender.respond = func(context.Context, sumu.Connection, int) error {
			posts++
			return &sumu.Error{Op: "dial", Kind: sumu.ErrUnavailable}
		}
		n := to("n", "u0")
		n.Since = time.Now().Add(1000 * time.Hour)
		batch := []sumu.Delivery{deliver(t, "m", n)}
		for end := time.Now().Add(50 * time.Minute); len(batch) > 0 && time.Now().Before(end); {
			for _, out := range b.worker.Handle(t.Context(), batch...) {
				if out.Err != nil {
					t.Fatal(out.Err)
				}
			}
			for _, s := range b.queue.sent {
				time.Sleep(s.delay)
			}
			batch = b.queue.take(t)
		}
		if len(b.dead) != 1 || posts > 50 {
			t.Errorf("in 50 minutes, after %d posts, %d are given up; an outage may last 30", posts, len(b.dead))
		}
	})
}
