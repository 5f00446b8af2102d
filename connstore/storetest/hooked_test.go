package storetest

import (
	"context"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
)

// clock stands still unless it is moved.
type clock struct{ ns atomic.Int64 }

func newClock() *clock {
	c := new(clock)
	c.ns.Store(time.Date(2026, 11, 1, 12, 0, 0, 700_000_000, time.UTC).UnixNano())
	return c
}

func (c *clock) now() time.Time          { return time.Unix(0, c.ns.Load()) }
func (c *clock) advance(d time.Duration) { c.ns.Add(int64(d)) }

// roundTrip is how long a store that reads first takes until it writes.
const roundTrip = time.Millisecond

// hooked is a memstore of which single methods can be broken.
type hooked struct {
	*memstore.Store
	clock *clock
	// raw gets all writes too, but no row ever expires in it.
	raw *memstore.Store
	// saved has the last record of each name, expired or not.
	saved sync.Map

	put           func(context.Context, sumu.Connection) error
	get           func(context.Context, sumu.ConnectionRef) (sumu.Connection, error)
	delete        func(context.Context, sumu.ConnectionRef) error
	prune         func(context.Context, sumu.ConnectionRef, time.Time) (bool, error)
	byUser        func(context.Context, string) iter.Seq2[sumu.Connection, error]
	hasLive       func(context.Context, string) (bool, error)
	all           func(context.Context, sumu.Segment) iter.Seq2[sumu.Connection, error]
	touch         func(context.Context, sumu.ConnectionRef, time.Time) error
	sweep         func(context.Context, int) (int, error)
	changes       func(context.Context) iter.Seq[sumu.Change]
	presence      func(context.Context, string) (sumu.PresenceRow, error)
	savePresence  func(context.Context, sumu.PresenceRow) error
	markAnnounced func(context.Context, string, int64) error
	presenceRows  func(context.Context, sumu.Segment) iter.Seq2[sumu.PresenceRow, error]
	loadRecord    func(ctx context.Context, kind, key string) (sumu.Record, error)
	saveRecord    func(context.Context, sumu.Record) error
	deleteRecord  func(ctx context.Context, kind, key string, rev int64) error
	putCapped     func(ctx context.Context, c sumu.Connection, most int, evict bool) ([]sumu.Connection, error)
	refresh       func(context.Context, sumu.ConnectionRef, time.Time) error

	hookedAttachments
}

func newHooked(clock *clock, breakIt func(h *hooked)) *hooked {
	s := &memstore.Store{Now: clock.now}
	h := &hooked{
		Store: s,
		clock: clock,
		raw:   &memstore.Store{Now: func() time.Time { return time.Unix(0, 0) }},

		put: s.Put, get: s.Get, delete: s.Delete, prune: s.Prune, byUser: s.ByUser, hasLive: s.HasLive,
		all: s.All, touch: s.Touch, sweep: s.SweepExpired, changes: s.Changes, presence: s.Presence,
		savePresence: s.SavePresence, markAnnounced: s.MarkAnnounced, presenceRows: s.PresenceRows,
		loadRecord: s.LoadRecord, saveRecord: s.SaveRecord, deleteRecord: s.DeleteRecord,
		putCapped: s.PutCapped, refresh: s.Refresh,
	}
	h.hookedAttachments = newHookedAttachments(s)
	breakIt(h)
	return h
}

func (h *hooked) Put(ctx context.Context, c sumu.Connection) error {
	_ = h.raw.Put(ctx, c)
	return h.put(ctx, c)
}

func (h *hooked) Get(ctx context.Context, ref sumu.ConnectionRef) (sumu.Connection, error) {
	return h.get(ctx, ref)
}

func (h *hooked) Delete(ctx context.Context, ref sumu.ConnectionRef) error {
	err := h.delete(ctx, ref)
	_ = h.raw.Delete(ctx, ref)
	return err
}

func (h *hooked) Prune(ctx context.Context, ref sumu.ConnectionRef, notAfter time.Time) (bool, error) {
	removed, err := h.prune(ctx, ref, notAfter)
	if removed {
		_ = h.raw.Delete(ctx, ref)
	}
	return removed, err
}

func (h *hooked) ByUser(ctx context.Context, user string) iter.Seq2[sumu.Connection, error] {
	return h.byUser(ctx, user)
}

func (h *hooked) HasLive(ctx context.Context, user string) (bool, error) { return h.hasLive(ctx, user) }

func (h *hooked) All(ctx context.Context, seg sumu.Segment) iter.Seq2[sumu.Connection, error] {
	return h.all(ctx, seg)
}

func (h *hooked) Touch(ctx context.Context, ref sumu.ConnectionRef, deleteAt time.Time) error {
	return h.touch(ctx, ref, deleteAt)
}

func (h *hooked) SweepExpired(ctx context.Context, limit int) (int, error) {
	return h.sweep(ctx, limit)
}

func (h *hooked) Changes(ctx context.Context) iter.Seq[sumu.Change] { return h.changes(ctx) }

func (h *hooked) Presence(ctx context.Context, user string) (sumu.PresenceRow, error) {
	return h.presence(ctx, user)
}

func (h *hooked) SavePresence(ctx context.Context, row sumu.PresenceRow) error {
	return h.savePresence(ctx, row)
}

func (h *hooked) MarkAnnounced(ctx context.Context, user string, version int64) error {
	return h.markAnnounced(ctx, user, version)
}

func (h *hooked) PresenceRows(ctx context.Context, seg sumu.Segment) iter.Seq2[sumu.PresenceRow, error] {
	return h.presenceRows(ctx, seg)
}

func (h *hooked) LoadRecord(ctx context.Context, kind, key string) (sumu.Record, error) {
	return h.loadRecord(ctx, kind, key)
}

func (h *hooked) SaveRecord(ctx context.Context, r sumu.Record) error {
	err := h.saveRecord(ctx, r)
	if err == nil {
		h.saved.Store([2]string{r.Kind, r.Key}, r)
	}
	return err
}

func (h *hooked) DeleteRecord(ctx context.Context, kind, key string, rev int64) error {
	return h.deleteRecord(ctx, kind, key, rev)
}

func (h *hooked) PutCapped(ctx context.Context, c sumu.Connection, most int, evict bool) ([]sumu.Connection, error) {
	evicted, err := h.putCapped(ctx, c, most, evict)
	if err == nil {
		_ = h.raw.Put(ctx, c)
	}
	for _, old := range evicted {
		_ = h.raw.Delete(ctx, old.Ref())
	}
	return evicted, err
}

func (h *hooked) Refresh(ctx context.Context, ref sumu.ConnectionRef, authExpiresAt time.Time) error {
	return h.refresh(ctx, ref, authExpiresAt)
}

// list is collect where no error is expected.
func list[R any](seq iter.Seq2[R, error]) []R {
	rows, _ := collect(seq)
	return rows
}

// yielding returns an iterator over rows.
func yielding[R any](rows []R) iter.Seq2[R, error] {
	return func(yield func(R, error) bool) {
		for _, r := range rows {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// mapped returns an iterator that goes over what change makes of the rows.
func mapped[R any](seq iter.Seq2[R, error], change func(rows []R) []R) iter.Seq2[R, error] {
	return func(yield func(R, error) bool) {
		rows, err := collect(seq)
		for _, r := range change(rows) {
			if !yield(r, nil) {
				return
			}
		}
		if err != nil {
			var none R
			yield(none, err)
		}
	}
}
