package presence

import (
	"container/heap"
	"math/rand/v2"
	"time"
)

// task is a user who is to be evaluated at due, or is just being evaluated.
type task struct {
	user    string
	due     time.Time
	restart bool // a change was observed: the grace begins anew
	tries   int  // failures in a row
	index   int  // in the heap; running: it is being evaluated

	// again says that the user was asked for while being evaluated: an
	// evaluation that has counted already may have missed what happened.
	again        bool
	againRestart bool
}

const running = -1

// keepTasks is for how many tasks the queue keeps its memory.
const keepTasks = 1024

// add asks for an evaluation of a user. Requests for a user are joined into
// the earliest: should that come too early for a grace period, the evaluation
// itself asks for a later one. It reports whether the loop is still running.
func (l *loop) add(user string, after time.Duration, restart bool) bool {
	due := time.Now().Add(after)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return false
	}
	t := l.tasks[user]
	switch {
	case t == nil:
		t = &task{user: user, due: due, restart: restart}
		l.tasks[user] = t
		l.peak = max(l.peak, len(l.tasks))
		heap.Push(&l.waiting, t)
	case t.index == running:
		if !t.again || due.Before(t.due) {
			t.due = due
		}
		t.again = true
		t.againRestart = t.againRestart || restart
	default:
		t.restart = t.restart || restart
		// A user whose evaluation failed keeps the pause: what failed may be
		// down for everybody.
		if t.tries == 0 && due.Before(t.due) {
			t.due = due
			heap.Fix(&l.waiting, t.index)
		}
	}
	l.signal()
	return true
}

// take returns a task that is due, or nil and the time until one may be.
func (l *loop) take() (t *task, wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) == 0 || l.busy == l.w.opts.Concurrency {
		return nil, time.Hour // add and done wake the loop.
	}
	if wait = time.Until(l.waiting[0].due); wait > 0 {
		return nil, wait
	}
	l.busy++
	return heap.Pop(&l.waiting).(*task), 0
}

// done puts a task that was taken back if it failed or was asked for again. It
// returns the pause before the next try.
func (l *loop) done(t *task, err error) (pause time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.busy--
	switch {
	case err != nil:
		t.tries++
		t.restart = t.restart || t.againRestart
		pause = l.backoff(t.tries)
		t.due = time.Now().Add(pause)
	case t.again:
		t.tries = 0
		t.restart = t.againRestart
	default:
		delete(l.tasks, t.user)
		if len(l.tasks) == 0 && l.peak > keepTasks {
			// Neither shrinks by itself after a burst.
			l.tasks, l.waiting, l.peak = make(map[string]*task), nil, 0
		}
		l.signal()
		return 0
	}
	t.again, t.againRestart = false, false
	heap.Push(&l.waiting, t)
	l.signal()
	return pause
}

// backoff doubles with every failure. The jitter keeps users who failed
// together from coming back together.
func (l *loop) backoff(tries int) time.Duration {
	d := l.w.opts.RetryMax
	if shift := tries - 1; shift < 30 && l.w.opts.RetryMin<<shift < d {
		d = l.w.opts.RetryMin << shift
	}
	return d/2 + rand.N(d/2+1)
}

func (l *loop) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// taskHeap has the task that is due first at its top.
type taskHeap []*task

func (h taskHeap) Len() int           { return len(h) }
func (h taskHeap) Less(i, j int) bool { return h[i].due.Before(h[j].due) }
func (h taskHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *taskHeap) Push(x any) {
	t := x.(*task)
	t.index = len(*h)
	*h = append(*h, t)
}

func (h *taskHeap) Pop() any {
	last := len(*h) - 1
	t := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	t.index = running
	return t
}
