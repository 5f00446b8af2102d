package dynamostore_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/dynamostore"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/internal/memdb"
)

func itoa(n int) string { return strconv.Itoa(n) }

// modelStore is what the walks drive.
type modelStore interface {
	sumu.Store
	sumu.Toucher
	sumu.ChannelStore
	sumu.SubscriptionStore
}

var bg = context.Background()

const (
	modelConns = 3
	modelHour  = time.Hour
)

// targets are what connections attach to: two channels, and two subscriptions.
var (
	modelChannels = []string{"a", "b"}
	modelSubs     = []sumu.Subscription{{EventType: "T"}, {EventType: "T", Field: "f", Filter: "1"}}
	targetCount   = len(modelChannels) + len(modelSubs)
)

// target is one connection and one of those.
type target struct{ conn, what int }

// attempt is a call that was to make or to end an attachment.
type attempt struct {
	adds       bool
	start, end int
	ok, void   bool // void: it was refused, and has changed nothing
}

// proc is a call under way: a coroutine that runs from one step to the next.
type proc struct {
	name    string
	next    func() (struct{}, bool)
	err     error
	crashed bool
	faulted bool
	twice   bool // a step was done twice
	start   int
	targets []target
	adds    bool
	leaves  bool
	ends    bool // it ends all that the connection has
	exposed []target
	row     row // the connection's, when the call began
	reverse row // what it has written
	done    bool
}

type modelStats struct {
	walks, crashes, faults, joins, refused, gone, leaves, raised, excused, contended int
}

// walk is one random walk.
type walk struct {
	rnd      *rand.Rand
	broken   rule
	db       *memDB     // nil: memstore
	store    modelStore // without a seam
	now      time.Time
	step     int
	faults   int // in 10,000
	crashes  int // in 10,000
	behind   int // writes that an eventually consistent read may miss
	late     *lateRead
	most     int
	conns    [modelConns]sumu.Connection
	renewed  [modelConns]bool
	shards   map[string]int
	procs    []*proc
	attempts map[target][]attempt
	excused  map[target]bool
	rough    [modelConns]bool // a call about it crashed or failed
	trace    []string
	failure  string
	stats    *modelStats
}

func (w *walk) chance(of int) bool { return of > 0 && w.rnd.IntN(10_000) < of }

func (w *walk) failf(format string, args ...any) {
	if w.failure == "" {
		w.failure = fmt.Sprintf(format, args...)
	}
}

func newWalk(seed uint64, broken rule, onMemstore bool, stats *modelStats) *walk {
	w := &walk{
		rnd: rand.New(rand.NewPCG(seed, 1)), broken: broken, now: time.Unix(1_800_000_000, 0), stats: stats,
		shards: make(map[string]int), attempts: make(map[target][]attempt), excused: make(map[target]bool),
	}
	if w.rnd.IntN(2) == 0 {
		w.crashes = 200
	}
	if w.rnd.IntN(3) == 0 {
		w.faults = 200
	}
	w.most = w.rnd.IntN(3)
	if onMemstore {
		w.store = &memstore.Store{Now: func() time.Time { return w.now }}
	} else {
		w.db = newMemDB()
		w.behind = 12 * w.rnd.IntN(2)
		w.db.Behind = func(any, int) int { return w.rnd.IntN(w.behind + 1) }
		w.store = w.over(w.db)
	}
	for i := range w.conns {
		w.conns[i] = sumu.Connection{UserID: "u" + itoa(i), ID: "c", ConnectedAt: w.now, DeleteAt: w.now.Add(modelHour)}
		_ = w.store.Put(bg, w.conns[i])
	}
	return w
}

func (w *walk) over(client dynamostore.Client) *dynamostore.StateStore {
	s, err := dynamostore.NewWithState(client, func(o *dynamostore.Options) {
		o.Now, o.SweepConcurrency = func() time.Time { return w.now }, 1
	})
	if err != nil {
		panic(err)
	}
	return s
}

// expose notes that what a call does to an attachment cannot be undone by others
// should it break off now.
func (w *walk) expose(p *proc, it row) {
	for _, t := range p.targets {
		if w.isOf(it, t) && !slices.Contains(p.exposed, t) {
			p.exposed = append(p.exposed, t)
		}
	}
}

// start begins a random call.
func (w *walk) start() {
	i := w.rnd.IntN(modelConns)
	c, ref := w.conns[i], w.conns[i].Ref()
	p := &proc{start: w.step}
	var do func(s modelStore) error
	channel := w.rnd.IntN(len(modelChannels))
	var subs []sumu.Subscription
	var subTargets []target
	for n := range modelSubs {
		if w.rnd.IntN(2) == 0 {
			subs = append(subs, modelSubs[n])
			subTargets = append(subTargets, target{i, len(modelChannels) + n})
		}
	}
	switch n := w.rnd.IntN(120); {
	case n >= 100:
		do = w.reading(p)
	case n < 38:
		p.name, p.adds, p.targets = "join "+modelChannels[channel], true, []target{{i, channel}}
		do = func(s modelStore) error { return s.Join(bg, c, modelChannels[channel], w.most) }
	case n < 58:
		p.name, p.leaves, p.targets = "leave "+modelChannels[channel], true, []target{{i, channel}}
		do = func(s modelStore) error { return s.Leave(bg, ref, modelChannels[channel]) }
	case n < 70:
		p.name, p.adds, p.targets = "subscribe", true, subTargets
		do = func(s modelStore) error { return s.Subscribe(bg, c, w.most, subs...) }
	case n < 78:
		p.name, p.leaves, p.targets = "unsubscribe", true, subTargets
		do = func(s modelStore) error { return s.Unsubscribe(bg, ref, subs...) }
	case n < 84:
		p.name, p.ends = "disconnect", true
		do = func(s modelStore) error { // As an App does.
			if err := s.Delete(bg, ref); err != nil {
				return err
			}
			return s.Forget(bg, ref)
		}
	case n < 87:
		p.name = "vanish"
		do = func(s modelStore) error { return s.Delete(bg, ref) }
	case n < 90:
		p.name = "clean"
		do = func(s modelStore) error { _, err := sumu.ForgetGone(bg, s, ref); return err }
	case n < 95 && !w.renewed[i]:
		w.renewed[i] = true
		p.name = "renew"
		deleteAt := w.now.Add(3 * modelHour)
		do = func(s modelStore) error {
			if err := s.Touch(bg, ref, deleteAt); err != nil {
				return err
			}
			return s.Prolong(bg, ref, deleteAt)
		}
	default:
		name, n := modelChannels[channel], w.shards[modelChannels[channel]]+1+w.rnd.IntN(3)
		p.name = "raise " + name
		do = func(s modelStore) error {
			d, ok := s.(*dynamostore.StateStore)
			if !ok {
				return nil
			}
			err := d.RaiseShards(bg, name, n)
			if err == nil {
				w.shards[name] = max(w.shards[name], n)
				w.stats.raised++
			}
			return err
		}
	}
	p.name += " " + ref.UserID
	if w.db != nil {
		p.row = w.db.Row("connections", memdb.Key{ref.UserID, ref.ConnectionID})
	}
	conn := i
	p.next, _ = iter.Pull(func(yield func(struct{}) bool) {
		if w.db == nil {
			p.err = do(w.store)
		} else {
			p.err = do(w.over(&seam{memDB: w.db, w: w, p: p, yield: yield}))
		}
		w.finished(p, conn)
	})
	w.procs = append(w.procs, p)
}

// finished takes down what a call has come to.
func (w *walk) finished(p *proc, conn int) {
	p.done = true
	w.trace = append(w.trace, fmt.Sprintf("%d..%d %s: %v crashed %t", p.start, w.step, p.name, p.err, p.crashed))
	broke := p.crashed || p.faulted
	if broke {
		w.rough[conn] = true
		for _, t := range p.exposed {
			w.excused[t] = true
			w.stats.excused++
		}
	}
	if errors.Is(p.err, sumu.ErrConflict) {
		w.stats.contended++
	}
	void := !broke && !p.twice && (errors.Is(p.err, sumu.ErrLimit) || errors.Is(p.err, sumu.ErrGone))
	for _, t := range p.targets {
		w.attempts[t] = append(w.attempts[t], attempt{p.adds, p.start, w.step, p.err == nil, void})
	}
	if p.ends && p.err == nil {
		for n := range targetCount { // All that it had has ended too.
			t := target{conn, n}
			w.attempts[t] = append(w.attempts[t], attempt{false, p.start, w.step, true, false})
		}
	}
	switch {
	case p.crashed:
		w.stats.crashes++
	case errors.Is(p.err, sumu.ErrLimit):
		w.stats.refused++
	case errors.Is(p.err, sumu.ErrGone):
		w.stats.gone++
	case p.adds && p.err == nil:
		w.stats.joins++
	case p.leaves && p.err == nil:
		w.stats.leaves++
	}
}

// run walks until all calls have ended, and checks what is left.
func (w *walk) run() {
	calls := 4 + w.rnd.IntN(10)
	for calls > 0 || len(w.procs) > 0 {
		w.step++
		if calls > 0 && (len(w.procs) == 0 || len(w.procs) < 4 && w.rnd.IntN(6) == 0) {
			calls--
			w.start()
			continue
		}
		i := w.rnd.IntN(len(w.procs))
		p := w.procs[i]
		if w.chance(w.crashes) {
			p.crashed = true
		}
		if _, more := p.next(); !more {
			w.procs = slices.Delete(w.procs, i, i+1)
		}
	}
	w.check()
}
