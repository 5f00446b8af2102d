package storetest

import (
	"context"
	"errors"
	"time"

	"github.com/sumu-live/sumu"
)

// overwritten is SaveRecord as a read and a later write.
func overwritten(h *hooked, ctx context.Context, r record) error {
	old, err := h.Store.LoadRecord(ctx, r.Kind, r.Key)
	if err != nil {
		return err
	}
	if old.Rev != r.Rev-1 {
		return &sumu.Error{Op: "save record", Kind: sumu.ErrConflict}
	}
	time.Sleep(roundTrip)
	err = h.Store.SaveRecord(ctx, r)
	if errors.Is(err, sumu.ErrConflict) {
		return nil // What was written in between is lost.
	}
	return err
}

// recordRaceFlaws break the rules of expiry and of concurrent writers.
var recordRaceFlaws = []flaw{
	{"LoadRecord finds expired records", loaded(func(h *hooked, r *record) {
		if last, expired := h.expiredSaved(r.Kind, r.Key); expired {
			*r = last
		}
	}), "LoadRecord of an expired record is as of an absent one"},
	{"SaveRecord goes on from an expired record's Rev", recorded(func(h *hooked, r *record) {
		if last, expired := h.expiredSaved(r.Kind, r.Key); expired {
			r.Rev -= last.Rev
		}
	}), "SaveRecord over an expired record begins with Rev 1"},
	{"SaveRecord never shortens a life", recorded(func(h *hooked, r *record) {
		if last, ok := h.lastSaved(r.Kind, r.Key); ok && last.DeleteAt.After(r.DeleteAt) {
			r.DeleteAt = last.DeleteAt
		}
	}), "SaveRecord with a time that has passed makes a record expire"},
	{"DeleteRecord removes expired records", func(h *hooked) {
		h.deleteRecord = func(ctx context.Context, kind, key string, rev int64) error {
			if last, expired := h.expiredSaved(kind, key); expired && last.Rev == rev {
				return nil
			}
			return h.Store.DeleteRecord(ctx, kind, key, rev)
		}
	}, "DeleteRecord of an expired record is ErrConflict"},
	{"A sweep removes live records", swept(func(h *hooked, ctx context.Context, limit int) (int, error) {
		h.saved.Range(func(_, v any) bool {
			r := v.(record)
			return h.Store.DeleteRecord(ctx, r.Kind, r.Key, r.Rev) != nil
		})
		return h.Store.SweepExpired(ctx, limit)
	}), "A sweep leaves live records alone and brings no expired one back"},
	{"A record outlives its DeleteAt by a second", func(h *hooked) {
		h.Store.Now = func() time.Time { return h.clock.now().Add(-time.Second) }
	}, "A record is absent from its DeleteAt on"},
	{"A record keeps its first DeleteAt", recorded(func(h *hooked, r *record) {
		if last, ok := h.lastSaved(r.Kind, r.Key); ok {
			r.DeleteAt = last.DeleteAt
		}
	}), "A record that was saved again lives until its new DeleteAt, and no longer"},

	{"SaveRecord reads, and then writes", func(h *hooked) {
		h.saveRecord = func(ctx context.Context, r record) error { return overwritten(h, ctx, r) }
	}, "Of many that save the same Rev of a record exactly one wins"},
	{"SaveRecord over an expired record has no condition", func(h *hooked) {
		h.saveRecord = func(ctx context.Context, r record) error {
			if _, expired := h.expiredSaved(r.Kind, r.Key); expired && r.Rev == 1 {
				time.Sleep(roundTrip)
				if err := h.Store.SaveRecord(ctx, r); !errors.Is(err, sumu.ErrConflict) {
					return err
				}
				return nil
			}
			return h.Store.SaveRecord(ctx, r)
		}
	}, "Of many that save over an expired record exactly one wins"},
	{"DeleteRecord reports a removal to everybody", func(h *hooked) {
		h.deleteRecord = func(ctx context.Context, kind, key string, rev int64) error {
			if r, err := h.Store.LoadRecord(ctx, kind, key); err != nil || r.Rev != rev {
				return h.Store.DeleteRecord(ctx, kind, key, rev)
			}
			time.Sleep(roundTrip)
			_ = h.Store.DeleteRecord(ctx, kind, key, rev)
			return nil
		}
	}, "Of many that delete a record exactly one removes it"},
	{"DeleteRecord reads, and then deletes", func(h *hooked) {
		h.deleteRecord = func(ctx context.Context, kind, key string, rev int64) error {
			if r, err := h.Store.LoadRecord(ctx, kind, key); err != nil || r.Rev != rev {
				return h.Store.DeleteRecord(ctx, kind, key, rev)
			}
			time.Sleep(roundTrip)
			for i := range int64(3) {
				_ = h.Store.DeleteRecord(ctx, kind, key, rev+i)
			}
			return nil
		}
	}, "Of a save and a delete of one Rev exactly one wins"},
}
