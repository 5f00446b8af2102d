package storetest

import (
	"context"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sumu-live/sumu"
)

// feed is a change feed that is told of changes by hand: it loses, repeats and
// delays what its flaw wants.
type feed struct {
	mu   sync.Mutex
	subs []chan sumu.Change
}

func (f *feed) changes(ctx context.Context) iter.Seq[sumu.Change] {
	ch := make(chan sumu.Change, 10_000)
	f.mu.Lock()
	f.subs = append(f.subs, ch)
	f.mu.Unlock()
	return func(yield func(sumu.Change) bool) {
		for ctx.Err() == nil {
			select {
			case c := <-ch:
				if !yield(c) {
					return
				}
			case <-ctx.Done():
			}
		}
	}
}

func (f *feed) tell(r ref) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, ch := range f.subs {
		ch <- sumu.Change(r)
	}
}

// byHand replaces the feed of h: kinds of writes named in untold are not told.
func byHand(untold string) func(h *hooked) {
	return func(h *hooked) {
		f := new(feed)
		tell := func(kind string, r ref) {
			if kind != untold {
				f.tell(r)
			}
		}
		h.changes = f.changes
		h.put = func(ctx context.Context, c conn) error {
			kind := "put"
			if _, err := h.Store.Get(ctx, c.Ref()); err == nil {
				kind = "overwrite"
			}
			defer tell(kind, c.Ref())
			return h.Store.Put(ctx, c)
		}
		h.delete = func(ctx context.Context, r ref) error {
			kind := "delete"
			if h.isExpired(ctx, r) {
				kind = "delete of expired"
			}
			defer tell(kind, r)
			return h.Store.Delete(ctx, r)
		}
		h.prune = func(ctx context.Context, r ref, notAfter time.Time) (bool, error) {
			defer tell("prune", r)
			return h.Store.Prune(ctx, r, notAfter)
		}
		h.sweep = func(ctx context.Context, limit int) (int, error) {
			for c := range h.raw.All(ctx, sumu.Segment{}) {
				if !c.Live(h.clock.now()) {
					defer tell("sweep", c.Ref())
				}
			}
			return h.Store.SweepExpired(ctx, limit)
		}
	}
}

const everyWrite = "Every write and removal of a row is a change"

var changeFlaws = []flaw{
	{"Put is no change", byHand("put"), everyWrite},
	{"Overwriting is no change", byHand("overwrite"), everyWrite},
	{"Delete is no change", byHand("delete"), everyWrite},
	{"Prune is no change", byHand("prune"), everyWrite},
	{"A sweep is no change", byHand("sweep"), "The sweep of an expired row is a change"},
	{"Delete of an expired row is no change", byHand("delete of expired"), "The removal of an expired row is a change"},
	{"Changes are not joined", byHand(""), "Unread changes of one user are joined into one"},
	{"Changes begin with the loop", func(h *hooked) {
		h.changes = func(ctx context.Context) iter.Seq[sumu.Change] {
			return func(yield func(sumu.Change) bool) { h.Store.Changes(ctx)(yield) }
		}
	}, "Changes begin with the call, not with the loop"},
	{"A change is told before its write", func(h *hooked) {
		f := new(feed)
		h.changes = f.changes
		h.put = func(ctx context.Context, c conn) error {
			f.tell(c.Ref())
			time.Sleep(time.Millisecond) // The write takes a while.
			return h.Store.Put(ctx, c)
		}
	}, "A change is told once its write can be read"},
	{"Feeds share the changes among them", func(h *hooked) {
		var shared iter.Seq[sumu.Change]
		h.changes = func(ctx context.Context) iter.Seq[sumu.Change] {
			if shared == nil {
				shared = h.Store.Changes(ctx)
			}
			return shared
		}
	}, "Every feed gets every change"},
	{"A feed outlives its context until it has been read", func(h *hooked) {
		h.changes = func(ctx context.Context) iter.Seq[sumu.Change] {
			inner, cancel := context.WithCancel(context.WithoutCancel(ctx))
			seq := h.Store.Changes(inner)
			return func(yield func(sumu.Change) bool) {
				defer context.AfterFunc(ctx, func() { time.AfterFunc(time.Second, cancel) })()
				seq(yield)
			}
		}
	}, "A feed ends with its context, read or not"},
	{"A feed is for one loop", func(h *hooked) {
		h.changes = func(ctx context.Context) iter.Seq[sumu.Change] {
			seq := h.Store.Changes(ctx)
			var used atomic.Bool
			return func(yield func(sumu.Change) bool) {
				if !used.Swap(true) {
					seq(yield)
				}
			}
		}
	}, "A loop over changes may be left and entered again"},
}
