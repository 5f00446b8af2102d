package notify

import (
	"container/heap"
	"time"

	"github.com/sumu-live/sumu"
)

// work pushes batches until Close has nothing left, or no time.
func (l *Local) work() {
	patience := maxPatience
	for {
		batch := l.take()
		if len(batch) == 0 {
			return
		}
		rest, crowd := l.push(batch)
		l.pace(crowd)
		if crowd.left() {
			rest, patience = l.catchUp(rest, crowd, patience)
		} else {
			patience = maxPatience
		}
		l.settle(batch, rest)
	}
}

// take waits for entries to push; none: the worker ends.
func (l *Local) take() []entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		if l.ctx.Err() != nil || l.closed && len(l.queue)+len(l.later)+l.pushing == 0 {
			return nil
		}
		var batch []entry
		now := time.Now()
		for len(batch) < l.opts.Batch && len(l.later) > 0 && !l.later[0].at.After(now) {
			batch = append(batch, heap.Pop(&l.later).(entry))
		}
		fresh := min(l.fresh, l.opts.Batch-len(batch), len(l.queue))
		batch = append(batch, l.queue[:fresh]...)
		clear(l.queue[:fresh])
		if l.queue = l.queue[fresh:]; len(l.queue) == 0 {
			l.queue = nil
		}
		if len(batch) > 0 {
			l.pushing += len(batch)
			return batch
		}
		l.wait(now)
	}
}

// wait waits for a change, or until the next try is due.
func (l *Local) wait(now time.Time) {
	if len(l.later) > 0 {
		t := time.AfterFunc(l.later[0].at.Sub(now), l.wake)
		defer t.Stop()
	}
	l.changed.Wait()
}

// push pushes entries once, and returns what is to be tried again.
func (l *Local) push(batch []entry) ([]entry, *crowd) {
	now := time.Now()
	notifications := make([]sumu.Notification, len(batch))
	for i := range batch {
		notifications[i] = batch[i].next(now)
	}
	results, err := l.pusher.Push(l.ctx, notifications...)
	crowd, given := new(crowd), new(givenUp)
	if len(results) != len(batch) {
		err = &sumu.Error{Op: "the pusher accounts for no result", Kind: sumu.ErrUnavailable, Err: err}
		for i := range batch {
			given.add(batch[i].n, err)
		}
		l.giveUp(given)
		return nil, crowd
	}
	var rest []entry
	now = time.Now()
	for i := range results {
		left := l.outcome(&batch[i], &results[i], now, given)
		crowd.count(&results[i], left)
		rest = append(rest, left...)
	}
	l.giveUp(given)
	return rest, crowd
}

// settle replaces entries that were pushed by what remained of them. It never
// waits for room: a worker that did would wait for itself.
func (l *Local) settle(pushed, rest []entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pushing -= len(pushed)
	for i := range pushed {
		l.account(&pushed[i], -1)
	}
	for i := range rest {
		l.account(&rest[i], 1)
		heap.Push(&l.later, rest[i])
	}
	l.changed.Broadcast()
}
