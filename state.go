package sumu

import (
	"context"
	"time"
	"unicode/utf8"
)

// Record is a small value that expires: a ticket, a revocation, a lease.
type Record struct {
	// Kind and Key name the record. Kind is 1 to 64 bytes, such as "ticket";
	// Key is 1 to [MaxUserID] bytes.
	Kind, Key string
	// Value is at most 64 KB.
	Value []byte
	// Rev grows by one with each write; 0: there is no record. It begins at 1
	// again after a record has expired or was deleted: who must tell its own
	// record from a later one of that name puts an owner into Value.
	Rev int64
	// DeleteAt is when the record expires, kept to the second. An expired
	// record counts as absent. It is required: what is kept here is kept for a time.
	DeleteAt time.Time
}

// MaxRecordValue is the longest value of a [Record], in bytes.
const MaxRecordValue = 64 * 1024

// Validate returns ErrInvalid or ErrTooLarge unless the record can be kept.
func (r Record) Validate() error {
	switch {
	case r.Kind == "" || len(r.Kind) > 64:
		return invalid("record: kind has %d bytes; 1 to 64 are allowed", len(r.Kind))
	case !utf8.ValidString(r.Kind):
		return invalid("record: kind is not valid UTF-8")
	case len(r.Value) > MaxRecordValue:
		return tooLarge("record: value has %d bytes; at most %d are allowed", len(r.Value), MaxRecordValue)
	case r.Rev < 1:
		return invalid("record: rev is %d; the first is 1", r.Rev)
	case r.DeleteAt.IsZero():
		return invalid("record: it does not expire")
	}
	return checkUserID("record: key", r.Key)
}

// StateStore is a [Store] that keeps records too. Its reads are strongly
// consistent, its writes conditional and atomic: of several writers with the
// same Rev exactly one succeeds.
type StateStore interface {
	// LoadRecord returns a record; one with Rev 0 when there is none.
	LoadRecord(ctx context.Context, kind, key string) (Record, error)

	// SaveRecord writes a record on the condition that the stored Rev (0 when
	// there is none, or it has expired) is r.Rev-1. ErrConflict is returned
	// when it is not.
	SaveRecord(ctx context.Context, r Record) error

	// DeleteRecord removes a record on the condition that it has this Rev and
	// has not expired. ErrConflict is returned when it does not, or is absent:
	// of several callers exactly one removes it.
	DeleteRecord(ctx context.Context, kind, key string, rev int64) error
}

// Capper is a [Store] that can bound the connections of a user.
type Capper interface {
	// PutCapped is Put, on the condition that the user has at most most live
	// connections afterwards, in one atomic step. When there are too many,
	// evict decides: false returns ErrLimit and writes nothing; true removes
	// the oldest (by ConnectedAt, then id) until the new one fits, and returns
	// them, so that the caller closes their sockets. A row that is replaced
	// does not count twice. most is at least 1, or ErrInvalid. A driver may take
	// several steps to evict more than 50; the cap holds when it returns.
	PutCapped(ctx context.Context, c Connection, most int, evict bool) (evicted []Connection, err error)
}

// Refresher is a [Store] that can take note of a connection's new token.
type Refresher interface {
	// Refresh moves AuthExpiresAt of a row that exists and has not expired, in
	// one atomic step. ErrGone is returned when there is no such row.
	Refresh(ctx context.Context, ref ConnectionRef, authExpiresAt time.Time) error
}

// Disconnecter is a [Sender] that can close connections.
type Disconnecter interface {
	// Disconnect closes the socket of a connection. ErrGone is returned when
	// it is no more: its row is then the caller's to remove.
	Disconnect(ctx context.Context, c Connection) error
}

// Close codes of what this module ends on purpose, from the range that RFC 6455
// leaves to applications, so that a client can tell by the code alone whether to
// come back. API Gateway sets its own: 1000 for what is closed through it.
const (
	// CloseKicked: [Kick] closed it. To connect again without being asked to
	// is to make it useless.
	CloseKicked = 4001
	// CloseReplaced: a newer connection of the user took its place
	// ([AppOptions.EvictOldest]). To connect again would close that one.
	CloseReplaced = 4002
	// CloseTokenExpired: connect again with a new token.
	CloseTokenExpired = 4003
)

// ReasonDisconnecter is a [Disconnecter] that can tell the client why. [Kick]
// uses it where there is one.
type ReasonDisconnecter interface {
	Disconnecter
	// DisconnectFor closes the socket of a connection with the reason's code,
	// 4000 to 4999, and text, at most 123 bytes of UTF-8; ErrInvalid is
	// returned for another. Where the platform sets the code itself, as API
	// Gateway does, it is Disconnect.
	DisconnectFor(ctx context.Context, c Connection, reason DisconnectReason) error
}

// maxCloseText is what a close frame has room for behind its code (RFC 6455, 5.5).
const maxCloseText = 123

// ValidateClose returns ErrInvalid unless [ReasonDisconnecter.DisconnectFor]
// takes the reason.
func (r DisconnectReason) ValidateClose() error {
	switch {
	case r.Code < 4000 || r.Code > 4999:
		return invalid("close code is %d; it must be 4000 to 4999", r.Code)
	case len(r.Text) > maxCloseText || !utf8.ValidString(r.Text):
		return invalid("close reason is not at most %d bytes of UTF-8", maxCloseText)
	}
	return nil
}
