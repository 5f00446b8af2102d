package notify

import (
	"container/heap"
	"errors"
	"time"

	"github.com/sumu-live/sumu"
)

// work pushes batches until Close has nothing left, or no time.
func (l *Local) work() {
	for {
		batch := l.take()
		if len(batch) == 0 {
			return
		}
		results, err := l.pusher.Push(l.ctx, batch...)
		if len(results) != len(batch) {
			for _, n := range batch {
				l.deadLetter(n, &sumu.Error{Op: "the pusher accounts for no result", Kind: sumu.ErrUnavailable, Err: err})
			}
			l.settle(len(batch), nil)
			continue
		}
		var rest []sumu.Notification
		for i := range results {
			rest = append(rest, l.sort(batch[i], &results[i])...)
		}
		l.settle(len(batch), rest)
	}
}

var errGivenUp = errors.New("tried often enough")

// sort reports what was given up and returns what is to be tried again.
func (l *Local) sort(n sumu.Notification, r *sumu.Result) []sumu.Notification {
	if r.Refused() {
		l.deadLetter(n, r.Err)
	}
	for _, given := range r.GivenUp {
		err := r.Err
		if err == nil && len(r.Failures) > 0 {
			err = r.Failures[0].Err
		}
		l.deadLetter(given, &sumu.Error{Op: "notify " + n.ID, Err: errors.Join(errGivenUp, err)})
	}
	return r.Remainder
}

// settle replaces notifications that were pushed by what remained of them. It
// never waits for room: a worker that did would wait for itself.
func (l *Local) settle(pushed int, rest []sumu.Notification) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.accepted += len(rest) - pushed
	now := time.Now()
	for _, n := range rest {
		at := now
		if n.Attempt > 0 || !n.Since.IsZero() {
			at = now.Add(l.backoff(&n, now))
		}
		heap.Push(&l.later, delayed{n, at})
	}
	l.changed.Broadcast()
}

// take waits for notifications to push; none: the worker ends.
func (l *Local) take() []sumu.Notification {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		if l.ctx.Err() != nil || l.closed && l.accepted == 0 {
			return nil
		}
		var batch []sumu.Notification
		now := time.Now()
		for len(batch) < l.opts.Batch && len(l.later) > 0 && !l.later[0].at.After(now) {
			batch = append(batch, heap.Pop(&l.later).(delayed).n)
		}
		fresh := min(l.opts.Batch-len(batch), len(l.queue))
		batch = append(batch, l.queue[:fresh]...)
		clear(l.queue[:fresh])
		if l.queue = l.queue[fresh:]; len(l.queue) == 0 {
			l.queue = nil
		}
		if len(batch) > 0 {
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

// delayed is a notification that is tried again at a time.
type delayed struct {
	n  sumu.Notification
	at time.Time
}

type laterHeap []delayed

func (h laterHeap) Len() int           { return len(h) }
func (h laterHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h laterHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *laterHeap) Push(x any)        { *h = append(*h, x.(delayed)) }

func (h *laterHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	old[len(old)-1] = delayed{}
	*h = old[:len(old)-1]
	return last
}
