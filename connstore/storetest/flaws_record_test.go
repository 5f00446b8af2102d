package storetest

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/sumu-live/sumu"
)

type record = sumu.Record

// recorded makes SaveRecord write what change makes of a record.
func recorded(change func(h *hooked, r *record)) func(h *hooked) {
	return func(h *hooked) {
		h.saveRecord = func(ctx context.Context, r record) error {
			change(h, &r)
			return h.Store.SaveRecord(ctx, r)
		}
	}
}

// loaded makes LoadRecord return what change makes of a record.
func loaded(change func(h *hooked, r *record)) func(h *hooked) {
	return func(h *hooked) {
		h.loadRecord = func(ctx context.Context, kind, key string) (record, error) {
			r, err := h.Store.LoadRecord(ctx, kind, key)
			change(h, &r)
			return r, err
		}
	}
}

// renamed makes the store keep records under other names.
func renamed(rename func(kind, key string) (string, string)) func(h *hooked) {
	return func(h *hooked) {
		h.loadRecord = func(ctx context.Context, kind, key string) (record, error) {
			as, of := rename(kind, key)
			r, err := h.Store.LoadRecord(ctx, as, of)
			r.Kind, r.Key = kind, key
			return r, err
		}
		h.saveRecord = func(ctx context.Context, r record) error {
			r.Kind, r.Key = rename(r.Kind, r.Key)
			return h.Store.SaveRecord(ctx, r)
		}
		h.deleteRecord = func(ctx context.Context, kind, key string, rev int64) error {
			as, of := rename(kind, key)
			return h.Store.DeleteRecord(ctx, as, of, rev)
		}
	}
}

// lastSaved returns the record that was saved last, expired or not.
func (h *hooked) lastSaved(kind, key string) (r record, ok bool) {
	v, ok := h.saved.Load([2]string{kind, key})
	if ok {
		r = v.(record)
	}
	return r, ok
}

// expiredSaved reports whether the last record of this name has expired.
func (h *hooked) expiredSaved(kind, key string) (r record, expired bool) {
	r, ok := h.lastSaved(kind, key)
	return r, ok && !h.clock.now().Before(r.DeleteAt)
}

var recordFlaws = []flaw{
	{"LoadRecord without a record is ErrGone", func(h *hooked) {
		h.loadRecord = func(ctx context.Context, kind, key string) (record, error) {
			r, err := h.Store.LoadRecord(ctx, kind, key)
			if err == nil && r.Rev == 0 {
				err = &sumu.Error{Op: "load record", Kind: sumu.ErrGone}
			}
			return r, err
		}
	}, "LoadRecord without a record returns one with its Kind and Key and Rev 0"},
	{"An absent record has no name", loaded(func(_ *hooked, r *record) {
		if r.Rev == 0 {
			*r = record{}
		}
	}), "LoadRecord without a record returns one with its Kind and Key and Rev 0"},
	{
		"Records forget when they expire", loaded(func(_ *hooked, r *record) { r.DeleteAt = time.Time{} }),
		"LoadRecord returns the record that SaveRecord wrote",
	},
	{"An empty value leaves the one before", func(h *hooked) {
		h.saveRecord = func(ctx context.Context, r record) error {
			if len(r.Value) == 0 {
				old, _ := h.Store.LoadRecord(ctx, r.Kind, r.Key)
				r.Value = old.Value
			}
			return h.Store.SaveRecord(ctx, r)
		}
	}, "SaveRecord writes the record whole"},
	{"SaveRecord accepts any later Rev", func(h *hooked) {
		h.saveRecord = func(ctx context.Context, r record) error {
			old, err := h.Store.LoadRecord(ctx, r.Kind, r.Key)
			if err == nil && old.Rev > 0 && r.Rev > old.Rev {
				r.Rev = old.Rev + 1
			}
			return h.Store.SaveRecord(ctx, r)
		}
	}, "SaveRecord is ErrConflict unless the stored Rev is the one before"},
	{"The first record may have any Rev", recorded(func(h *hooked, r *record) {
		if _, ok := h.lastSaved(r.Kind, r.Key); !ok {
			r.Rev = 1
		}
	}), "SaveRecord is ErrConflict unless the stored Rev is the one before"},
	{"DeleteRecord does nothing", func(h *hooked) {
		h.deleteRecord = func(context.Context, string, string, int64) error { return nil }
	}, "DeleteRecord removes the record that has the Rev, and no other"},
	{"DeleteRecord removes any Rev", func(h *hooked) {
		h.deleteRecord = func(ctx context.Context, kind, key string, rev int64) error {
			if r, err := h.Store.LoadRecord(ctx, kind, key); err == nil && r.Rev > 0 {
				rev = r.Rev
			}
			return h.Store.DeleteRecord(ctx, kind, key, rev)
		}
	}, "DeleteRecord is ErrConflict unless the record has the Rev"},
	{"DeleteRecord of Rev 0 succeeds without a record", func(h *hooked) {
		h.deleteRecord = func(ctx context.Context, kind, key string, rev int64) error {
			if r, err := h.Store.LoadRecord(ctx, kind, key); err == nil && r.Rev == rev {
				rev = max(rev, 1)
				_ = h.Store.DeleteRecord(ctx, kind, key, rev)
				return nil
			}
			return h.Store.DeleteRecord(ctx, kind, key, rev)
		}
	}, "DeleteRecord is ErrConflict unless the record has the Rev"},
	{"A deleted record leaves its Rev behind", func(h *hooked) {
		var dead sync.Map
		h.deleteRecord = func(ctx context.Context, kind, key string, rev int64) error {
			err := h.Store.DeleteRecord(ctx, kind, key, rev)
			if err == nil {
				dead.Store(key, rev)
			}
			return err
		}
		h.saveRecord = func(ctx context.Context, r record) error {
			if rev, ok := dead.LoadAndDelete(r.Key); ok {
				r.Rev -= rev.(int64)
			}
			return h.Store.SaveRecord(ctx, r)
		}
	}, "A record that was deleted begins with Rev 1 again"},
	{"Values are text", recorded(func(_ *hooked, r *record) {
		r.Value = bytes.ToValidUTF8(r.Value, []byte("\uFFFD"))
	}), "A record's value is any bytes, none to 64 KB of them"},
	{"Values are cut at 64,000 bytes", recorded(func(_ *hooked, r *record) {
		r.Value = r.Value[:min(len(r.Value), 64_000)]
	}), "A record's value is any bytes, none to 64 KB of them"},
	{"An empty value is refused", func(h *hooked) {
		h.saveRecord = func(ctx context.Context, r record) error {
			if len(r.Value) == 0 {
				return &sumu.Error{Op: "save record", Kind: sumu.ErrInvalid}
			}
			return h.Store.SaveRecord(ctx, r)
		}
	}, "A record's value is any bytes, none to 64 KB of them"},
	{"The caller's value is kept", loaded(func(h *hooked, r *record) {
		if last, ok := h.lastSaved(r.Kind, r.Key); ok && r.Rev > 0 {
			r.Value = last.Value
		}
	}), "A value that the caller changes afterwards stays as it was saved"},
	{"The store's value is handed out", func(h *hooked) {
		var kept sync.Map
		loaded(func(_ *hooked, r *record) {
			v, _ := kept.LoadOrStore(r.Key, r.Value)
			r.Value = v.([]byte)
		})(h)
	}, "A value that the caller changes afterwards stays as it was saved"},
	{"Kinds are told apart without their case", renamed(func(kind, key string) (string, string) {
		return strings.ToLower(kind), key
	}), "Kinds of records are kept apart"},
	{"Kind and key are joined", renamed(func(kind, key string) (string, string) {
		if kind == "" || key == "" {
			return kind, key
		}
		return "all", kind + ":" + key
	}), "What is joined of kind and key is told apart"},
	{"Keys are trimmed", renamed(func(kind, key string) (string, string) {
		if trimmed := strings.TrimSpace(key); trimmed != "" {
			return kind, trimmed
		}
		return kind, key
	}), "Keys of records may hold any characters, and be as long as allowed"},
	{"A record is kept as a row", func(h *hooked) {
		h.saveRecord = func(ctx context.Context, r record) error {
			_ = h.Store.Put(ctx, conn{UserID: r.Key, ID: r.Kind, DeleteAt: r.DeleteAt})
			return h.Store.SaveRecord(ctx, r)
		}
	}, "Records, connections and presence rows do not meet"},
	{"Delete of a row removes a record", func(h *hooked) {
		h.delete = func(ctx context.Context, r ref) error {
			_ = h.Store.DeleteRecord(ctx, r.ConnectionID, r.UserID, 1)
			return h.Store.Delete(ctx, r)
		}
	}, "Records, connections and presence rows do not meet"},

	{"A value that is too long is cut", recorded(func(_ *hooked, r *record) {
		r.Value = r.Value[:min(len(r.Value), sumu.MaxRecordValue)]
	}), "A record that does not validate is refused"},
	{"A record without DeleteAt does not expire", recorded(func(_ *hooked, r *record) {
		if r.DeleteAt.IsZero() {
			r.DeleteAt = time.Unix(1e10, 0)
		}
	}), "A record that does not validate is refused"},
	{"LoadRecord takes any name for an absent record", func(h *hooked) {
		h.loadRecord = func(ctx context.Context, kind, key string) (record, error) {
			r, err := h.Store.LoadRecord(ctx, kind, key)
			if errors.Is(err, sumu.ErrInvalid) {
				return record{Kind: kind, Key: key}, nil
			}
			return r, err
		}
	}, "A record's name that does not validate is ErrInvalid"},
	{"Records do not look at the context", func(h *hooked) {
		h.deleteRecord = func(ctx context.Context, kind, key string, rev int64) error {
			return h.Store.DeleteRecord(context.WithoutCancel(ctx), kind, key, rev)
		}
	}, "A record call with a cancelled context fails with its error and writes nothing"},
}
