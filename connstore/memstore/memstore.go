// Package memstore keeps connections, channels, subscriptions, presence and
// records in memory: for a server of one process, and for tests.
//
//	store := new(memstore.Store)
//	app, err := sumu.NewApp(auth, store)
//
// Reads never lag: what a call has written every later call sees. All that is
// kept is lost when the process ends, as are the sockets that it describes.
//
// # Cost
//
// A connection takes about 100 bytes beside its strings, whatever the number of
// connections. Rows are kept in order in 256 shards, chosen by a hash of the
// user, so that writers of different users rarely wait for each other. Every
// call for one row takes time in proportion to the logarithm of their number,
// also when they are all of one user; [Store.PutCapped] takes longer when it
// evicts. A scan holds no lock while it yields.
//
// A presence row stays for every user ever seen, as its contract asks for:
// about 120 bytes beside the user's id. A record takes about 90 bytes beside its
// key and value. What a connection has joined and subscribed to is kept and
// removed in one step with its row: about 250 bytes for a connection that has
// any, 100 for each membership and 300 for each subscription beside their
// strings, and nothing for one that has none.
package memstore

import (
	"context"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sumu-live/sumu"
)

var (
	_ sumu.Store             = (*Store)(nil)
	_ sumu.ChannelStore      = (*Store)(nil)
	_ sumu.SubscriptionStore = (*Store)(nil)
	_ sumu.Toucher           = (*Store)(nil)
	_ sumu.Sweeper           = (*Store)(nil)
	_ sumu.ChangeFeed        = (*Store)(nil)
	_ sumu.PresenceStore     = (*Store)(nil)
	_ sumu.StateStore        = (*Store)(nil)
	_ sumu.Capper            = (*Store)(nil)
	_ sumu.Refresher         = (*Store)(nil)
)

// shardBits gives 256 shards: enough for the cores of any one machine.
const shardBits = 8

// Store is a [sumu.Store] in memory. The zero value is ready to use; it must
// not be copied. It is safe for concurrent use.
//
// It is a [sumu.Toucher], [sumu.Sweeper], [sumu.ChangeFeed],
// [sumu.ChannelStore], [sumu.SubscriptionStore], [sumu.PresenceStore],
// [sumu.StateStore], [sumu.Capper] and [sumu.Refresher] as well. Times are kept to the millisecond and come back in UTC.
//
// Expired rows and records are absent at once, but only [Store.SweepExpired] frees their
// memory: call it every few seconds, as a presence watcher does.
type Store struct {
	// Now is the clock. Default [time.Now]. Set it before the first use.
	Now func() time.Time

	seedOnce sync.Once
	seed     maphash.Seed

	connections [1 << shardBits]shard[connection]
	presence    [1 << shardBits]shard[presence]
	records     [1 << shardBits]shard[record]

	attachments [1 << shardBits]attachments // each under the lock of that shard of connections
	members     [1 << shardBits]shard[member]
	events      [1 << shardBits]shard[subscription]
	uses        uses // of events

	subscribeMu sync.Mutex // held to replace subscribers
	subscribers atomic.Pointer[[]*subscriber]
}

// shard is a range of hashes.
type shard[V value] struct {
	mu   sync.RWMutex
	rows table[V]
}

// key must be called with a user's id; id is "" for a presence row, and for
// the point before all connections of the user. A record goes by its Key as the
// user and its Kind as the id; a membership by its channel and a subscription by
// its partition as the user, and by its connection as the id.
func (s *Store) key(user, id string) key {
	// The seed is the store's own, so that nobody outside can choose user ids
	// that meet in one shard. Cursors are good for this store alone.
	s.seedOnce.Do(func() { s.seed = maphash.MakeSeed() })
	return key{maphash.String(s.seed, user), user, id}
}

func shardOf(hash uint64) int { return int(hash >> (64 - shardBits)) }

// firstHash is the lowest hash of a shard.
func firstHash(shard int) uint64 { return uint64(shard) << (64 - shardBits) }

func (s *Store) nowMilli() int64 {
	if s.Now != nil {
		return s.Now().UnixMilli()
	}
	return time.Now().UnixMilli()
}

// check is the entry of every call that names a connection.
func check(ctx context.Context, op string, ref sumu.ConnectionRef) error {
	err := ref.Validate()
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return failed(op, ref.ConnectionID, err)
	}
	return nil
}

// checkUser is the entry of every call that names a user.
func checkUser(ctx context.Context, op, user string) error {
	err := sumu.ValidateUserID(user)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return failed(op, user, err)
	}
	return nil
}

// failed names the operation, and what it was about unless that is oversized.
func failed(op, what string, err error) error {
	if what != "" && len(what) <= 100 {
		op += " " + what
	}
	return &sumu.Error{Op: op, Err: err}
}
