package pusher_test

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/leak"
	"github.com/sumu-live/sumu/pusher"
)

// poison panics wherever it is told to.
type poison struct {
	sumu.Store
	at string
}

func (p *poison) ByUser(ctx context.Context, user string) iter.Seq2[sumu.Connection, error] {
	if p.at == "look-up" && user == "u1" {
		panic("boom")
	}
	return func(yield func(sumu.Connection, error) bool) {
		for c, err := range p.Store.ByUser(ctx, user) {
			if !yield(c, err) {
				return
			}
			if p.at == "scan" && user == "u1" {
				panic("boom")
			}
		}
	}
}

func (p *poison) Prune(ctx context.Context, ref sumu.ConnectionRef, notAfter time.Time) (bool, error) {
	if p.at == "prune" {
		panic("boom")
	}
	return p.Store.Prune(ctx, ref, notAfter)
}

func TestWorkerPanics(t *testing.T) {
	for _, at := range []string{"look-up", "scan", "prune", "post", "records", "requeue", "observer"} {
		t.Run(at, func(t *testing.T) {
			leak.Check(t)
			inner := newBench(t)
			store := &poison{Store: inner.store, at: at}
			fill(t, inner.store, 3, 1)
			boom := func(where string) {
				if where == at {
					panic("boom")
				}
			}
			s := inner.sender
			s.respond = func(_ context.Context, c sumu.Connection, _ int) error {
				if c.UserID == "u1" {
					boom("post")
					switch at {
					case "prune":
						return sumu.ErrGone
					case "requeue":
						return sumu.ErrThrottled
					}
				}
				return nil
			}
			p := newPusher(t, store, s, func(o *pusher.Options) {
				o.Tries = 1
				o.Observer.Posted = func(context.Context, sumu.ConnectionRef, string, error) { boom("observer") }
				o.Observer.Pushed = func(context.Context, sumu.Result) { boom("observer") }
				o.Observer.Pruned = func(context.Context, sumu.ConnectionRef, error) { boom("observer") }
			})
			inner.push = p
			inner.queue.fail = func(sumu.Notification) error { boom("requeue"); return nil }
			inner.records.save = func(r sumu.Record, _ string) error {
				if strings.HasPrefix(r.Key, "n1/") {
					boom("records")
				}
				return nil
			}
			w := inner.another(t)
			outs := w.Handle(t.Context(), deliver(t, "m0", to("n0", "u0")), deliver(t, "m1", to("n1", "u1")), deliver(t, "m2", to("n2", "u2")))
			for _, i := range []int{0, 2} {
				if outs[i].Err != nil || outs[i].Result.Delivered != 1 {
					t.Errorf("message %d: %+v; want it delivered", i, outs[i])
				}
			}
			if failed := outs[1].Err != nil; failed != (at == "records" || at == "requeue") {
				t.Errorf("message 1: %v", outs[1].Err)
			}
			var cause *sumu.PanicError
			for _, err := range []error{outs[1].Err, outs[1].Result.Err} {
				if err != nil && (!errors.As(err, &cause) || !bytes.Contains(cause.Stack, []byte("TestWorkerPanics"))) && at != "look-up" && at != "scan" {
					t.Errorf("error %v; want the panic and its stack", err)
				}
				if err != nil && strings.Contains(err.Error(), "boom") {
					t.Errorf("error %v holds the panic's value", err)
				}
			}
			if at == "look-up" || at == "post" {
				if len(inner.queue.sent) != 1 {
					t.Errorf("%d children; want u1 tried again", len(inner.queue.sent))
				}
			}
		})
	}
}
