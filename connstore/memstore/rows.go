package memstore

import (
	"context"
	"time"

	"github.com/sumu-live/sumu"
)

// connection is a row without its key. Times are in ms since the epoch: a
// [time.Time] takes three times the memory.
type connection struct {
	endpoint                             string
	connectedAt, deleteAt, authExpiresAt int64
}

func (c connection) expiresAt() int64 { return c.deleteAt }

func (c connection) live(now int64) bool { return now < c.deleteAt }

func newConnection(c sumu.Connection) connection {
	return connection{
		endpoint:      c.Endpoint,
		connectedAt:   c.ConnectedAt.UnixMilli(),
		deleteAt:      expiry(c.DeleteAt),
		authExpiresAt: c.AuthExpiresAt.UnixMilli(),
	}
}

func (c connection) row(k key) sumu.Connection {
	row := sumu.Connection{
		UserID:        k.user,
		ID:            k.id,
		Endpoint:      c.endpoint,
		ConnectedAt:   fromMilli(c.connectedAt),
		AuthExpiresAt: fromMilli(c.authExpiresAt),
	}
	if c.deleteAt != never {
		row.DeleteAt = fromMilli(c.deleteAt)
	}
	return row
}

// expiry is a DeleteAt as it is kept.
func expiry(deleteAt time.Time) int64 {
	if deleteAt.IsZero() {
		return never
	}
	return deleteAt.UnixMilli()
}

// fromMilli is the inverse of [time.Time.UnixMilli], also for the zero time.
func fromMilli(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

// Put writes a row, replacing one with the same user and id.
func (s *Store) Put(ctx context.Context, c sumu.Connection) error {
	if err := check(ctx, "put", c.Ref()); err != nil {
		return err
	}
	k := s.key(c.UserID, c.ID)
	row := newConnection(c)
	n := shardOf(k.hash)
	sh := &s.connections[n]
	sh.mu.Lock()
	s.replaced(n, k, s.nowMilli())
	sh.rows.put(k, row)
	s.prolonged(n, k, row.deleteAt)
	sh.mu.Unlock()
	s.publish(c.UserID, c.ID)
	return nil
}

// Get returns one row. ErrGone is returned when it is absent.
func (s *Store) Get(ctx context.Context, ref sumu.ConnectionRef) (sumu.Connection, error) {
	if err := check(ctx, "get", ref); err != nil {
		return sumu.Connection{}, err
	}
	k := s.key(ref.UserID, ref.ConnectionID)
	sh := &s.connections[shardOf(k.hash)]
	sh.mu.RLock()
	c, found := sh.rows.get(k)
	sh.mu.RUnlock()
	if !found || !c.live(s.nowMilli()) {
		return sumu.Connection{}, failed("get", ref.ConnectionID, sumu.ErrGone)
	}
	return c.row(k), nil
}

// Delete removes a row. An absent row is no error, and no change. An expired
// row that was not swept yet is removed too, and that is a change.
func (s *Store) Delete(ctx context.Context, ref sumu.ConnectionRef) error {
	if err := check(ctx, "delete", ref); err != nil {
		return err
	}
	k := s.key(ref.UserID, ref.ConnectionID)
	n := shardOf(k.hash)
	sh := &s.connections[n]
	sh.mu.Lock()
	removed := sh.rows.remove(k)
	s.drop(n, k)
	sh.mu.Unlock()
	if removed {
		s.publish(ref.UserID, ref.ConnectionID)
	}
	return nil
}

// Prune removes a row that is live and was accepted before notAfter, and
// reports whether it did. Both times are compared to the millisecond, the
// precision of ConnectedAt. An expired row is left to [Store.SweepExpired].
func (s *Store) Prune(ctx context.Context, ref sumu.ConnectionRef, notAfter time.Time) (removed bool, err error) {
	if err := check(ctx, "prune", ref); err != nil {
		return false, err
	}
	k := s.key(ref.UserID, ref.ConnectionID)
	n := shardOf(k.hash)
	sh := &s.connections[n]
	sh.mu.Lock()
	// The zero ConnectedAt needs no case of its own: it is before everything
	// but itself.
	c, found := sh.rows.get(k)
	old := c.connectedAt < notAfter.UnixMilli() || c.connectedAt == time.Time{}.UnixMilli()
	if found && old && c.live(s.nowMilli()) {
		removed = sh.rows.remove(k)
		s.drop(n, k)
	}
	sh.mu.Unlock()
	if removed {
		s.publish(ref.UserID, ref.ConnectionID)
	}
	return removed, nil
}

// Touch moves DeleteAt of a live row. ErrGone is returned when there is none.
// It is no change: nobody came or went.
func (s *Store) Touch(ctx context.Context, ref sumu.ConnectionRef, deleteAt time.Time) error {
	return s.edit(ctx, "touch", ref, func(c connection) connection {
		c.deleteAt = expiry(deleteAt)
		return c
	})
}

// Refresh moves AuthExpiresAt of a live row; the zero time takes it away.
// ErrGone is returned when there is none. It is no change: nobody came or went.
func (s *Store) Refresh(ctx context.Context, ref sumu.ConnectionRef, authExpiresAt time.Time) error {
	return s.edit(ctx, "refresh", ref, func(c connection) connection {
		c.authExpiresAt = authExpiresAt.UnixMilli()
		return c
	})
}

// edit makes of a live row what change does. ErrGone is returned when there is none.
func (s *Store) edit(ctx context.Context, op string, ref sumu.ConnectionRef, change func(connection) connection) error {
	if err := check(ctx, op, ref); err != nil {
		return err
	}
	k := s.key(ref.UserID, ref.ConnectionID)
	n := shardOf(k.hash)
	sh := &s.connections[n]
	sh.mu.Lock()
	c, found := sh.rows.get(k)
	if found = found && c.live(s.nowMilli()); found {
		row := change(c)
		sh.rows.put(k, row)
		if row.deleteAt != c.deleteAt {
			s.prolonged(n, k, row.deleteAt)
		}
	}
	sh.mu.Unlock()
	if !found {
		return failed(op, ref.ConnectionID, sumu.ErrGone)
	}
	return nil
}
