package presence

import (
	"errors"
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

// The queue is tested from inside: the moments that matter, such as between an
// evaluation's end and its being noted, cannot be hit from outside.

func newLoop() *loop {
	w := new(Watcher)
	w.opts.setDefaults()
	w.opts.Concurrency = 2
	return &loop{w: w, tasks: make(map[string]*task), wake: make(chan struct{}, 1)}
}

// mustTake takes a task that must be of a user, and due at once.
func (l *loop) mustTake(t *testing.T, user string, restart bool) *task {
	t.Helper()
	got, wait := l.take()
	if got == nil {
		t.Fatalf("nothing is due for %v, want %s", wait, user)
	}
	if got.user != user || got.restart != restart {
		t.Errorf("took %s with restart %v, want %s with %v", got.user, got.restart, user, restart)
	}
	return got
}

func (l *loop) wantWait(t *testing.T, want time.Duration) {
	t.Helper()
	if got, wait := l.take(); got != nil || wait != want {
		t.Errorf("took %v, or wait for %v; want to wait for %v", got, wait, want)
	}
}

func TestQueueJoinsRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLoop()
		l.add("u", 5*time.Second, false)
		l.add("v", 6*time.Second, false)
		l.wantWait(t, 5*time.Second)
		l.add("v", 0, true) // A change does not wait for the grace.
		l.add("v", time.Second, false)
		l.done(l.mustTake(t, "v", true), nil)
		l.wantWait(t, 5*time.Second)
		time.Sleep(5 * time.Second)
		l.done(l.mustTake(t, "u", false), nil)
		if len(l.tasks) > 0 || l.busy > 0 {
			t.Errorf("%d tasks and %d busy are left", len(l.tasks), l.busy)
		}
	})
}

func TestQueueKeepsRequestsDuringEvaluation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLoop()
		l.add("u", 0, false)
		u := l.mustTake(t, "u", false)
		l.add("u", 5*time.Second, false) // By the evaluation itself.
		l.wantWait(t, time.Hour)         // Never twice at the same time.
		l.add("u", 0, true)
		l.add("u", time.Second, false)
		l.done(u, nil)
		l.done(l.mustTake(t, "u", true), nil)
		l.wantWait(t, time.Hour)

		l.add("u", 0, true)
		u = l.mustTake(t, "u", true)
		l.add("u", 5*time.Second, false)
		l.done(u, nil)
		l.wantWait(t, 5*time.Second)
		time.Sleep(5 * time.Second)
		l.mustTake(t, "u", false) // The change is done with.
	})
}

func TestQueueTriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLoop()
		failure := errors.New("down")
		l.add("u", 0, false)
		for i := range 12 {
			u := l.mustTake(t, "u", i > 0)
			l.add("u", 0, i == 0) // Its restart is not lost with the failure.
			most := min(l.w.opts.RetryMin<<i, l.w.opts.RetryMax)
			pause := l.done(u, failure)
			if pause < most/2 || pause > most {
				t.Errorf("failure %d: pause of %v, want half to all of %v", i+1, pause, most)
			}
			l.wantWait(t, pause)
			l.add("u", 0, false)
			l.wantWait(t, pause)
			time.Sleep(pause)
		}
		u := l.mustTake(t, "u", true)
		l.add("u", 0, false)
		l.done(u, nil)
		u = l.mustTake(t, "u", false)
		if pause := l.done(u, failure); pause > l.w.opts.RetryMin {
			t.Errorf("pause of %v after a success, want to begin at %v again", pause, l.w.opts.RetryMin)
		}
	})
}

func TestQueueBoundsConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLoop()
		for _, u := range []string{"a", "b", "c"} {
			l.add(u, 0, false)
			time.Sleep(time.Nanosecond)
		}
		a := l.mustTake(t, "a", false)
		l.mustTake(t, "b", false)
		l.wantWait(t, time.Hour)
		<-l.wake
		l.done(a, nil)
		select {
		case <-l.wake:
		default:
			t.Error("the loop is not woken when there is room again")
		}
		l.mustTake(t, "c", false)
	})
}

func TestQueueGivesBackMemory(t *testing.T) {
	l := newLoop()
	for round := range 2 {
		for i := range 2 * keepTasks {
			l.add(strconv.Itoa(i), 0, false)
		}
		for range 2 * keepTasks {
			u, _ := l.take()
			l.done(u, nil)
		}
		if l.waiting != nil || l.peak != 0 || l.tasks == nil {
			t.Errorf("round %d: %d places are kept, peak %d", round, cap(l.waiting), l.peak)
		}
	}
}

func TestQueueRefusesAfterEnd(t *testing.T) {
	l := newLoop()
	if !l.add("u", 0, false) {
		t.Error("a running loop refused a task")
	}
	l.end()
	if l.add("v", 0, false) || len(l.tasks) != 1 {
		t.Error("a loop that has ended took a task")
	}
}
