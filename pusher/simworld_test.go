package pusher_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
)

// world is everything that one walk of the model test has: real stores, the
// queue and its dead letters, workers over them, and what every connection has
// got. It runs inside a synctest bubble, whose clock moves only when the walk
// says so, and whatever happens, happens in one step at a time.
type world struct {
	rng    *rand.Rand
	plan   walkPlan
	broken rule
	stats  *stats
	trace  func(format string, args ...any) // nil: off

	store *memstore.Store
	begin time.Time
	step  int
	calm  bool // the end of the walk: no more faults and changes

	conns   []*simConn
	reqs    []*request
	queue   []*queued
	dlq     []*queued
	sent    int
	workers []*simWorker
	dead    []sumu.Notification // given up, explicitly
	dedup   map[string]bool     // of a FIFO queue
	keyed   map[string]sumu.Notification
	counted map[string]int // by key
	failed  map[int]bool   // requests of which something went to the DLQ
	downs   [dependencies]down

	violation error // the first
}

type queueKind int

const (
	standard  queueKind = iota
	fifo                // deduplicates
	fifoOrder           // and its groups are handled in order
)

// walkPlan is what a walk is like.
type walkPlan struct {
	kind     queueKind
	workers  int
	requests int
	steps    int // before the calm
	busy     int // of 100 steps are the world's, not a worker's

	outages int // of 100 of the world's steps begin one, in the first hour
	faults  int // of 100 calls
	crashes int // of 100 steps
	stalls  bool
	dups    int // of 100 receives are of an invisible or deleted message
	slow    time.Duration
	skew    time.Duration

	timeout    time.Duration // of a call
	visibility time.Duration
	receives   int
	attempts   int
	tries      int
	segments   int
	inline     int  // bytes of a remainder in one record; 0: as ever
	batch      int  // posts of one request to a node; 0: none
	oldNodes   int  // of 100 batches are refused
	unrecorded bool // there is no state table: at least once
	strict     bool // only outages: see onlyOutages
}

// clean: nothing but what a queue may always do.
func (p *walkPlan) clean() bool { return p.steady() && p.outages == 0 }

// steady: no worker ends or halts within a call.
func (p *walkPlan) steady() bool { return p.faults == 0 && p.crashes == 0 && !p.stalls }

type simConn struct {
	ref   sumu.ConnectionRef
	since int            // the step at which it was opened
	open  bool           // or its row is stale
	stuck bool           // it takes nothing, for ever
	lost  bool           // its node is down, for ever
	last  map[string]int // the newest request of each group that it has got
}

// request is a notification that was accepted by the queue.
type request struct {
	n     sumu.Notification
	step  int
	group string
	got   map[*simConn]int
	allow map[*simConn]int // repeats that are nobody's fault
}

// queued is a message of the queue.
type queued struct {
	id        string
	key       string
	req       int
	body      []byte
	group     string
	visibleAt time.Time
	receives  int
	poison    bool
}

// stats prove that the walks go where they should.
type stats struct {
	steps, posts, repeats, lostAnswers, crashes, faults, takeovers, resumed, children,
	held, deadLetters, redriven, conflicts, cut, pieces, unrecorded,
	batches, batched, lostBatches, refusedBatches, outages, moved, outlasted int
}

func (s *stats) add(o stats) {
	s.steps += o.steps
	s.posts += o.posts
	s.repeats += o.repeats
	s.lostAnswers += o.lostAnswers
	s.crashes += o.crashes
	s.faults += o.faults
	s.takeovers += o.takeovers
	s.resumed += o.resumed
	s.children += o.children
	s.held += o.held
	s.deadLetters += o.deadLetters
	s.redriven += o.redriven
	s.conflicts += o.conflicts
	s.cut += o.cut
	s.pieces += o.pieces
	s.unrecorded += o.unrecorded
	s.batches += o.batches
	s.batched += o.batched
	s.lostBatches += o.lostBatches
	s.refusedBatches += o.refusedBatches
	s.outages += o.outages
	s.moved += o.moved
	s.outlasted += o.outlasted
}

var bg = context.Background()

func newWorld(seed uint64, broken rule, st *stats) *world {
	// Deadlines and leases are kept to the millisecond, so a walk depends on
	// the fraction of a second at which it begins.
	time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second)))
	w := &world{
		rng:     rand.New(rand.NewPCG(seed*0x9e3779b97f4a7c15, seed)),
		broken:  broken,
		stats:   st,
		store:   new(memstore.Store),
		begin:   time.Now(),
		dedup:   map[string]bool{},
		keyed:   map[string]sumu.Notification{},
		counted: map[string]int{},
		failed:  map[int]bool{},
	}
	pick := func(of ...int) int { return of[w.rng.IntN(len(of))] }
	w.plan = walkPlan{
		kind:       []queueKind{standard, standard, standard, fifo, fifoOrder, fifoOrder}[w.rng.IntN(6)],
		workers:    pick(1, 2, 3),
		requests:   pick(1, 1, 2, 3),
		steps:      20 + w.rng.IntN(200),
		busy:       pick(5, 15, 30),
		faults:     pick(0, 0, 5, 20),
		crashes:    pick(0, 0, 1, 5),
		stalls:     pick(0, 0, 1) == 1,
		dups:       pick(0, 10, 30),
		slow:       time.Duration(pick(0, 0, 300, 900)) * time.Millisecond,
		timeout:    time.Duration(pick(5, 8)) * time.Second,
		visibility: time.Duration(pick(15, 40)) * time.Second,
		receives:   pick(2, 5, 5),
		attempts:   pick(2, 3, 5, 5),
		tries:      pick(1, 1, 2),
		segments:   pick(1, 1, 1, 2, 3),
	}
	if w.rng.IntN(4) == 0 {
		w.plan.inline = 100
	}
	if w.rng.IntN(2) == 0 {
		w.plan.batch, w.plan.oldNodes = pick(2, 3, 10), pick(0, 0, 0, 30)
	}
	// Not where a queue can neither delay nor keep an order: there nothing waits.
	if w.plan.kind != fifo && w.rng.IntN(4) == 0 {
		w.plan.outages = pick(2, 10, 30)
		if w.rng.IntN(2) == 0 {
			w.plan.onlyOutages()
		}
	}
	w.plan.unrecorded = broken == none && w.plan.kind != fifoOrder && w.rng.IntN(12) == 0
	if w.rng.IntN(4) == 0 {
		w.plan.skew = 400 * time.Millisecond
	}
	if w.plan.kind != standard {
		w.plan.dups = 0
	}
	for u := range 1 + w.rng.IntN(4) {
		for c := range 1 + w.rng.IntN(3) {
			w.connect(string(rune('a'+u)), fmt.Sprint(c))
		}
	}
	for range w.plan.workers {
		w.workers = append(w.workers, newSimWorker(w))
	}
	return w
}

// connect adds a connection; of some only the row is there.
func (w *world) connect(user, id string) {
	c := &simConn{ref: sumu.ConnectionRef{UserID: user, ConnectionID: id}, since: w.step, open: true, last: map[string]int{}}
	switch p := w.rng.IntN(100); {
	case p < 15:
		c.open = false
	case p < 22:
		c.stuck = true
	case p < 24 && w.plan.outages > 0:
		c.lost = true
	}
	w.conns = append(w.conns, c)
	w.must(w.store.Put(bg, sumu.Connection{
		UserID: user, ID: id, Endpoint: nodes[w.rng.IntN(len(nodes))], ConnectedAt: time.Now().Add(-time.Hour), DeleteAt: time.Now().Add(1000 * time.Hour * 24),
	}))
}

func (w *world) failf(format string, args ...any) {
	if w.violation == nil {
		w.violation = fmt.Errorf(format, args...)
		w.tracef("VIOLATION: %v", w.violation)
	}
}

func (w *world) tracef(format string, args ...any) {
	if w.trace != nil {
		w.trace("%4d %9v "+format, append([]any{w.step, time.Since(w.begin).Round(time.Millisecond)}, args...)...)
	}
}

func (w *world) chance(percent int) bool { return w.rng.IntN(100) < percent }

// must is for what cannot fail in a model that is right.
func (w *world) must(err error) {
	if err != nil {
		panic(err)
	}
}
