package storetest

import (
	"cmp"
	"context"
	"hash/fnv"
	"iter"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sumu-live/sumu"
)

// Lagging returns a store that lags as much as the contract allows: its All sees
// nothing of what was written to s since the last [CatchUp], or since Lagging
// returned, while every other read sees all of it. now is the clock of s, nil
// being [time.Now]. It is for suites, this one and those of programs over a
// store: emulators and stores in memory are never late, tables are.
//
//	storetest.Run(t, func(t *testing.T) sumu.Store {
//		return storetest.Lagging(newStore(t), nil)
//	}, storetest.Features{CatchUp: storetest.CatchUp, …})
//
// It has the optional interfaces of s if those are a memstore's, or those of one
// of dynamostore's two stores; else it is a [sumu.Store] and nothing more, which
// a suite that declares more finds out.
func Lagging(s sumu.Store, now func() time.Time) sumu.Store {
	if now == nil {
		now = time.Now
	}
	l := lagging{Store: s, now: now, seen: new(atomic.Pointer[snapshot])}
	l.catchUp()
	type (
		rows interface {
			sumu.Toucher
			sumu.Refresher
			sumu.Sweeper
		}
		state interface {
			sumu.PresenceStore
			sumu.StateStore
			sumu.Capper
			sumu.ChannelStore
			sumu.SubscriptionStore
		}
	)
	r, isRows := s.(rows)
	st, isState := s.(state)
	feed, isFeed := s.(sumu.ChangeFeed)
	switch {
	case isRows && isState && isFeed:
		return struct {
			lagging
			rows
			state
			sumu.ChangeFeed
		}{l, r, st, feed}
	case isRows && isState:
		return struct {
			lagging
			rows
			state
		}{l, r, st}
	case isRows:
		return struct {
			lagging
			rows
		}{l, r}
	}
	return l
}

// CatchUp has the All of a store that [Lagging] returned see what was written
// until now. Any other store it leaves alone.
func CatchUp(s sumu.Store) {
	if l, ok := s.(interface{ catchUp() }); ok {
		l.catchUp()
	}
}

// lagging is a store whose All yields a snapshot.
type lagging struct {
	sumu.Store
	now  func() time.Time
	seen *atomic.Pointer[snapshot]
}

// snapshot is a table as it was once, in an order of its own.
type snapshot struct {
	rows []sumu.Connection
	err  error
}

func compareRefs(a, b sumu.ConnectionRef) int {
	return cmp.Or(strings.Compare(a.UserID, b.UserID), strings.Compare(a.ConnectionID, b.ConnectionID))
}

func (l lagging) catchUp() {
	s := new(snapshot)
	s.rows, s.err = collect(l.Store.All(context.Background(), sumu.Segment{}))
	slices.SortFunc(s.rows, func(a, b sumu.Connection) int { return compareRefs(a.Ref(), b.Ref()) })
	l.seen.Store(s)
}

func (l lagging) All(ctx context.Context, seg sumu.Segment) iter.Seq2[sumu.Connection, error] {
	return func(yield func(sumu.Connection, error) bool) {
		refused := seg // What the store refuses is refused; but segments are others here.
		if seg.Count > 1 {
			refused.After = sumu.ConnectionRef{}
		}
		for _, err := range l.Store.All(ctx, refused) {
			if err != nil {
				yield(sumu.Connection{}, err)
				return
			}
			break
		}
		seen := l.seen.Load()
		for _, c := range seen.rows {
			if err := ctx.Err(); err != nil {
				yield(sumu.Connection{}, &sumu.Error{Op: "all", Err: err})
				return
			}
			behind := seg.After == (sumu.ConnectionRef{}) || compareRefs(c.Ref(), seg.After) > 0
			if behind && seg.Index == segmentOf(c, seg.Count) && c.Live(l.now()) && !yield(c, nil) {
				return
			}
		}
		if seen.err != nil {
			yield(sumu.Connection{}, seen.err)
		}
	}
}

// segmentOf is the segment that a row is in, of count.
func segmentOf(c sumu.Connection, count int) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(c.UserID))
	return int(h.Sum32() % uint32(max(count, 1)))
}
