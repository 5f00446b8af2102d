package gateway

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// group counts what runs, so that Shutdown can wait for it.
type group struct {
	mu    sync.Mutex
	n     int
	empty chan struct{} // closed when n is 0; nil unless somebody waits
}

func (g *group) add() {
	g.mu.Lock()
	g.n++
	g.mu.Unlock()
}

func (g *group) done() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.n--; g.n == 0 && g.empty != nil {
		close(g.empty)
		g.empty = nil
	}
}

// wait returns nil once nothing runs, or the context's error.
func (g *group) wait(ctx context.Context) error {
	g.mu.Lock()
	if g.n == 0 {
		g.mu.Unlock()
		return nil
	}
	if g.empty == nil {
		g.empty = make(chan struct{})
	}
	empty := g.empty
	g.mu.Unlock()
	select {
	case <-empty:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// workers serves sockets first come, first served, with at most max goroutines
// that live for as long as there is work. A queue of sockets, not a goroutine
// for each: while the others are served, what is posted to one piles up, and
// is joined into one write. That is what makes a burst cheap.
type workers struct {
	group *group
	max   int
	few   int // how many there are while work keeps coming; at most max
	// serve returns how much work there was for the socket, and false when leave
	// was called for it meanwhile.
	serve func(*socket) (n int, stays bool)

	came atomic.Bool // work has come since a worker last looked

	mu      sync.Mutex
	running int
	queue   []*socket
	head    int
}

// look is after how many sockets a worker looks whether work keeps coming: some
// 0.5 ms of writes.
const look = 64

// comes takes note of work, also for a socket that is queued already. All
// posters call it: it writes only what is not so yet.
func (w *workers) comes() {
	if !w.came.Load() {
		w.came.Store(true)
	}
}

// add queues a socket. The caller sees to it that it is queued once.
func (w *workers) add(s *socket) {
	w.mu.Lock()
	w.queue = append(w.queue, s)
	start := w.running < w.few
	if start {
		w.running++
	}
	w.mu.Unlock()
	if start {
		w.launch()
	}
}

func (w *workers) launch() {
	w.group.add()
	go w.run()
}

func (w *workers) run() {
	defer w.group.done()
	begun, served := time.Now(), 0
	for n := 1; ; n++ {
		if n%look == 0 {
			if !w.goOn(served >= 2*look, time.Since(begun)) {
				return
			}
			begun, served = time.Now(), 0
		}
		s := w.next()
		if s == nil {
			return
		}
		did, stays := w.serve(s)
		if !stays {
			return
		}
		served += did
	}
}

// leave gives up the place of a worker that is held up by a socket: another
// takes it. That worker ends with its socket.
func (w *workers) leave() {
	w.mu.Lock()
	more := w.head < len(w.queue)
	if !more {
		w.running--
	}
	w.mu.Unlock()
	if more {
		w.launch()
	}
}

// goOn is called by each worker from time to time. While work keeps coming, only
// few go on, and leave the processors to those who bring it: every write that is
// made later takes more along. Once it has stopped, there are more again. With
// 40 messages for 4,000 sockets, pushed on 2 cores, this is 1.2 µs of CPU for
// each delivery instead of 2.5.
//
// If work comes faster than it is served, so that it is joined already, a worker
// pauses for as long as it worked: 1.0 µs instead of 1.3 with 15,000 sockets.
// Where it is not, as with messages to one socket here and one there, a pause
// would only make them late.
func (w *workers) goOn(joined bool, took time.Duration) bool {
	came := w.came.Swap(false)
	w.mu.Lock()
	end := came && w.running > w.few
	more := !came && w.running < w.max && w.head < len(w.queue)
	switch {
	case end:
		w.running--
	case more:
		w.running++
	}
	w.mu.Unlock()
	switch {
	case end:
		return false
	case more:
		w.launch()
	case came && joined:
		time.Sleep(min(took, maxPause))
	case came:
		runtime.Gosched() // Whoever waits to post goes first.
	}
	return true
}

// maxPause bounds a pause where writing took unusually long.
const maxPause = time.Millisecond

// next takes the first socket; nil tells the worker to end.
func (w *workers) next() *socket {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.head == len(w.queue) {
		w.queue, w.head = w.queue[:0], 0
		if cap(w.queue) > 4096 {
			w.queue = nil // After a broadcast, not kept for the next one.
		}
		w.running--
		return nil
	}
	s := w.queue[w.head]
	w.queue[w.head] = nil
	w.head++
	if w.head >= 1024 && w.head*2 >= len(w.queue) {
		n := copy(w.queue, w.queue[w.head:])
		clear(w.queue[n:])
		w.queue, w.head = w.queue[:n], 0
	}
	return s
}
