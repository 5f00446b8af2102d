package storetest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sumu-live/sumu"
)

func (e *env) refresher() sumu.Refresher { return power[sumu.Refresher](e) }

func (e *env) refresh(ref sumu.ConnectionRef, authExpiresAt time.Time) {
	e.Helper()
	if err := e.refresher().Refresh(e.ctx, ref, authExpiresAt); err != nil {
		e.Fatalf("Refresh of %s: %v", name(ref), err)
	}
}

func (e *env) refreshAbsent(ref sumu.ConnectionRef) {
	e.Helper()
	later := e.f.Now().Add(time.Hour).Truncate(time.Second)
	e.wantKind("Refresh of "+name(ref), e.refresher().Refresh(e.ctx, ref, later), sumu.ErrGone)
}

var refreshCases = []testCase{
	{"Refresh moves AuthExpiresAt and nothing else", func(e *env) {
		c, other := e.conn("u1", "c1"), e.conn("u1", "c2")
		e.put(c, other)
		for _, by := range []time.Duration{time.Hour, -time.Hour, time.Second, 48 * time.Hour} {
			c.AuthExpiresAt = c.AuthExpiresAt.Add(by)
			e.refresh(c.Ref(), c.AuthExpiresAt)
			e.wantRow(c)
			e.wantByUser("u1", c, other)
		}
	}},

	{"Refresh of a row without AuthExpiresAt gives it one, and the zero time takes it away", func(e *env) {
		c := e.conn("u1", "c1")
		at := c.AuthExpiresAt
		c.AuthExpiresAt = time.Time{}
		e.put(c)
		c.AuthExpiresAt = at
		e.refresh(c.Ref(), at)
		e.wantRow(c)
		c.AuthExpiresAt = time.Time{}
		e.refresh(c.Ref(), c.AuthExpiresAt)
		e.wantRow(c)
	}},

	{"Refresh with a time that has passed does not make a row expire", func(e *env) {
		c := e.conn("u1", "c1")
		e.put(c)
		c.AuthExpiresAt = e.f.Now().Add(-time.Hour).Truncate(time.Second)
		e.refresh(c.Ref(), c.AuthExpiresAt)
		e.wantRow(c)
		e.wantLive("u1", true)
	}},

	{"Refresh of an absent row is ErrGone and writes nothing", func(e *env) {
		c, other := e.conn("u1", "c1"), e.conn("u1", "c2")
		e.refreshAbsent(c.Ref())
		e.put(c, other)
		if err := e.store.Delete(e.ctx, c.Ref()); err != nil {
			e.Fatalf("Delete: %v", err)
		}
		e.refreshAbsent(c.Ref())
		e.wantAbsent(c.Ref())
		e.wantAll(sumu.Segment{}, []sumu.Connection{other})
	}},

	{"Refresh never brings an expired row back", func(e *env) {
		c := e.expired("u1", "c1")
		e.put(c)
		e.refreshAbsent(c.Ref())
		e.wantAbsent(c.Ref())
		e.wantLive("u1", false)
		e.wantByUser("u1")
	}},

	{"Refresh never brings back a row that is being deleted", func(e *env) {
		for round := range e.f.rounds {
			c := e.conn("u1", fmt.Sprint("c", round))
			e.put(c)
			race(round, func() {
				err := e.refresher().Refresh(e.ctx, c.Ref(), c.AuthExpiresAt.Add(time.Hour))
				if err != nil && !errors.Is(err, sumu.ErrGone) {
					e.Errorf("Refresh: %v", err)
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

	{"Refresh and a Touch at the same time do not undo each other", func(e *env) {
		if !e.f.Touch {
			return
		}
		toucher := power[sumu.Toucher](e)
		for round := range e.f.rounds {
			c := e.conn("u1", fmt.Sprint("c", round))
			e.put(c)
			c.AuthExpiresAt, c.DeleteAt = c.AuthExpiresAt.Add(time.Hour), c.DeleteAt.Add(time.Hour)
			race(round, func() {
				if err := e.refresher().Refresh(e.ctx, c.Ref(), c.AuthExpiresAt); err != nil {
					e.Errorf("Refresh: %v", err)
				}
			}, func() {
				if err := toucher.Touch(e.ctx, c.Ref(), c.DeleteAt); err != nil {
					e.Errorf("Touch: %v", err)
				}
			})
			e.wantRow(c)
		}
	}},

	{"Refresh of a reference that does not validate is ErrInvalid", func(e *env) {
		for _, ref := range badRefs {
			err := e.refresher().Refresh(e.ctx, ref, e.f.Now().Add(time.Hour))
			e.wantKind("Refresh of "+name(ref), err, sumu.ErrInvalid)
		}
	}},

	{"Refresh with a cancelled context fails with its error and writes nothing", func(e *env) {
		c := e.conn("u1", "c1")
		e.put(c)
		ctx, cancel := context.WithCancel(e.ctx)
		cancel()
		err := e.refresher().Refresh(ctx, c.Ref(), c.AuthExpiresAt.Add(time.Hour))
		e.wantKind("Refresh", err, context.Canceled)
		e.wantRow(c)
	}},
}

var advanceRefreshCases = []testCase{
	{"Refresh does not prolong a row", func(e *env) {
		c := e.conn("u1", "c1")
		c.DeleteAt = e.f.Now().Truncate(time.Second).Add(time.Hour)
		e.put(c)
		c.AuthExpiresAt = c.DeleteAt.Add(3 * time.Hour)
		e.refresh(c.Ref(), c.AuthExpiresAt)
		e.wantRow(c)
		e.f.Advance(c.DeleteAt.Sub(e.f.Now()))
		e.wantAbsent(c.Ref())
		e.wantLive("u1", false)
		e.refreshAbsent(c.Ref())
	}},
}
