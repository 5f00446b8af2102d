package notify

import (
	"time"

	"github.com/sumu-live/sumu"
)

const (
	// minCrowd is from how many connections on a notification tells whether we
	// are too fast: fewer cannot build up more than a moment's work.
	minCrowd = 16
	// firstPause is the first pause of catchUp, and maxPause the longest.
	firstPause = 10 * time.Millisecond
	maxPause   = 250 * time.Millisecond
	// maxPatience is how long catchUp waits for anything to be taken.
	maxPatience = time.Second
)

// crowd is what one turn's pushes to many connections came to, counted where
// more than a quarter of them could not take it. A slow connection among many
// is its own affair and waits alone; when a crowd cannot take more, waiting for
// it is what keeps up the pace, and to push on would only fill our memory with
// what each of them is yet to get.
type crowd struct {
	targets   int // of these notifications, together
	largest   int // of one of them
	waiting   int // of the targets
	delivered int // by the turn
}

// count adds a result, and marks what is left of it if it is one of a crowd.
func (c *crowd) count(r *sumu.Result, left []entry) {
	c.delivered += r.Delivered
	waiting := r.Targets - r.Delivered - r.Gone
	if r.Targets < minCrowd || waiting*4 <= r.Targets {
		return
	}
	c.targets += r.Targets
	c.largest = max(c.largest, r.Targets)
	c.waiting += waiting
	for i := range left {
		left[i].crowd = true
	}
}

func (c *crowd) left() bool { return c.waiting > 0 }

// pace halves how many new notifications a turn takes when they were too many,
// and doubles it when they were not.
func (l *Local) pace(c *crowd) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.left() {
		l.fresh = max(l.fresh/2, 1)
	} else {
		l.fresh = min(l.fresh*2, l.opts.Batch)
	}
}

// catchUp tries again what a crowd could not take, until three quarters have
// it, or it turns out that they read too slowly to wait for: in patience, not
// one in sixteen took anything. It returns what remains, and how patient to be
// the next time: a crowd that does not read costs less and less.
func (l *Local) catchUp(rest []entry, c *crowd, patience time.Duration) ([]entry, time.Duration) {
	moved, delivered := time.Now(), 0
	end := moved.Add(l.opts.Timeout / 8)
	for pause := min(firstPause, l.opts.Backoff); c.waiting*4 > c.targets; pause = min(2*pause, maxPause) {
		if time.Now().Add(pause).After(end) || !l.sleep(pause) {
			break
		}
		var again, others []entry
		for i := range rest {
			if rest[i].crowd {
				rest[i].tries = 0 // Its back-off begins when it is no longer waited for.
				again = append(again, rest[i])
			} else {
				others = append(others, rest[i])
			}
		}
		left, round := l.push(again)
		rest = append(others, left...)
		if !round.left() {
			break
		}
		c.waiting -= round.delivered
		if delivered += round.delivered; delivered*16 >= c.largest {
			moved, delivered = time.Now(), 0
		} else if time.Since(moved) >= patience {
			return rest, max(patience/2, firstPause)
		}
	}
	return rest, maxPatience
}

// sleep reports false when Close ran out of time.
func (l *Local) sleep(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-l.ctx.Done():
		return false
	}
}
