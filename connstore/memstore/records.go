package memstore

import (
	"context"
	"time"

	"github.com/sumu-live/sumu"
)

// record is a record without its key. The value is a string so that nobody can
// change it: to and from a caller it is copied.
type record struct {
	value         string
	rev, deleteAt int64
}

func (r record) expiresAt() int64 { return r.deleteAt }

// LoadRecord returns a record: one with its Kind and Key alone, and so Rev 0,
// when there is none or it has expired.
func (s *Store) LoadRecord(ctx context.Context, kind, key string) (sumu.Record, error) {
	if err := checkRecord(ctx, "load record", recordName(kind, key)); err != nil {
		return sumu.Record{}, err
	}
	k := s.key(key, kind)
	sh := &s.records[shardOf(k.hash)]
	sh.mu.RLock()
	r, found := sh.rows.live(k, s.nowMilli())
	sh.mu.RUnlock()
	loaded := sumu.Record{Kind: kind, Key: key}
	if found {
		loaded.Value, loaded.Rev, loaded.DeleteAt = []byte(r.value), r.rev, fromMilli(r.deleteAt)
	}
	return loaded, nil
}

// SaveRecord writes a record on the condition that the stored Rev (0 when there
// is none, or it has expired) is r.Rev-1. ErrConflict is returned when it is
// not.
func (s *Store) SaveRecord(ctx context.Context, r sumu.Record) error {
	if err := checkRecord(ctx, "save record", r); err != nil {
		return err
	}
	row := record{value: string(r.Value), rev: r.Rev, deleteAt: r.DeleteAt.UnixMilli()}
	k := s.key(r.Key, r.Kind)
	sh := &s.records[shardOf(k.hash)]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if stored, _ := sh.rows.live(k, s.nowMilli()); stored.rev != r.Rev-1 {
		return failed("save record", r.Kind, sumu.ErrConflict)
	}
	sh.rows.put(k, row)
	return nil
}

// DeleteRecord removes a record on the condition that it has this Rev and has
// not expired. ErrConflict is returned when it does not, or is absent.
func (s *Store) DeleteRecord(ctx context.Context, kind, key string, rev int64) error {
	if err := checkRecord(ctx, "delete record", recordName(kind, key)); err != nil {
		return err
	}
	k := s.key(key, kind)
	sh := &s.records[shardOf(k.hash)]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if stored, found := sh.rows.live(k, s.nowMilli()); !found || stored.rev != rev {
		return failed("delete record", kind, sumu.ErrConflict)
	}
	sh.rows.remove(k)
	return nil
}

// recordName is a record that validates when its kind and key do.
func recordName(kind, key string) sumu.Record {
	return sumu.Record{Kind: kind, Key: key, Rev: 1, DeleteAt: time.Unix(0, 0)}
}

// checkRecord is the entry of every call that names a record. The key stays out
// of its error, and of all others here: it may be a ticket, which is a secret.
func checkRecord(ctx context.Context, op string, r sumu.Record) error {
	err := r.Validate()
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return failed(op, r.Kind, err)
	}
	return nil
}
