package memstore

import (
	"context"
	"encoding/binary"
	"slices"
	"strings"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/eventindex"
)

// attached is what a connection has joined and subscribed to. It is kept beside
// the shard of the connection's row, under that shard's lock, and so comes and
// goes in one step with the row. The rows of channels and events are written
// under that lock too, each with its own shard's lock taken inside.
type attached struct {
	// name stands for the connection in the keys of channels and events.
	name     string
	peer     *peer
	channels []string // ascending
	subs     []subscribed
}

// peer is what a sender needs of a connection, as it was when it joined. All
// rows of the connection share it, and nobody changes it.
type peer struct {
	user, id, endpoint string
	connectedAt        int64
}

func (p *peer) connection(deleteAt int64) sumu.Connection {
	c := sumu.Connection{
		UserID: p.user, ID: p.id, Endpoint: p.endpoint, ConnectedAt: fromMilli(p.connectedAt),
	}
	if deleteAt != never {
		c.DeleteAt = fromMilli(deleteAt)
	}
	return c
}

// subscribed is a subscription of a connection.
type subscribed struct {
	id  string // of eventindex
	sub *sumu.Subscription
}

func compareID(s subscribed, id string) int { return strings.Compare(s.id, id) }

// member is a row of a channel.
type member struct {
	*peer
	deleteAt int64
}

func (m member) expiresAt() int64 { return m.deleteAt }

// subscription is a row of a partition of events.
type subscription struct {
	*peer
	sub      *sumu.Subscription
	deleteAt int64
}

func (s subscription) expiresAt() int64 { return s.deleteAt }

// attachments are those of the connections of one shard.
type attachments map[sumu.ConnectionRef]*attached

// connectionName tells every connection from every other, and ends where it
// ends whatever follows.
func connectionName(user, id string) string {
	name := binary.AppendUvarint(nil, uint64(len(user)))
	name = append(name, user...)
	name = binary.AppendUvarint(name, uint64(len(id)))
	return string(append(name, id...))
}

// attach calls f, under the lock of the connection's shard, with what is
// attached to a live row, and with the expiry of it. ErrGone is returned when
// there is no such row. The error of f is returned; it changes nothing then.
func (s *Store) attach(op string, ref sumu.ConnectionRef, f func(a *attached, deleteAt int64) error) error {
	k := s.key(ref.UserID, ref.ConnectionID)
	n := shardOf(k.hash)
	sh := &s.connections[n]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	row, found := sh.rows.live(k, s.nowMilli())
	if !found {
		return failed(op, ref.ConnectionID, sumu.ErrGone)
	}
	a := s.attachments[n][ref]
	if a == nil {
		a = &attached{name: connectionName(ref.UserID, ref.ConnectionID)}
	}
	if p := a.peer; p == nil || p.endpoint != row.endpoint || p.connectedAt != row.connectedAt {
		a.peer = &peer{ref.UserID, ref.ConnectionID, row.endpoint, row.connectedAt}
	}
	if err := f(a, row.deleteAt); err != nil {
		return failed(op, ref.ConnectionID, err)
	}
	s.keep(n, ref, a)
	return nil
}

// detach calls f, under the lock of the connection's shard, with what is
// attached to a connection, if there is anything.
func (s *Store) detach(ref sumu.ConnectionRef, f func(a *attached)) {
	n := shardOf(s.key(ref.UserID, ref.ConnectionID).hash)
	sh := &s.connections[n]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if a := s.attachments[n][ref]; a != nil {
		f(a)
		s.keep(n, ref, a)
	}
}

// keep stores what is attached to a connection, if there is anything.
func (s *Store) keep(n int, ref sumu.ConnectionRef, a *attached) {
	if len(a.channels)+len(a.subs) > 0 {
		if s.attachments[n] == nil {
			s.attachments[n] = make(attachments)
		}
		s.attachments[n][ref] = a
		return
	}
	if delete(s.attachments[n], ref); len(s.attachments[n]) == 0 {
		s.attachments[n] = nil // A map does not shrink.
	}
}

// drop removes all that is attached to rows of shard n that were removed. The
// caller holds the shard's lock.
func (s *Store) drop(n int, rows ...key) {
	if s.attachments[n] == nil {
		return
	}
	for _, k := range rows {
		ref := sumu.ConnectionRef{UserID: k.user, ConnectionID: k.id}
		if a := s.attachments[n][ref]; a != nil {
			s.clear(a)
			s.keep(n, ref, a)
		}
	}
}

func (s *Store) clear(a *attached) {
	for _, channel := range a.channels {
		s.removeMember(channel, a.name)
	}
	for _, sub := range a.subs {
		s.removeSubscription(a.name, sub)
	}
	a.channels, a.subs = nil, nil
}

// replaced has what is attached to a row that is written anew expire with it.
// What was attached to a row that had expired is gone. The caller holds the
// lock of shard n.
func (s *Store) replaced(n int, k key, now int64) {
	a := s.attachments[n][sumu.ConnectionRef{UserID: k.user, ConnectionID: k.id}]
	if a == nil {
		return
	}
	if _, live := s.connections[n].rows.live(k, now); !live {
		s.drop(n, k)
	}
}

// prolonged moves the expiry of what is attached to a row that was written. The
// caller holds the lock of shard n.
func (s *Store) prolonged(n int, k key, deleteAt int64) {
	a := s.attachments[n][sumu.ConnectionRef{UserID: k.user, ConnectionID: k.id}]
	if a == nil {
		return
	}
	// Whole rows: one that seemed to have expired may just have been swept.
	for _, channel := range a.channels {
		set(s.members[:], s.memberKey(channel, a.name), member{a.peer, deleteAt})
	}
	for _, sub := range a.subs {
		set(s.events[:], s.eventKey(a.name, sub), subscription{a.peer, sub.sub, deleteAt})
	}
}

// set writes a row.
func set[V value](shards []shard[V], k key, v V) {
	sh := &shards[shardOf(k.hash)]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.rows.put(k, v)
}

// unset removes a row, and reports whether there was one.
func unset[V value](shards []shard[V], k key) bool {
	sh := &shards[shardOf(k.hash)]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return sh.rows.remove(k)
}

// Forget removes every attachment of a connection that has no row any more.
// What removes a row here removes them with it, so there is nothing left to do,
// but for a row that has expired and was not swept yet. A connection that has a
// live row keeps its attachments.
func (s *Store) Forget(ctx context.Context, ref sumu.ConnectionRef) error {
	if err := check(ctx, "forget", ref); err != nil {
		return err
	}
	k := s.key(ref.UserID, ref.ConnectionID)
	n := shardOf(k.hash)
	sh := &s.connections[n]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if _, live := sh.rows.live(k, s.nowMilli()); !live {
		s.drop(n, k)
	}
	return nil
}

// Prolong checks its arguments and does nothing more: attachments expire with
// their row, and [Store.Touch] and [Store.Put] have moved their expiry along
// with that of the row.
func (s *Store) Prolong(ctx context.Context, ref sumu.ConnectionRef, _ time.Time) error {
	return check(ctx, "prolong", ref)
}

// find returns where in the sorted subs a subscription is or would be.
func (a *attached) find(id string) (i int, found bool) {
	return slices.BinarySearchFunc(a.subs, id, compareID)
}

// eventKey is the key of a subscription's row.
func (s *Store) eventKey(name string, sub subscribed) key {
	use, text := eventindex.Of(sub.sub)
	return s.key(eventindex.Partition(sub.sub.EventType, use, text), name+sub.id)
}

// memberKey is the key of a membership's row.
func (s *Store) memberKey(channel, name string) key { return s.key(channel, name) }
