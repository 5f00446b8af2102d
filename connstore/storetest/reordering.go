package storetest

import (
	"context"
	"iter"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/sumu-live/sumu"
)

// maxHeld is how many changes a [Reordering] feed keeps back at most.
const maxHeld = 16

// Reordering returns a feed of the changes of another as the contract allows
// them, and as streams with several shards and failing consumers have them: late,
// in another order, and some of them more than once. None is left out. The same
// seed makes the same choices, for the same changes at the same pace. One loop at
// a time may go over what its Changes returns, which reads the other feed until
// the context ends.
func Reordering(feed sumu.ChangeFeed, seed uint64) sumu.ChangeFeed {
	return reordering{feed, seed}
}

type reordering struct {
	feed sumu.ChangeFeed
	seed uint64
}

func (r reordering) Changes(ctx context.Context) iter.Seq[sumu.Change] {
	feed := r.feed.Changes(ctx) // From now on, not from the first reading.
	var (
		once sync.Once
		in   = make(chan sumu.Change)
		held []sumu.Change // what a loop that was left has not seen
		rnd  = rand.New(rand.NewPCG(r.seed, 1))
	)
	read := func() { // Until ctx ends: a loop may be left and entered again.
		defer close(in)
		for c := range feed {
			select {
			case in <- c:
			case <-ctx.Done():
				return
			}
		}
	}
	return func(yield func(sumu.Change) bool) {
		once.Do(func() { go read() })
		held = reorder(rnd, in, held, yield)
	}
}

// reorder yields changes until there are no more or the loop is left, and
// returns those that are held then.
func reorder(rnd *rand.Rand, in <-chan sumu.Change, held []sumu.Change, yield func(sumu.Change) bool) []sumu.Change {
	for {
		// Nothing is kept back once it is quiet.
		c, ok := sumu.Change{}, true
		if len(held) == 0 {
			if c, ok = <-in; ok {
				held = append(held, c)
			}
		} else {
			select {
			case c, ok = <-in:
				if ok {
					held = append(held, c)
				}
				if ok && len(held) < maxHeld && rnd.IntN(4) > 0 {
					continue
				}
			default:
			}
		}
		if !ok {
			return nil
		}
		i := rnd.IntN(len(held))
		c = held[i]
		if rnd.IntN(4) > 0 { // Else it comes again.
			held = slices.Delete(held, i, i+1)
		}
		if !yield(c) {
			return held
		}
	}
}
