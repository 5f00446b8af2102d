package gateway

import (
	"context"
	"sync"
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
	start func() (serve func(*socket)) // called once by each goroutine

	mu      sync.Mutex
	running int
	queue   []*socket
	head    int
}

// add queues a socket. The caller sees to it that it is queued once.
func (w *workers) add(s *socket) {
	w.mu.Lock()
	w.queue = append(w.queue, s)
	start := w.running < w.max
	if start {
		w.running++
	}
	w.mu.Unlock()
	if start {
		w.group.add()
		go w.run()
	}
}

func (w *workers) run() {
	defer w.group.done()
	serve := w.start()
	for {
		s := w.next()
		if s == nil {
			return
		}
		serve(s)
	}
}

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
