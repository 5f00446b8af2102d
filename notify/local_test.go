package notify_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/leak"
	"github.com/sumu-live/sumu/notify"
)

// fakePusher records what it is asked to push. respond decides the outcome.
type fakePusher struct {
	respond func(ctx context.Context, n sumu.Notification) sumu.Result

	mu     sync.Mutex
	pushed []sumu.Notification
}

func (p *fakePusher) Push(ctx context.Context, batch ...sumu.Notification) ([]sumu.Result, error) {
	results := make([]sumu.Result, len(batch))
	for i, n := range batch {
		results[i] = sumu.Result{ID: n.ID, Targets: 1, Delivered: 1}
		if p.respond != nil {
			results[i] = p.respond(ctx, n)
		}
		p.mu.Lock()
		p.pushed = append(p.pushed, n)
		p.mu.Unlock()
	}
	return results, nil
}

func (p *fakePusher) ids() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var ids []string
	for _, n := range p.pushed {
		ids = append(ids, strings.TrimSuffix(n.Key(), "/"))
	}
	return strings.Join(ids, " ")
}

func note(id string) sumu.Notification {
	return sumu.Notification{ID: id, Everyone: true, Data: json.RawMessage(`1`)}
}

// retry is the result of a push whose target may yet succeed.
func retry(n sumu.Notification) sumu.Result {
	n.Attempt++
	n.Part += "r"
	return sumu.Result{ID: n.ID, Targets: 1, Requeued: 1, Remainder: []sumu.Notification{n}}
}

func newLocal(t *testing.T, p sumu.Pusher, optFns ...func(*notify.LocalOptions)) *notify.Local {
	t.Helper()
	l, err := notify.NewLocal(p, optFns...)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func send(t *testing.T, l *notify.Local, ids ...string) {
	t.Helper()
	for _, id := range ids {
		if err := l.Send(t.Context(), note(id)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLocalDeliversInOrderAndDrainsOnClose(t *testing.T) {
	leak.Check(t)
	p := new(fakePusher)
	l := newLocal(t, p, func(o *notify.LocalOptions) { o.Batch = 7; o.Queue = 10 })
	var want []string
	for i := range 200 {
		want = append(want, fmt.Sprint(i))
	}
	send(t, l, want...)
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := p.ids(); got != strings.Join(want, " ") {
		t.Errorf("pushed %s; want all, in their order", got)
	}
	if err := l.Send(t.Context(), note("late")); !errors.Is(err, sumu.ErrClosed) {
		t.Errorf("send after close: %v; want ErrClosed", err)
	}
	if err := l.Close(t.Context()); err != nil {
		t.Errorf("second close: %v", err)
	}
}

func TestLocalPushesBackWhenFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		p := &fakePusher{respond: func(_ context.Context, n sumu.Notification) sumu.Result {
			<-gate
			return sumu.Result{ID: n.ID, Targets: 1, Delivered: 1}
		}}
		l := newLocal(t, p, func(o *notify.LocalOptions) { o.Queue = 3; o.Batch = 1 })
		send(t, l, "1", "2", "3")

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := l.Send(ctx, note("4")); !errors.Is(err, context.DeadlineExceeded) || !sumu.Retryable(err) {
			t.Errorf("send to a full queue: %v; want the deadline", err)
		}
		done := make(chan error)
		go func() { done <- l.Send(t.Context(), note("5")) }()
		synctest.Wait()
		select {
		case err := <-done:
			t.Fatalf("send to a full queue returned %v", err)
		default:
		}
		close(gate)
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := l.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if got := p.ids(); got != "1 2 3 5" {
			t.Errorf("pushed %s; want 1 2 3 5", got)
		}
	})
}

func TestLocalTriesAgainWithoutHoldingUpOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &fakePusher{respond: func(_ context.Context, n sumu.Notification) sumu.Result {
			if n.ID == "slow" && len(n.Part) < 3 {
				return retry(n)
			}
			return sumu.Result{ID: n.ID, Targets: 1, Delivered: 1}
		}}
		l := newLocal(t, p, func(o *notify.LocalOptions) { o.Batch = 1 })
		start := time.Now()
		send(t, l, "slow", "2", "3")
		synctest.Wait()
		if got := p.ids(); got != "slow 2 3" {
			t.Errorf("pushed %s before any pause; want slow 2 3", got)
		}
		if err := l.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := p.ids(); got != "slow 2 3 slow/r slow/rr slow/rrr" {
			t.Errorf("pushed %s", got)
		}
		// 100-200, 200-400 and 400-800 ms.
		if d := time.Since(start); d < 700*time.Millisecond || d > 1400*time.Millisecond {
			t.Errorf("three pauses took %v", d)
		}
	})
}

// A worker whose own retry waited for room in the queue that it drains would
// wait for ever.
func TestLocalRetryNeedsNoRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &fakePusher{respond: func(_ context.Context, n sumu.Notification) sumu.Result {
			if n.Part != "" {
				return sumu.Result{ID: n.ID, Targets: 1, Delivered: 1}
			}
			r := retry(n) // Two remainders for one notification: more than there was room for.
			more := r.Remainder[0].Clone()
			more.Part += "1"
			r.Remainder = append(r.Remainder, more)
			return r
		}}
		l := newLocal(t, p, func(o *notify.LocalOptions) { o.Queue = 1 })
		for i := range 20 {
			send(t, l, fmt.Sprint(i))
		}
		if err := l.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := len(strings.Fields(p.ids())); got != 60 {
			t.Errorf("%d pushes; want 20 and 40 retries", got)
		}
	})
}

func TestLocalReportsWhatIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reason := &sumu.Error{Op: "post c1", Kind: sumu.ErrThrottled}
		p := &fakePusher{respond: func(_ context.Context, n sumu.Notification) sumu.Result {
			switch n.ID {
			case "refused":
				return sumu.Result{ID: n.ID, Err: sumu.ErrUnsupported}
			case "given-up":
				rest := n.Clone()
				rest.Part = "r"
				return sumu.Result{
					ID: n.ID, Targets: 1, Failed: 1, GivenUp: []sumu.Notification{rest},
					Failures: []sumu.Failure{{Err: reason}},
				}
			}
			return sumu.Result{ID: n.ID, Targets: 1, Delivered: 1}
		}}
		dead := make(map[string]error)
		l := newLocal(t, p, func(o *notify.LocalOptions) {
			o.Observer.DeadLetter = func(_ context.Context, n sumu.Notification, err error) { dead[n.Key()] = err }
		})
		send(t, l, "fine", "refused", "given-up")
		if err := l.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(dead) != 2 || !errors.Is(dead["refused/"], sumu.ErrUnsupported) || !errors.Is(dead["given-up/r"], sumu.ErrThrottled) {
			t.Errorf("dead letters: %v", dead)
		}
	})
}

// short is a pusher that breaks its contract.
type short struct{}

func (short) Push(context.Context, ...sumu.Notification) ([]sumu.Result, error) {
	return nil, errors.New("no")
}

func TestLocalReportsWhatAPusherLeavesOut(t *testing.T) {
	var dead []string
	l := newLocal(t, short{}, func(o *notify.LocalOptions) {
		o.Observer.DeadLetter = func(_ context.Context, n sumu.Notification, _ error) { dead = append(dead, n.ID) }
	})
	send(t, l, "1")
	if err := l.Close(t.Context()); err != nil || len(dead) != 1 {
		t.Errorf("close: %v; dead letters %v; want 1", err, dead)
	}
}

func TestLocalCloseOutOfTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &fakePusher{respond: func(ctx context.Context, n sumu.Notification) sumu.Result {
			switch n.ID {
			case "hangs":
				<-ctx.Done()
				return retry(n)
			case "waits":
				return retry(n)
			}
			return sumu.Result{ID: n.ID, Targets: 1, Delivered: 1}
		}}
		dead := make(map[string]error)
		l := newLocal(t, p, func(o *notify.LocalOptions) {
			o.Batch = 1
			o.Observer.DeadLetter = func(_ context.Context, n sumu.Notification, err error) { dead[n.Key()] = err }
		})
		send(t, l, "waits", "hangs", "queued")
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		err := l.Close(ctx)
		if !errors.Is(err, sumu.ErrUnavailable) || !strings.Contains(err.Error(), "3 notifications") {
			t.Errorf("close: %v; want ErrUnavailable with the number", err)
		}
		for _, key := range []string{"waits/r", "hangs/r", "queued/"} {
			if !errors.Is(dead[key], sumu.ErrClosed) {
				t.Errorf("%s: dead letter %v; want ErrClosed", key, dead[key])
			}
		}
	})
}

func TestLocalKeepsItsOwnCopy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := new(fakePusher)
		l := newLocal(t, p)
		n := sumu.Notification{ID: "1", Users: []string{"ann"}, Data: json.RawMessage(`1`)}
		if err := l.Send(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		n.Users[0], n.Data[0] = "bob", '2'
		event := &sumu.Event{Type: "t", Payload: json.RawMessage(`1`)}
		if err := l.Send(t.Context(), sumu.Notification{ID: "2", Event: event}); err != nil {
			t.Fatal(err)
		}
		event.Payload[0] = '2'
		if err := l.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := p.pushed[1].Event; string(got.Payload) != "1" {
			t.Errorf("pushed the event %+v; the caller changed it", got)
		}
		if got := p.pushed[0]; got.Users[0] != "ann" || string(got.Data) != "1" {
			t.Errorf("pushed %+v; the caller changed it", got)
		}
	})
}

// Many senders and workers: everything accepted is pushed exactly once.
func TestLocalUnderLoad(t *testing.T) {
	leak.Check(t)
	p := new(fakePusher)
	l := newLocal(t, p, func(o *notify.LocalOptions) { o.Queue = 8; o.Workers = 4; o.Batch = 3 })
	var wg sync.WaitGroup
	var mu sync.Mutex
	accepted := make(map[string]bool)
	for w := range 8 {
		wg.Go(func() {
			for i := range 100 {
				id := fmt.Sprintf("%d-%d", w, i)
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(i)*10*time.Microsecond)
				err := l.Send(ctx, note(id))
				cancel()
				if err == nil {
					mu.Lock()
					accepted[id] = true
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := strings.Fields(p.ids())
	for _, id := range got {
		if !accepted[id] {
			t.Errorf("%s was pushed twice, or never accepted", id)
		}
		delete(accepted, id)
	}
	if len(accepted) != 0 {
		t.Errorf("%d accepted notifications were lost", len(accepted))
	}
}

func TestLocalOptions(t *testing.T) {
	_, err := notify.NewLocal(nil, func(o *notify.LocalOptions) {
		o.Queue, o.Batch, o.Workers, o.Backoff, o.Bytes, o.Timeout = -1, 1001, -1, time.Hour, 1, -1
	})
	if !errors.Is(err, sumu.ErrInvalid) {
		t.Fatalf("got %v; want ErrInvalid", err)
	}
	for _, name := range []string{"Pusher", "Queue", "Batch", "Workers", "Backoff", "Bytes", "Timeout"} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("the error does not name %s: %v", name, err)
		}
	}
}
