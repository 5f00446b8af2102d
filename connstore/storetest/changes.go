package storetest

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/sumu-live/sumu"
)

// defaultPatience is how long a change may take to arrive before it counts as
// lost.
const defaultPatience = 10 * time.Second

// reader reads a feed in a goroutine of its own, so that a change that never
// comes fails the test instead of blocking it.
type reader struct {
	changes chan sumu.Change
	stop    context.CancelFunc
	ended   chan struct{} // closed when the feed has ended
}

func (e *env) follow() *reader {
	ctx, cancel := context.WithCancel(e.ctx)
	return e.read(ctx, cancel, power[sumu.ChangeFeed](e).Changes(ctx))
}

func (e *env) read(ctx context.Context, cancel context.CancelFunc, feed iter.Seq[sumu.Change]) *reader {
	r := &reader{make(chan sumu.Change), cancel, make(chan struct{})}
	go func() {
		defer close(r.ended)
		for c := range feed {
			select {
			case r.changes <- c:
			case <-ctx.Done():
			}
		}
	}()
	return r
}

// end fails unless the feed ends with its context.
func (r *reader) end(e *env) {
	e.Helper()
	r.stop()
	select {
	case <-r.ended:
	case <-time.After(e.f.patience):
		e.Errorf("the feed does not end with its context")
	}
}

// next returns the next change; ok is false when none comes.
func (r *reader) next(e *env) (c sumu.Change, ok bool) {
	e.Helper()
	select {
	case c = <-r.changes:
		return c, true
	case <-r.ended:
		e.Errorf("the feed ends by itself")
	case <-time.After(e.f.patience):
		e.Errorf("no change comes within %v", e.f.patience)
	}
	return c, false
}

// want fails unless a change comes for each of the rows, each naming the row or
// none. Others may come too: changes may come twice and in any order.
func (r *reader) want(e *env, what string, refs ...sumu.ConnectionRef) {
	e.Helper()
	missing := make(map[string]string)
	for _, ref := range refs {
		missing[ref.UserID] = ref.ConnectionID
	}
	for len(missing) > 0 {
		c, ok := r.next(e)
		if !ok {
			e.Errorf("%s: no change for the users of %v", what, missing)
			return
		}
		if id, ok := missing[c.UserID]; ok && (c.ConnectionID == "" || c.ConnectionID == id) {
			delete(missing, c.UserID)
		}
	}
}

var changeCases = []testCase{
	{"Every write and removal of a row is a change", func(e *env) {
		r := e.follow()
		defer r.end(e)
		c := e.conn("u1", "c1")
		e.put(c)
		r.want(e, "Put of a new row", c.Ref())
		e.put(c)
		r.want(e, "Put of a row that exists", c.Ref())
		if err := e.store.Delete(e.ctx, c.Ref()); err != nil {
			e.Fatalf("Delete: %v", err)
		}
		r.want(e, "Delete", c.Ref())
		e.put(c)
		r.want(e, "Put again", c.Ref())
		e.wantPrune(c.Ref(), e.f.Now(), true)
		r.want(e, "Prune", c.Ref())
	}},

	{"The sweep of an expired row is a change", func(e *env) {
		if !e.f.Sweep {
			return
		}
		r := e.follow()
		defer r.end(e)
		a, b := e.expired("u1", "c1"), e.expired("u2", "c1")
		e.put(a, b)
		r.want(e, "Put", a.Ref(), b.Ref())
		e.settle()
		e.wantSwept(0, 2)
		r.want(e, "SweepExpired", a.Ref(), b.Ref())
	}},

	{"The removal of an expired row is a change, whoever removes it", func(e *env) {
		// A row that goes unseen would leave its user online for good.
		r := e.follow()
		defer r.end(e)
		c := e.expired("u1", "c1")
		e.put(c)
		r.want(e, "Put", c.Ref())
		if err := e.store.Delete(e.ctx, c.Ref()); err != nil {
			e.Fatalf("Delete: %v", err)
		}
		r.want(e, "Delete", c.Ref())
	}},

	{"Changes begin with the call, not with the loop", func(e *env) {
		ctx, cancel := context.WithCancel(e.ctx)
		feed := power[sumu.ChangeFeed](e).Changes(ctx)
		c := e.conn("u1", "c1")
		e.put(c)
		r := e.read(ctx, cancel, feed)
		defer r.end(e)
		r.want(e, "Put before the loop", c.Ref())
	}},

	{"A change is told once its write can be read", func(e *env) {
		r := e.follow()
		defer r.end(e)
		for i := range 50 {
			c := e.conn(fmt.Sprint("u", i), "c1")
			done := make(chan error, 1)
			go func() { done <- e.store.Put(e.ctx, c) }()
			r.want(e, "Put", c.Ref())
			e.wantRow(c)
			e.wantLive(c.UserID, true)
			if err := <-done; err != nil {
				e.Errorf("Put: %v", err)
			}
		}
	}},

	{"Unread changes of one user are joined into one", func(e *env) {
		ctx, cancel := context.WithCancel(e.ctx)
		feed := power[sumu.ChangeFeed](e).Changes(ctx)
		e.put(e.crowd("guest", 100)...)
		one := e.conn("u1", "c1")
		e.put(one, one)
		r := e.read(ctx, cancel, feed)
		defer r.end(e)
		joined := map[string]string{"guest": "", "u1": "c1"}
		for range 2 {
			c, ok := r.next(e)
			if !ok {
				return
			}
			id, ok := joined[c.UserID]
			if !ok {
				e.Errorf("a second change of %q comes, though the first was not read", c.UserID)
			} else if c.ConnectionID != id && c.ConnectionID != "" {
				e.Errorf("the change of %q names %q, want %q", c.UserID, c.ConnectionID, id)
			}
			delete(joined, c.UserID)
		}
	}},

	{"Every feed gets every change", func(e *env) {
		a, b := e.follow(), e.follow()
		defer a.end(e)
		for i := range 10 {
			c := e.conn(fmt.Sprint("u", i), "c1")
			e.put(c)
			a.want(e, "the first feed", c.Ref())
			b.want(e, "the second feed", c.Ref())
		}
		// One that ends does not disturb the other.
		b.end(e)
		c := e.conn("u10", "c1")
		e.put(c)
		a.want(e, "the feed that is left", c.Ref())
	}},

	{"A feed ends with its context, read or not", func(e *env) {
		ctx, cancel := context.WithCancel(e.ctx)
		unread := power[sumu.ChangeFeed](e).Changes(ctx)
		e.put(e.conn("u1", "c1"))
		cancel()
		e.put(e.conn("u2", "c1"))
		r := e.read(e.ctx, cancel, unread)
		r.end(e)
		select {
		case c := <-r.changes:
			e.Errorf("a feed whose context has ended yields %+v", c)
		default:
		}
	}},

	{"A loop over changes may be left and entered again", func(e *env) {
		ctx, cancel := context.WithCancel(e.ctx)
		feed := power[sumu.ChangeFeed](e).Changes(ctx)
		a, b := e.conn("u1", "c1"), e.conn("u2", "c1")
		e.put(a)
		late := time.AfterFunc(e.f.patience, cancel)
		for range feed {
			break
		}
		if !late.Stop() {
			e.Fatalf("no change comes within %v", e.f.patience)
		}
		e.put(b)
		r := e.read(ctx, cancel, feed)
		defer r.end(e)
		r.want(e, "Put after the loop was left", b.Ref())
	}},
}
