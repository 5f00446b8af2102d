package storetest

import (
	"errors"
	"fmt"
	"time"

	"github.com/sumu-live/sumu"
)

func (e *env) touch(ref sumu.ConnectionRef, deleteAt time.Time) {
	e.Helper()
	if err := power[sumu.Toucher](e).Touch(e.ctx, ref, deleteAt); err != nil {
		e.Fatalf("Touch of %s: %v", name(ref), err)
	}
}

func (e *env) touchAbsent(ref sumu.ConnectionRef) {
	e.Helper()
	later := e.f.Now().Add(time.Hour).Truncate(time.Second)
	e.wantKind("Touch of "+name(ref), power[sumu.Toucher](e).Touch(e.ctx, ref, later), sumu.ErrGone)
}

var touchCases = []testCase{
	{"Touch moves DeleteAt and nothing else", func(e *env) {
		c, other := e.conn("u1", "c1"), e.conn("u1", "c2")
		e.put(c, other)
		for _, by := range []time.Duration{time.Hour, -time.Hour, time.Second} {
			c.DeleteAt = c.DeleteAt.Add(by)
			e.touch(c.Ref(), c.DeleteAt)
			e.wantRow(c)
			e.wantByUser("u1", c, other)
		}
	}},

	{"Touch of a row without DeleteAt gives it one, and the zero time takes it away", func(e *env) {
		c := e.conn("u1", "c1")
		at := c.DeleteAt
		c.DeleteAt = time.Time{}
		e.put(c)
		c.DeleteAt = at
		e.touch(c.Ref(), at)
		e.wantRow(c)
		c.DeleteAt = time.Time{}
		e.touch(c.Ref(), c.DeleteAt)
		e.wantRow(c)
	}},

	{"Touch with a time that has passed makes a row expire", func(e *env) {
		c := e.conn("u1", "c1")
		e.put(c)
		e.touch(c.Ref(), e.f.Now().Add(-time.Hour).Truncate(time.Second))
		e.wantAbsent(c.Ref())
		e.wantLive("u1", false)
		e.touchAbsent(c.Ref())
	}},

	{"Touch of an absent row is ErrGone and writes nothing", func(e *env) {
		c, other := e.conn("u1", "c1"), e.conn("u1", "c2")
		e.touchAbsent(c.Ref())
		e.put(c, other)
		if err := e.store.Delete(e.ctx, c.Ref()); err != nil {
			e.Fatalf("Delete: %v", err)
		}
		e.touchAbsent(c.Ref())
		e.wantAbsent(c.Ref())
		e.wantAll(sumu.Segment{}, []sumu.Connection{other})
	}},

	{"Touch never brings an expired row back", func(e *env) {
		c := e.expired("u1", "c1")
		e.put(c)
		e.touchAbsent(c.Ref())
		e.wantAbsent(c.Ref())
		e.wantLive("u1", false)
		e.wantByUser("u1")
	}},

	{"Touch never brings back a row that is being deleted", func(e *env) {
		toucher := power[sumu.Toucher](e)
		for round := range e.f.rounds {
			c := e.conn("u1", fmt.Sprint("c", round))
			e.put(c)
			race(round, func() {
				err := toucher.Touch(e.ctx, c.Ref(), c.DeleteAt.Add(time.Hour))
				if err != nil && !errors.Is(err, sumu.ErrGone) {
					e.Errorf("Touch: %v", err)
				}
			}, func() {
				if err := e.store.Delete(e.ctx, c.Ref()); err != nil {
					e.Errorf("Delete: %v", err)
				}
			})
			e.wantAbsent(c.Ref())
		}
		e.wantLive("u1", false)
	}},
}

var advanceTouchCases = []testCase{
	{"A row that was touched lives until its new DeleteAt", func(e *env) {
		now := e.f.Now().Truncate(time.Second)
		c, untouched := e.conn("u1", "c1"), e.conn("u2", "c1")
		c.DeleteAt, untouched.DeleteAt = now.Add(time.Hour), now.Add(time.Hour)
		e.put(c, untouched)
		c.DeleteAt = now.Add(3 * time.Hour)
		e.touch(c.Ref(), c.DeleteAt)
		e.f.Advance(2 * time.Hour)
		e.wantRow(c)
		e.wantLive("u1", true)
		e.wantAll(sumu.Segment{}, []sumu.Connection{c})
		e.touchAbsent(untouched.Ref())
		e.f.Advance(time.Hour)
		e.touchAbsent(c.Ref())
		e.wantAbsent(c.Ref())
		e.wantAll(sumu.Segment{}, nil)
	}},
}
