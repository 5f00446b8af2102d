package notify

import (
	"cmp"
	"container/heap"
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/sumu-live/sumu"
)

// account adds an entry to what is held, or takes it out: sign is 1 or -1.
func (l *Local) account(e *entry, sign int) {
	if e.queued {
		l.accepted += sign
	}
	l.bytes += int64(sign) * e.size
}

// room reports whether there is room for one more.
func (l *Local) room(e *entry) bool {
	return l.accepted < l.opts.Queue && l.fits(e)
}

func (l *Local) fits(e *entry) bool {
	return l.bytes == 0 || l.bytes+e.size <= l.opts.Bytes
}

// minWait is how old what waits for slow connections is at least when it has
// to make room: as old as a gateway lets a socket become that takes nothing.
const minWait = 10 * time.Second

// makeRoom gives up what has waited longest for slow connections, where that
// makes room. It reports whether anything was; the lock is released meanwhile.
func (l *Local) makeRoom(e *entry) bool {
	if l.fits(e) {
		return false
	}
	now := time.Now()
	var old []int
	for i := range l.later {
		if d := &l.later[i]; !d.queued && now.Sub(d.first) >= minWait {
			old = append(old, i)
		}
	}
	slices.SortFunc(old, func(a, b int) int {
		return cmp.Or(l.later[a].first.Compare(l.later[b].first), cmp.Compare(a, b))
	})
	// Not one at a time: each time costs a look at all of them.
	enough := l.opts.Bytes - max(l.opts.Bytes/8, e.size)
	given := new(givenUp)
	gone := make(map[int]bool)
	for _, i := range old {
		if l.bytes <= enough {
			break
		}
		l.account(&l.later[i], -1)
		given.add(l.later[i].n, &sumu.Error{Op: "notify " + l.later[i].n.ID + ": no memory left to wait for slow connections", Kind: sumu.ErrThrottled})
		gone[i] = true
	}
	if len(gone) == 0 {
		return false
	}
	i := -1
	l.later = slices.DeleteFunc(l.later, func(entry) bool { i++; return gone[i] })
	heap.Init(&l.later)
	l.mu.Unlock()
	defer l.mu.Lock()
	l.giveUp(given)
	return true
}

// givenUp is what a turn gave up, and why.
type givenUp struct {
	all  []sumu.Notification
	errs []error
}

func (g *givenUp) add(n sumu.Notification, err error) {
	g.all, g.errs = append(g.all, n), append(g.errs, err)
}

// giveUp tells of what was given up.
func (l *Local) giveUp(g *givenUp) {
	if len(g.all) == 0 {
		return
	}
	ctx := context.WithoutCancel(l.ctx)
	for i := range g.all {
		l.deadLetter(ctx, g.all[i], g.errs[i])
	}
	l.lost.Add(ctx, l.log, slog.LevelWarn, len(g.all),
		"notifications given up, whole or for some connections", "notification", g.all[0].ID, "err", g.errs[0])
}

func (l *Local) deadLetter(ctx context.Context, n sumu.Notification, err error) {
	if f := l.opts.Observer.DeadLetter; f != nil {
		defer func() { _ = recover() }() // A panic of an observer must not end the worker.
		f(ctx, n, err)
	}
}

// giveUpRest gives up what Close had no time for, and returns how much it was.
func (l *Local) giveUpRest() int {
	l.mu.Lock()
	rest := append(l.queue, l.later...)
	l.queue, l.later, l.accepted, l.bytes = nil, nil, 0, 0
	l.mu.Unlock()
	given := new(givenUp)
	for i := range rest {
		given.add(rest[i].n, &sumu.Error{Op: "notify " + rest[i].n.ID, Kind: sumu.ErrClosed})
	}
	l.giveUp(given)
	return len(rest)
}
