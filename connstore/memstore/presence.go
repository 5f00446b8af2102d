package memstore

import (
	"context"
	"iter"

	"github.com/sumu-live/sumu"
)

// presence is a presence row without its key. Times are in ms since the epoch.
type presence struct {
	status          sumu.Status
	version         int64
	announced       int64
	seq             int64
	at, absentSince int64
}

// expiresAt is never: a version that starts again would use its ids twice.
func (presence) expiresAt() int64 { return never }

func (p presence) row(k key) sumu.PresenceRow {
	return sumu.PresenceRow{
		UserID:      k.user,
		Status:      p.status,
		Version:     p.version,
		At:          fromMilli(p.at),
		Announced:   p.announced,
		Seq:         p.seq,
		AbsentSince: fromMilli(p.absentSince),
	}
}

// Presence returns a user's row: the zero row with UserID and status Offline
// when there is none.
func (s *Store) Presence(ctx context.Context, userID string) (sumu.PresenceRow, error) {
	if err := checkUser(ctx, "presence", userID); err != nil {
		return sumu.PresenceRow{}, err
	}
	k := s.key(userID, "")
	sh := &s.presence[shardOf(k.hash)]
	sh.mu.RLock()
	p, found := sh.rows.get(k)
	sh.mu.RUnlock()
	if !found {
		return sumu.PresenceRow{UserID: userID, Status: sumu.Offline}, nil
	}
	return p.row(k), nil
}

// SavePresence writes a row on the condition that the stored Seq (0 when there
// is no row) is row.Seq-1. ErrConflict is returned when it is not.
func (s *Store) SavePresence(ctx context.Context, row sumu.PresenceRow) error {
	if err := checkUser(ctx, "save presence", row.UserID); err != nil {
		return err
	}
	k := s.key(row.UserID, "")
	sh := &s.presence[shardOf(k.hash)]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if p, _ := sh.rows.get(k); p.seq != row.Seq-1 {
		return failed("save presence", row.UserID, sumu.ErrConflict)
	}
	sh.rows.put(k, presence{
		status:      row.Status,
		version:     row.Version,
		announced:   row.Announced,
		seq:         row.Seq,
		at:          row.At.UnixMilli(),
		absentSince: row.AbsentSince.UnixMilli(),
	})
	return nil
}

// MarkAnnounced sets Announced to version on the condition that the stored
// Version is version. ErrConflict is returned when it is not, or there is no
// row.
func (s *Store) MarkAnnounced(ctx context.Context, userID string, version int64) error {
	if err := checkUser(ctx, "mark announced", userID); err != nil {
		return err
	}
	k := s.key(userID, "")
	sh := &s.presence[shardOf(k.hash)]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	p, found := sh.rows.get(k)
	if !found || p.version != version {
		return failed("mark announced", userID, sumu.ErrConflict)
	}
	p.announced = version
	sh.rows.put(k, p)
	return nil
}

// PresenceRows yields the rows of a segment. Its order and its cursors are as
// those of [Store.All]; Segment.After names a row by its UserID alone.
func (s *Store) PresenceRows(ctx context.Context, seg sumu.Segment) iter.Seq2[sumu.PresenceRow, error] {
	return func(yield func(sumu.PresenceRow, error) bool) {
		seg.After.ConnectionID = ""
		first, last, scan, err := s.segment("presence rows", seg)
		if err != nil {
			yield(sumu.PresenceRow{}, err)
			return
		}
		walk(ctx, s, s.presence[first:last], scan, presence.row, yield)
	}
}
