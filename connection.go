package sumu

import (
	"time"
	"unicode/utf8"
)

// Connection is one row of the connections table: one open socket of a user.
type Connection struct {
	UserID string // 1 to MaxUserID bytes
	ID     string // 1 to MaxConnectionID bytes

	// Endpoint is the base URL of the management API that holds the socket;
	// "" is the sender's default. It is written by the transport and read from
	// the row alone, never taken from a message.
	Endpoint string
	// ConnectedAt is when the socket was accepted, kept to the millisecond.
	// Zero: not known, as in rows of other programs; such a row counts as old.
	ConnectedAt time.Time
	// DeleteAt is when the row expires, kept to the second. An expired row
	// counts as absent everywhere. Zero: never.
	DeleteAt time.Time
	// AuthExpiresAt is the token's expiry, kept to the second: the socket is
	// closed then. Zero: it does not expire.
	AuthExpiresAt time.Time
}

// Ref names the connection.
func (c Connection) Ref() ConnectionRef {
	return ConnectionRef{UserID: c.UserID, ConnectionID: c.ID}
}

// Live reports whether the row has not expired at now.
func (c Connection) Live(now time.Time) bool {
	return c.DeleteAt.IsZero() || now.Before(c.DeleteAt)
}

// Validate returns ErrInvalid when the user id or the connection id is empty,
// too long, or not UTF-8.
func (c Connection) Validate() error { return c.Ref().Validate() }

// ConnectionRef names a connection by its user and its id.
type ConnectionRef struct {
	UserID       string `json:"user_id"`
	ConnectionID string `json:"connection_id"`
}

// Validate returns ErrInvalid when either part is empty, too long, or not UTF-8.
func (r ConnectionRef) Validate() error {
	if err := checkUserID("user_id", r.UserID); err != nil {
		return err
	}
	switch n := len(r.ConnectionID); {
	case n == 0:
		return invalid("connection_id is empty")
	case n > MaxConnectionID:
		return invalid("connection_id has %d bytes; at most %d are allowed", n, MaxConnectionID)
	case !utf8.ValidString(r.ConnectionID):
		return invalid("connection_id is not valid UTF-8")
	}
	return nil
}

// ValidateUserID returns ErrInvalid for a user id that is empty, too long, or
// not UTF-8.
func ValidateUserID(id string) error { return checkUserID("user id", id) }

func checkUserID(what, id string) error {
	switch n := len(id); {
	case n == 0:
		return invalid("%s is empty", what)
	case n > MaxUserID:
		return invalid("%s has %d bytes; at most %d are allowed", what, n, MaxUserID)
	case !utf8.ValidString(id): // JSON would turn it into another user's.
		return invalid("%s is not valid UTF-8", what)
	}
	return nil
}
