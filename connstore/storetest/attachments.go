package storetest

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sumu-live/sumu"
)

// forgetGone fails unless ForgetGone finds the row gone, or not.
func (e *env) forgetGone(ref sumu.ConnectionRef, want bool) {
	e.Helper()
	gone, err := sumu.ForgetGone(e.ctx, e.store, ref)
	if err != nil || gone != want {
		e.Errorf("ForgetGone of %s is %t, %v, want %t", name(ref), gone, err, want)
	}
}

// ends are the ways in which a row ends.
func (e *env) ends() map[string]func(c sumu.Connection) {
	ends := map[string]func(c sumu.Connection){
		"Delete": func(c sumu.Connection) {
			if err := e.store.Delete(e.ctx, c.Ref()); err != nil {
				e.Fatalf("Delete: %v", err)
			}
		},
		"Prune": func(c sumu.Connection) { e.wantPrune(c.Ref(), e.f.Now(), true) },
	}
	if e.f.Cap {
		ends["PutCapped"] = func(c sumu.Connection) {
			newer := c
			newer.ID, newer.ConnectedAt = c.ID+"+", c.ConnectedAt.Add(time.Minute)
			evicted, err := e.capper().PutCapped(e.ctx, newer, 1, true)
			if err != nil || len(evicted) != 1 {
				e.Fatalf("PutCapped evicts %d rows, %v, want one", len(evicted), err)
			}
		}
	}
	return ends
}

var channelRowCases = []testCase{
	{"Memberships end with the row, however it ends", func(e *env) {
		stays := e.conn("stays", "c1")
		e.put(stays)
		e.join("room", stays)
		for how, end := range e.ends() {
			c := e.conn("u-"+how, "c1")
			e.put(c)
			e.join("room", c)
			e.join("other", c)
			e.forgetGone(c.Ref(), false)
			e.wantMembers("room", stays, c)
			end(c)
			e.forgetGone(c.Ref(), true)
			e.wantMembers("room", stays)
			e.wantMembers("other")
			e.wantMember(c.Ref(), "room", false)
			e.wantChannels(c.Ref())
			// Nor do they come back with it.
			e.put(c)
			e.wantMembers("room", stays)
			e.wantChannels(c.Ref())
		}
	}},

	{"Forget forgets one connection, as often as it is asked to", func(e *env) {
		a, b, c := e.conn("u1", "c1"), e.conn("u1", "c2"), e.conn("u2", "c1")
		e.put(a, b, c)
		for i := range 40 {
			e.join(fmt.Sprint("r", i), a)
		}
		e.join("r1", b, c)
		if err := e.store.Delete(e.ctx, a.Ref()); err != nil {
			e.Fatalf("Delete: %v", err)
		}
		for range 3 {
			if err := e.channels().Forget(e.ctx, a.Ref()); err != nil {
				e.Errorf("Forget: %v", err)
			}
			e.wantMembers("r0")
			e.wantMembers("r1", b, c)
			e.wantMembers("r39")
			e.wantChannels(a.Ref())
			e.wantChannels(b.Ref(), "r1")
		}
	}},

	{"A membership lasts as long as the row, whatever the caller believes", func(e *env) {
		a, b := e.conn("u1", "c1"), e.conn("u2", "c1")
		b.DeleteAt = time.Time{}
		e.put(a, b)
		for _, c := range []sumu.Connection{a, b} {
			early := c
			early.DeleteAt = e.f.Now().Add(-time.Minute)
			e.join("room", early)
			early.DeleteAt = e.f.Now().Add(time.Minute).Truncate(time.Second)
			e.join("other", early)
		}
		e.wantMembers("room", a, b)
		e.wantMembers("other", a, b)
	}},

	{"Of joins at the same time no more succeed than the limit allows", func(e *env) {
		for round := range max(e.f.rounds/10, 3) {
			c := e.conn(fmt.Sprint("u", round), "c1")
			e.put(c)
			const most, tries = 3, 12
			var wg sync.WaitGroup
			var mu sync.Mutex
			joined := make(map[string]bool)
			for i := range tries {
				wg.Go(func() {
					channel := fmt.Sprintf("r%02d", i%8) // Some of them twice.
					err := e.channels().Join(e.ctx, c, channel, most)
					mu.Lock()
					defer mu.Unlock()
					switch {
					case err == nil:
						joined[channel] = true
					case !errors.Is(err, sumu.ErrLimit):
						e.Errorf("Join: %v, want ErrLimit", err)
					}
				})
			}
			wg.Wait()
			channels, err := collect(e.channels().Channels(e.ctx, c.Ref()))
			if err != nil || len(channels) > most || len(channels) != len(joined) {
				e.Fatalf("it is in %d channels, %v; %d joins succeeded, at most %d may", len(channels), err, len(joined), most)
			}
			for _, channel := range channels {
				if !joined[channel] {
					e.Errorf("it is in %s, of which every join failed", channel)
				}
				e.wantMember(c.Ref(), channel, true)
			}
			for i := range 8 {
				if channel := fmt.Sprintf("r%02d", i); !joined[channel] {
					e.wantMember(c.Ref(), channel, false)
				}
			}
		}
	}},

	{"Of a join and a leave at the same time either comes last, whole", func(e *env) {
		c := e.conn("u1", "c1")
		e.put(c)
		for round := range e.f.rounds {
			race(round, func() { e.join("room", c) }, func() { e.leave("room", c.Ref()) })
			channels, err := collect(e.channels().Channels(e.ctx, c.Ref()))
			if err != nil {
				e.Fatalf("Channels: %v", err)
			}
			e.wantMember(c.Ref(), "room", len(channels) == 1)
			if len(channels) == 1 {
				e.wantMembers("room", c)
			} else {
				e.wantMembers("room")
			}
		}
	}},

	{"A join that meets the end of the connection leaves nothing behind", func(e *env) {
		for round := range e.f.rounds {
			c := e.conn(fmt.Sprint("u", round), "c1")
			e.put(c)
			race(round, func() {
				if err := e.channels().Join(e.ctx, c, "room", 0); err != nil && !errors.Is(err, sumu.ErrGone) {
					e.Errorf("Join: %v", err)
				}
			}, func() {
				if err := e.store.Delete(e.ctx, c.Ref()); err != nil {
					e.Errorf("Delete: %v", err)
				}
				e.forgetGone(c.Ref(), true)
			})
			e.wantChannels(c.Ref())
			e.wantMembers("room")
		}
	}},
}

var advanceChannelCases = []testCase{
	{"A membership is absent from the row's DeleteAt on", func(e *env) {
		now := e.f.Now().Truncate(time.Second)
		a, b := e.conn("u1", "c1"), e.conn("u2", "c1")
		a.DeleteAt = now.Add(time.Hour)
		e.put(a, b)
		e.join("room", a, b)
		e.f.Advance(now.Add(time.Hour - time.Second).Sub(e.f.Now()))
		e.wantMembers("room", a, b)
		e.f.Advance(time.Second)
		e.wantMembers("room", b)
		e.wantMember(a.Ref(), "room", false)
		e.wantChannels(a.Ref())
		if e.f.Sweep {
			e.settle()
			e.sweep(0)
		}
		e.wantMembers("room", b)
		e.forgetGone(a.Ref(), true)
		e.wantMembers("room", b)
		// The next connection of that name has joined nothing.
		a.DeleteAt = now.Add(3 * time.Hour)
		e.put(a)
		e.wantMembers("room", b)
		e.wantChannels(a.Ref())
		e.join("room", a)
		e.wantMembers("room", a, b)
	}},

	{"A channel that has expired does not count toward the limit", func(e *env) {
		a := e.conn("u1", "c1")
		a.DeleteAt = e.f.Now().Truncate(time.Second).Add(time.Hour)
		e.put(a)
		e.join("r1", a)
		e.join("r2", a)
		e.f.Advance(2 * time.Hour)
		a.DeleteAt = a.DeleteAt.Add(4 * time.Hour)
		e.put(a)
		for _, channel := range []string{"r2", "r3"} {
			if err := e.channels().Join(e.ctx, a, channel, 2); err != nil {
				e.Errorf("Join: %v", err)
			}
		}
		e.wantChannels(a.Ref(), "r2", "r3")
		e.wantMembers("r1")
		e.wantMembers("r2", a)
	}},
}

var advanceTouchChannelCases = []testCase{
	{"A membership that is prolonged with its row lasts as long", func(e *env) {
		now := e.f.Now().Truncate(time.Second)
		a := e.conn("u1", "c1")
		a.DeleteAt = now.Add(time.Hour)
		e.put(a)
		e.join("room", a)
		e.join("other", a)
		a.DeleteAt = now.Add(3 * time.Hour)
		if err := power[sumu.Toucher](e).Touch(e.ctx, a.Ref(), a.DeleteAt); err != nil {
			e.Fatalf("Touch: %v", err)
		}
		for range 2 {
			if err := e.channels().Prolong(e.ctx, a.Ref(), a.DeleteAt); err != nil {
				e.Fatalf("Prolong: %v", err)
			}
		}
		e.f.Advance(2 * time.Hour)
		e.wantMembers("room", a)
		e.wantMembers("other", a)
		e.wantChannels(a.Ref(), "other", "room")
		e.leave("other", a.Ref())
		e.wantMembers("other")
		e.f.Advance(2 * time.Hour)
		e.wantMembers("room")
		e.wantChannels(a.Ref())
	}},

	{"Prolong brings nothing back", func(e *env) {
		a := e.conn("u1", "c1")
		e.put(a)
		e.join("room", a)
		e.leave("room", a.Ref())
		if err := e.channels().Prolong(e.ctx, a.Ref(), a.DeleteAt.Add(time.Hour)); err != nil {
			e.Fatalf("Prolong: %v", err)
		}
		e.wantMembers("room")
		e.wantChannels(a.Ref())
	}},
}
