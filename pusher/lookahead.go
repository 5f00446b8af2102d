package pusher

import (
	"context"
	"iter"
	"sync"
)

// rows yields what the units hold, in their order, while the next ones are
// already being looked up: the order is what lets one cursor stand for all that
// is left, and what keeps the notifications of a batch in sequence. A row is
// good until the next one.
func (p *Pusher) rows(ctx context.Context, plans []*plan) iter.Seq[*row] {
	return func(yield func(*row) bool) {
		ctx, cancel := context.WithCancel(ctx)
		a := &ahead{p: p, ctx: ctx}
		defer a.wg.Wait()
		defer cancel()
		for _, pl := range plans {
			if !pl.found {
				a.plans = append(a.plans, pl)
			}
		}
		own := p.lookup(ctx, yield)
		for {
			b, u, ok := a.next()
			switch {
			case !ok:
				return
			case b != nil:
				if !b.each(ctx, yield) {
					return
				}
			case !own.look(u):
				return
			}
		}
	}
}

const (
	aheadUnits = 8  // looked up by one goroutine, one after another
	aheadRows  = 32 // held for each of these goroutines
)

// ahead are the look-ups of a push. Whoever consumes the rows looks a unit up
// itself when it is the next one and nobody has begun with it, so that units in
// memory need nobody else; goroutines look up what comes behind it.
type ahead struct {
	p   *Pusher
	ctx context.Context
	wg  sync.WaitGroup

	mu      sync.Mutex
	plans   []*plan // with units that nobody has taken
	index   int     // of the next one, in the first of them
	taken   int
	working int       // goroutines
	coming  bool      // one of them has taken nothing yet: it begins with the next
	buffers []*buffer // of units that were taken, the oldest first
}

// next returns what comes next: a buffer, or a unit to look up.
func (a *ahead) next() (b *buffer, u unit, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if ok = len(a.buffers) > 0; ok {
		b = a.buffers[0]
		a.buffers = a.buffers[1:]
	} else {
		u, ok = a.take()
	}
	a.help()
	return b, u, ok
}

// take returns the next unit. Called under mu, as help is.
func (a *ahead) take() (u unit, ok bool) {
	if len(a.plans) == 0 {
		return u, false
	}
	u = unit{a.plans[0], a.index}
	a.taken++
	if a.index++; a.index == u.plan.size() {
		a.plans, a.index = a.plans[1:], 0
	}
	return u, true
}

// help begins with another goroutine, if there is something for it to do.
func (a *ahead) help() {
	if len(a.plans) > 0 && !a.coming && a.working < a.p.opts.Lookahead-1 && len(a.buffers) < a.p.opts.Lookahead {
		a.working++
		a.coming = true
		a.wg.Go(a.work)
	}
}

// work looks up units until as many are looked up as may be.
func (a *ahead) work() {
	var units []unit
	for first := true; ; first = false {
		a.mu.Lock()
		if first {
			a.coming = false
		}
		if len(a.plans) == 0 || len(a.buffers) >= a.p.opts.Lookahead || a.ctx.Err() != nil {
			a.working--
			a.mu.Unlock()
			return
		}
		// The first ones alone, so that they are looked up at the same time.
		units = units[:0]
		for range min(aheadUnits, 1+a.taken/64) {
			if u, ok := a.take(); ok {
				units = append(units, u)
			}
		}
		b := &buffer{filled: make(chan struct{}, 1), room: make(chan struct{}, 1)}
		a.buffers = append(a.buffers, b)
		a.help()
		a.mu.Unlock()

		l := a.p.lookup(a.ctx, func(r *row) bool { return b.put(a.ctx, r) })
		for _, u := range units {
			if !l.look(u) {
				break
			}
		}
		b.end()
	}
}

// buffer holds rows that were found before their turn.
type buffer struct {
	mu     sync.Mutex
	rows   []row
	ended  bool
	filled chan struct{} // something was added, or it has ended
	room   chan struct{} // something was taken
}

// put reports false when ctx has ended.
func (b *buffer) put(ctx context.Context, r *row) bool {
	for {
		b.mu.Lock()
		if len(b.rows) < aheadRows {
			b.rows = append(b.rows, *r)
			b.mu.Unlock()
			signal(b.filled)
			return true
		}
		b.mu.Unlock()
		select {
		case <-b.room:
		case <-ctx.Done():
			return false
		}
	}
}

func (b *buffer) end() {
	b.mu.Lock()
	b.ended = true
	b.mu.Unlock()
	signal(b.filled)
}

// each yields the rows until the buffer has ended. It reports false when no more
// are wanted, or they are not complete because ctx has ended.
func (b *buffer) each(ctx context.Context, yield func(*row) bool) bool {
	var rows []row
	for {
		b.mu.Lock()
		rows, b.rows = b.rows, rows[:0]
		ended := b.ended
		b.mu.Unlock()
		signal(b.room)
		for i := range rows {
			if !yield(&rows[i]) {
				return false
			}
		}
		if len(rows) == 0 {
			if ended {
				return ctx.Err() == nil
			}
			<-b.filled
		}
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
