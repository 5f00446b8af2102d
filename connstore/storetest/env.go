package storetest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
)

// tb is what the suite needs of a [testing.T]. The suite's own tests stand in
// for it, to see it fail.
type tb interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Context() context.Context
	run(name string, test func(t tb))
}

type testingT struct{ *testing.T }

func (t testingT) run(name string, test func(t tb)) {
	t.T.Run(name, func(t *testing.T) { test(testingT{t}) })
}

// env is what a case works with.
type env struct {
	tb
	ctx   context.Context
	store sumu.Store
	f     Features
}

// power returns the store as one of its optional interfaces.
func power[P any](e *env) P {
	e.Helper()
	p, ok := e.store.(P)
	if !ok {
		e.Fatalf("the store does not implement what Features declare: %T", &p)
	}
	return p
}

// conn returns a live row with every field set.
func (e *env) conn(user, id string) sumu.Connection {
	now := e.f.Now()
	return sumu.Connection{
		UserID:        user,
		ID:            id,
		Endpoint:      "https://node-1.example.com/dev",
		ConnectedAt:   now.Add(-time.Hour).Truncate(time.Second).Add(123 * time.Millisecond),
		DeleteAt:      now.Add(48 * time.Hour).Truncate(time.Second),
		AuthExpiresAt: now.Add(24 * time.Hour).Truncate(time.Second),
	}
}

// expired returns a row that has expired.
func (e *env) expired(user, id string) sumu.Connection {
	c := e.conn(user, id)
	c.DeleteAt = e.f.Now().Add(-time.Hour).Truncate(time.Second)
	return c
}

// put writes rows, many at a time.
func (e *env) put(rows ...sumu.Connection) {
	e.Helper()
	if err := parallel(len(rows), func(i int) error { return e.store.Put(e.ctx, rows[i]) }); err != nil {
		e.Fatalf("Put: %v", err)
	}
}

// parallel calls f for 0 to n-1 from up to 16 goroutines and returns the errors.
func parallel(n int, f func(i int) error) error {
	var (
		wg   sync.WaitGroup
		errs = make([]error, n)
		next = make(chan int)
	)
	for range min(n, 16) {
		wg.Go(func() {
			for i := range next {
				errs[i] = f(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
	return errors.Join(errs...)
}

// race calls both at about the same time, which of them first depends on the
// round, and returns when both have.
func race(round int, a, b func()) {
	if round%2 == 1 {
		a, b = b, a
	}
	var wg sync.WaitGroup
	wg.Go(a)
	for range round % 5 {
		runtime.Gosched()
	}
	b()
	wg.Wait()
}

// defaultRounds is how often two writers are set against each other.
const defaultRounds = 200

// wantRow fails unless Get returns the row.
func (e *env) wantRow(want sumu.Connection) {
	e.Helper()
	got, err := e.store.Get(e.ctx, want.Ref())
	if err != nil {
		e.Fatalf("Get of %s: %v", name(want.Ref()), err)
	}
	if diff := difference(got, want); diff != "" {
		e.Errorf("Get of %s: %s", name(want.Ref()), diff)
	}
}

// wantAbsent fails unless Get does not find the row.
func (e *env) wantAbsent(ref sumu.ConnectionRef) {
	e.Helper()
	c, err := e.store.Get(e.ctx, ref)
	if err == nil {
		e.Errorf("Get of %s returns %+v, want ErrGone", name(ref), c)
		return
	}
	e.wantKind("Get of "+name(ref), err, sumu.ErrGone)
}

// wantKind fails unless err is of the kind, by [errors.Is]: its type is the
// driver's.
func (e *env) wantKind(what string, err, kind error) {
	e.Helper()
	if !errors.Is(err, kind) {
		e.Errorf("%s: error is %v, want %v", what, err, kind)
	}
}

func (e *env) wantLive(user string, want bool) {
	e.Helper()
	got, err := e.store.HasLive(e.ctx, user)
	if err != nil {
		e.Fatalf("HasLive of %q: %v", short(user), err)
	}
	if got != want {
		e.Errorf("HasLive of %q is %t, want %t", short(user), got, want)
	}
}

// wantByUser fails unless ByUser yields the rows, in their order.
func (e *env) wantByUser(user string, want ...sumu.Connection) {
	e.Helper()
	e.hold(func() error {
		got, err := collect(e.store.ByUser(e.ctx, user))
		if err != nil {
			return fmt.Errorf("ByUser of %q: %w", short(user), err)
		}
		for i := range min(len(got), len(want)) {
			if diff := difference(got[i], want[i]); diff != "" {
				return fmt.Errorf("ByUser of %q: row %d: %s", short(user), i, diff)
			}
		}
		if len(got) != len(want) {
			return fmt.Errorf("ByUser of %q yields %d rows, want %d", short(user), len(got), len(want))
		}
		return nil
	})
}

// hold fails unless check returns nil.
func (e *env) hold(check func() error) {
	e.Helper()
	if err := check(); err != nil {
		e.Fatalf("%v", err)
	}
}

// eventually is hold for what rests on All: once more after the store has
// caught up, if it may lag.
func (e *env) eventually(check func() error) {
	e.Helper()
	if e.f.CatchUp != nil && check() != nil {
		e.settle()
	}
	e.hold(check)
}

// settle has All and SweepExpired see what was written.
func (e *env) settle() {
	if e.f.CatchUp != nil {
		e.f.CatchUp(e.store)
	}
}

// collect ranges over seq up to its first error, or to its end.
func collect[R any](seq iter.Seq2[R, error]) ([]R, error) {
	var rows []R
	for r, err := range seq {
		if err != nil {
			return rows, err
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// difference says how got differs from want, at the precision that the
// contract keeps.
func difference(got, want sumu.Connection) string {
	switch {
	case got.Ref() != want.Ref():
		return fmt.Sprintf("is %s, want %s", name(got.Ref()), name(want.Ref()))
	case got.Endpoint != want.Endpoint:
		return fmt.Sprintf("Endpoint is %q, want %q", got.Endpoint, want.Endpoint)
	case !sameTime(got.ConnectedAt, want.ConnectedAt, time.Time.UnixMilli):
		return fmt.Sprintf("ConnectedAt is %v, want %v", got.ConnectedAt, want.ConnectedAt)
	case !sameTime(got.DeleteAt, want.DeleteAt, time.Time.Unix):
		return fmt.Sprintf("DeleteAt is %v, want %v", got.DeleteAt, want.DeleteAt)
	case !sameTime(got.AuthExpiresAt, want.AuthExpiresAt, time.Time.Unix):
		return fmt.Sprintf("AuthExpiresAt is %v, want %v", got.AuthExpiresAt, want.AuthExpiresAt)
	}
	return ""
}

func sameTime(a, b time.Time, unit func(time.Time) int64) bool {
	return a.IsZero() == b.IsZero() && unit(a) == unit(b)
}

// name is a reference as a message shows it.
func name(ref sumu.ConnectionRef) string {
	return fmt.Sprintf("%q/%q", short(ref.UserID), short(ref.ConnectionID))
}

func short(s string) string {
	if len(s) > 40 {
		return fmt.Sprintf("%s… (%d bytes)", s[:37], len(s))
	}
	return s
}
