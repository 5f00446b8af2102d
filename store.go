package sumu

import (
	"context"
	"iter"
	"time"
)

// Store keeps the connections. Its contract is enforced by the suite in
// connstore/storetest, which every driver runs.
//
// A row whose DeleteAt has passed is absent for every method below, whether or
// not it has been removed. Errors are ErrInvalid for a row or reference that
// does not validate, ErrThrottled or ErrUnavailable for what may succeed later.
// All methods are safe for concurrent use.
//
// Every read is strongly consistent, those of the optional interfaces too: what
// was answered before a read began, it sees. All alone may lag.
type Store interface {
	// Put writes a row, replacing one with the same user and id.
	Put(ctx context.Context, c Connection) error

	// Get returns one row: strongly consistent. ErrGone is returned when it is
	// absent.
	Get(ctx context.Context, ref ConnectionRef) (Connection, error)

	// Delete removes a row. An absent row is no error.
	Delete(ctx context.Context, ref ConnectionRef) error

	// Prune removes a row whose connection was found gone, unless it was
	// accepted at or after notAfter, compared in ms: a post can reach a socket that is just
	// being opened and find it gone. A row without ConnectedAt counts as old.
	// It reports whether a row was removed; an absent row is no error, and an
	// expired one may be left to the sweep. The
	// comparison and the removal are one atomic step.
	Prune(ctx context.Context, ref ConnectionRef, notAfter time.Time) (removed bool, err error)

	// ByUser yields the rows of a user in ascending byte order of their ids:
	// strongly consistent, because a notification reaches every connection that
	// was accepted before it. After an error it yields nothing more.
	ByUser(ctx context.Context, userID string) iter.Seq2[Connection, error]

	// HasLive reports whether the user has at least one row: strongly
	// consistent, because presence decides by it.
	HasLive(ctx context.Context, userID string) (bool, error)

	// All yields the rows of a segment, streamed: memory does not grow with
	// their number. It may lag a write by a moment, alone among all reads of a
	// store: a broadcast may miss who was accepted within that moment. The
	// order is the driver's, but stable: a row that is there from beginning to
	// end is yielded exactly once, also when the scan was stopped and resumed
	// with seg.After. The loop's body may call the store. After an error it
	// yields nothing more.
	All(ctx context.Context, seg Segment) iter.Seq2[Connection, error]
}

// Segment is a part of a table, for scans in parallel. The zero value is the
// whole table.
type Segment struct {
	// Index is 0 to Count-1. Count 0 and 1 both mean the whole table.
	Index int `json:"index"`
	Count int `json:"count"`
	// After is the last row already seen; the scan goes on behind it, whether
	// or not that row still exists. Zero: from the beginning.
	After ConnectionRef `json:"after,omitzero"`
}

// Validate returns ErrInvalid when Index is outside of 0 to Count-1.
func (s Segment) Validate() error {
	if s.Count < 0 || s.Index < 0 || s.Index >= max(s.Count, 1) {
		return invalid("segment %d of %d does not exist", s.Index, s.Count)
	}
	return nil
}

// Toucher is a [Store] that can prolong a row. A transport whose sockets may
// outlive their rows needs it.
type Toucher interface {
	// Touch moves DeleteAt of a row that exists and has not expired, in one
	// atomic step. ErrGone is returned when there is no such row: a renewal
	// never brings one back.
	Touch(ctx context.Context, ref ConnectionRef, deleteAt time.Time) error
}

// Sweeper is a [Store] that can remove its expired rows. Expiry itself tells
// nobody; the removal is a change like any other, and it drives presence.
type Sweeper interface {
	// SweepExpired removes up to limit expired rows, each on the condition
	// that its DeleteAt is unchanged and past. Limit 0 or less: all of them, but
	// for those whose expiry was written within the last moment.
	SweepExpired(ctx context.Context, limit int) (removed int, err error)
}

// Change says that a row of a user was written or removed, or expired and was
// swept. Changes may come twice and in any order.
type Change struct {
	UserID       string
	ConnectionID string // "" when several were joined into one
}

// ChangeFeed is a [Store] that tells of its own changes, in process.
type ChangeFeed interface {
	// Changes yields the changes that happen after the call, until ctx ends.
	// Changes of one user that nobody has read yet are joined into one, so that
	// memory is bounded by the number of users.
	Changes(ctx context.Context) iter.Seq[Change]
}
