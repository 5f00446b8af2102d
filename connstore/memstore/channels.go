package memstore

import (
	"context"
	"encoding/base64"
	"iter"
	"slices"

	"github.com/sumu-live/sumu"
)

// Join makes a connection a member of a channel, as long as its row lives. To
// join twice is to join once. ErrGone is returned when there is no live row,
// ErrLimit when the connection is in most channels already; most 0 or less: no
// limit. Endpoint, ConnectedAt and DeleteAt are those of the row.
func (s *Store) Join(ctx context.Context, c sumu.Connection, channel string, most int) error {
	const op = "join"
	if err := checkChannel(ctx, op, channel); err != nil {
		return err
	}
	if err := check(ctx, op, c.Ref()); err != nil {
		return err
	}
	return s.attach(op, c.Ref(), func(a *attached, deleteAt int64) error {
		i, found := slices.BinarySearch(a.channels, channel)
		switch {
		case found:
			return nil
		case most > 0 && len(a.channels) >= most:
			return sumu.ErrLimit
		}
		a.channels = slices.Insert(a.channels, i, channel)
		set(s.members[:], s.memberKey(channel, a.name), member{a.peer, deleteAt})
		return nil
	})
}

// Leave ends a membership. One that never was is no error.
func (s *Store) Leave(ctx context.Context, ref sumu.ConnectionRef, channel string) error {
	const op = "leave"
	if err := checkChannel(ctx, op, channel); err != nil {
		return err
	}
	if err := check(ctx, op, ref); err != nil {
		return err
	}
	s.detach(ref, func(a *attached) {
		if i, found := slices.BinarySearch(a.channels, channel); found {
			a.channels = slices.Delete(a.channels, i, i+1)
			s.removeMember(channel, a.name)
		}
	})
	return nil
}

func (s *Store) removeMember(channel, name string) { unset(s.members[:], s.memberKey(channel, name)) }

// IsMember reports whether a connection is in a channel.
func (s *Store) IsMember(ctx context.Context, ref sumu.ConnectionRef, channel string) (bool, error) {
	const op = "is member"
	if err := checkChannel(ctx, op, channel); err != nil {
		return false, err
	}
	if err := check(ctx, op, ref); err != nil {
		return false, err
	}
	k := s.memberKey(channel, connectionName(ref.UserID, ref.ConnectionID))
	sh := &s.members[shardOf(k.hash)]
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	_, found := sh.rows.live(k, s.nowMilli())
	return found, nil
}

// Members yields the members of a channel behind a cursor, ordered by what
// their connections are called: cursors are good for every channel and store.
// ErrInvalid is yielded for a cursor that cannot be. The loop's body may call
// the store.
func (s *Store) Members(ctx context.Context, channel, after string) iter.Seq2[sumu.Member, error] {
	const op = "members"
	return func(yield func(sumu.Member, error) bool) {
		err := checkChannel(ctx, op, channel)
		name, bad := cursors.DecodeString(after)
		if err == nil && bad != nil {
			err = failed(op, channel, &sumu.Error{Op: "cursor is not one of this store's", Kind: sumu.ErrInvalid})
		}
		if err != nil {
			yield(sumu.Member{}, err)
			return
		}
		start := s.memberKey(channel, string(name))
		n := shardOf(start.hash)
		walk(ctx, s, s.members[n:n+1], scan{
			op:     op,
			after:  start,
			within: func(k key) bool { return k.user == channel },
			page:   firstPage,
		}, memberRow, yield)
	}
}

var cursors = base64.RawURLEncoding.Strict()

func memberRow(m member, k key) sumu.Member {
	return sumu.Member{Connection: m.connection(m.deleteAt), Cursor: cursors.EncodeToString([]byte(k.id))}
}

// CountMembers returns how many connections are in a channel. It takes time in
// proportion to their number only while expired ones are not swept.
func (s *Store) CountMembers(ctx context.Context, channel string) (int, error) {
	if err := checkChannel(ctx, "count members", channel); err != nil {
		return 0, err
	}
	start := s.memberKey(channel, "")
	sh := &s.members[shardOf(start.hash)]
	sh.mu.Lock() // It may take note of the number.
	defer sh.mu.Unlock()
	return sh.rows.countLive(start, s.nowMilli()), nil
}

// Channels yields the channels of a connection in ascending byte order, as they
// were when the loop began.
func (s *Store) Channels(ctx context.Context, ref sumu.ConnectionRef) iter.Seq2[string, error] {
	const op = "channels"
	return func(yield func(string, error) bool) {
		var channels []string
		err := s.read(ctx, op, ref, func(a *attached) { channels = slices.Clone(a.channels) })
		yieldEach(ctx, op, channels, err, yield)
	}
}

// read calls f, under the lock of the connection's shard, with what is attached
// to a live row, if there is anything.
func (s *Store) read(ctx context.Context, op string, ref sumu.ConnectionRef, f func(a *attached)) error {
	if err := check(ctx, op, ref); err != nil {
		return err
	}
	k := s.key(ref.UserID, ref.ConnectionID)
	n := shardOf(k.hash)
	sh := &s.connections[n]
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	if _, live := sh.rows.live(k, s.nowMilli()); !live {
		return nil
	}
	if a := s.attachments[n][ref]; a != nil {
		f(a)
	}
	return nil
}

// yieldEach yields rows, or err, or the error of ctx once it has ended.
func yieldEach[R any](ctx context.Context, op string, rows []R, err error, yield func(R, error) bool) {
	var none R
	if err != nil {
		yield(none, err)
		return
	}
	for _, r := range rows {
		if err := ctx.Err(); err != nil {
			yield(none, failed(op, "", err))
			return
		}
		if !yield(r, nil) {
			return
		}
	}
}

// checkChannel is the entry of every call that names a channel.
func checkChannel(ctx context.Context, op, channel string) error {
	err := sumu.ValidateChannel(channel)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return failed(op, "", err)
	}
	return nil
}
