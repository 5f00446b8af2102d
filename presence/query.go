package presence

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/sumu-live/sumu"
)

// User is what presence knows of a user, as of the user's last evaluation: what
// the events say, grace included, a moment behind the connections.
type User struct {
	UserID string
	Status sumu.Status
	// Since is when the user came or went: with status Offline when the user was
	// last seen. Zero: never seen.
	Since time.Time
	// Version is that of the user's last event; 0: there was none. Who asks
	// first and follows the events then drops those that are not above it.
	Version int64
}

// Online reports whether the user is online.
func (u User) Online() bool { return u.Status == sumu.Online }

func userOf(row sumu.PresenceRow) User {
	return User{UserID: row.UserID, Status: row.Status, Since: row.At, Version: row.Version}
}

// lookups is how many users Online asks for at the same time.
const lookups = 16

// Online tells of users whether they are online, and since when, or when they
// were last seen. There is one result for each id, in their order; a user who
// was never seen is offline. When one could not be read the error says so, joined
// with the others, and that result has no Status. ErrInvalid is returned for an
// id that cannot be.
//
// Each different user costs a read of one row, strongly consistent: 1 RCU with
// DynamoDB.
func Online(ctx context.Context, store sumu.PresenceStore, userIDs ...string) ([]User, error) {
	if store == nil {
		return nil, invalid("Online needs a PresenceStore")
	}
	place := make(map[string]int, len(userIDs)) // of a user in distinct
	var distinct []string
	for _, id := range userIDs {
		if _, seen := place[id]; !seen {
			place[id] = len(distinct)
			distinct = append(distinct, id)
		}
	}
	found, errs := make([]User, len(distinct)), make([]error, len(distinct))
	each(len(distinct), lookups, func(i int) {
		row, err := store.Presence(ctx, distinct[i])
		if err != nil {
			found[i].UserID, errs[i] = distinct[i], &sumu.Error{Op: "online", Err: err}
			return
		}
		found[i] = userOf(row)
	})
	users := make([]User, len(userIDs))
	for i, id := range userIDs {
		users[i] = found[place[id]]
	}
	return users, errors.Join(errs...)
}

// WhoIsOnline yields the users who are online, streamed: memory does not grow
// with their number. A user who comes or goes meanwhile may be among them or
// not; their Version tells which events to drop. Segment is for scans in
// parallel, and After names a user by UserID alone to go on behind; the zero
// value is everybody. After an error it yields nothing more.
//
// It reads the presence rows of everybody ever seen: with DynamoDB 1 RCU for
// each 4 KB of the state table, some 30 users, whatever else is in it. 100,000
// users: about 3,300 RCU, $0.0004 on demand (us-east-1, 2026-11). Ask once and
// follow the events rather than again and again.
func WhoIsOnline(ctx context.Context, store sumu.PresenceStore, seg sumu.Segment) iter.Seq2[User, error] {
	return func(yield func(User, error) bool) {
		if store == nil {
			yield(User{}, invalid("WhoIsOnline needs a PresenceStore"))
			return
		}
		for row, err := range store.PresenceRows(ctx, seg) {
			if err != nil {
				yield(User{}, &sumu.Error{Op: "who is online", Err: err})
				return
			}
			if row.Status == sumu.Online && !yield(userOf(row), nil) {
				return
			}
		}
	}
}
