package pusher

import (
	"context"
	"iter"
	"sync"
)

// row is one finding of a look-up; end says that the unit has no more.
type row struct {
	finding
	unit unit
	err  error
	end  bool
}

// rows yields what the units hold, in their order, while the next ones are
// already being looked up: the order is what lets one cursor stand for all that
// is left, and what keeps the notifications of a batch in sequence.
func (p *Pusher) rows(ctx context.Context, plans []*plan) iter.Seq[row] {
	total := 0
	for _, pl := range plans {
		for range pl.units() {
			total++
			if total > 1 && p.opts.Lookahead > 1 {
				return p.aheadRows(ctx, plans)
			}
		}
	}
	return func(yield func(row) bool) {
		for u := range units(plans) {
			if !p.unitRows(ctx, u, yield) {
				return
			}
		}
	}
}

func units(plans []*plan) iter.Seq[unit] {
	return func(yield func(unit) bool) {
		for _, pl := range plans {
			for u := range pl.units() {
				if !yield(u) {
					return
				}
			}
		}
	}
}

// unitRows reports whether the consumer wants more.
func (p *Pusher) unitRows(ctx context.Context, u unit, yield func(row) bool) bool {
	wanted := true
	err := safely(func() error {
		for f, err := range p.lookup(ctx, u) {
			if wanted = yield(row{finding: f, unit: u, err: err}); !wanted {
				break
			}
		}
		return nil
	})
	if err != nil && wanted { // The store has panicked.
		wanted = yield(row{unit: u, err: err})
	}
	return wanted && yield(row{unit: u, end: true})
}

const (
	aheadUnits = 8  // looked up by one goroutine, one after another
	aheadRows  = 32 // held for each of these goroutines
)

// ahead is a goroutine that looks up a few units.
type ahead struct{ rows chan row }

func (p *Pusher) aheadRows(ctx context.Context, plans []*plan) iter.Seq[row] {
	return func(yield func(row) bool) {
		ctx, cancel := context.WithCancel(ctx)
		var wg sync.WaitGroup
		defer wg.Wait()
		defer cancel()

		next, stop := iter.Pull(chunks(units(plans)))
		defer stop()
		var queue []ahead
		fill := func() {
			for len(queue) < p.opts.Lookahead {
				us, ok := next()
				if !ok {
					return
				}
				a := ahead{make(chan row, aheadRows)}
				queue = append(queue, a)
				wg.Go(func() {
					defer close(a.rows)
					for _, u := range us {
						if !p.unitRows(ctx, u, a.send(ctx)) {
							return
						}
					}
				})
			}
		}
		for fill(); len(queue) > 0; fill() {
			for r := range queue[0].rows {
				if !yield(r) {
					return
				}
			}
			if ctx.Err() != nil {
				return // The unit may not be complete.
			}
			queue = queue[1:]
		}
	}
}

func (a ahead) send(ctx context.Context) func(row) bool {
	return func(r row) bool {
		select {
		case a.rows <- r:
			return true
		case <-ctx.Done():
			return false
		}
	}
}

// chunks groups units: the first ones alone, so that they are looked up at the
// same time; further on several at once, since a goroutine for each of 10,000
// users costs more than reading them from memory.
func chunks(seq iter.Seq[unit]) iter.Seq[[]unit] {
	return func(yield func([]unit) bool) {
		var chunk []unit
		n := 0
		for u := range seq {
			chunk = append(chunk, u)
			n++
			if len(chunk) >= min(aheadUnits, 1+n/64) {
				if !yield(chunk) {
					return
				}
				chunk = nil
			}
		}
		if len(chunk) > 0 {
			yield(chunk)
		}
	}
}
