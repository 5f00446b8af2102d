package sumu

import (
	"context"
	"iter"
	"strings"
	"unicode/utf8"
)

// MaxChannel is the longest name of a channel, in bytes.
const MaxChannel = 256

// ValidateChannel returns ErrInvalid unless a channel can have the name: 1 to
// [MaxChannel] bytes of UTF-8 without white space, "#", "*" and the characters
// that no user id may hold either, see [Identity.Validate]. Upper and lower case
// are told apart.
func ValidateChannel(name string) error { return checkChannel("channel", name) }

func checkChannel(what, name string) error {
	switch n := len(name); {
	case n == 0:
		return invalid("%s is empty", what)
	case n > MaxChannel:
		return invalid("%s has %d bytes; at most %d are allowed", what, n, MaxChannel)
	case !utf8.ValidString(name):
		return invalid("%s is not valid UTF-8", what)
	case strings.ContainsFunc(name, notInChannel):
		return invalid("%s holds white space, a control character, \"#\" or \"*\"", what)
	}
	return nil
}

func notInChannel(r rune) bool {
	return r == '#' || r == '*' || isBlank(r) || isHidden(r)
}

// Member is a connection in a channel.
type Member struct {
	// Connection is what a sender needs of it: UserID, ID, Endpoint, DeleteAt
	// and ConnectedAt, as they were when it joined.
	Connection Connection
	// Cursor is where in the channel the member is, for
	// [ChannelStore.Members]. It has a meaning to its store alone.
	Cursor string
}

// ChannelStore is a [Store] that keeps who is in which channel. Nothing it
// does reads more than what it is asked about: no call scans a table. Its
// contract is enforced by the suite in connstore/storetest. Names of channels
// are checked with [ValidateChannel].
type ChannelStore interface {
	AttachmentStore

	// Join makes a connection a member of a channel, until the connection's
	// DeleteAt. To join twice is to join once. ErrGone is returned when the
	// connection has no live row, ErrLimit when it is in most channels
	// already; most 0 or less: no limit. Nothing is left behind then. Of joins
	// of one connection at the same time more than necessary may be refused.
	Join(ctx context.Context, c Connection, channel string, most int) error

	// Leave ends a membership. One that never was is no error.
	Leave(ctx context.Context, ref ConnectionRef, channel string) error

	// IsMember reports whether a connection is in a channel: strongly
	// consistent, because exclusions rest on it.
	IsMember(ctx context.Context, ref ConnectionRef, channel string) (bool, error)

	// Members yields the members of a channel, streamed: memory does not grow
	// with their number. The order is the driver's, but stable: a member that
	// is there from beginning to end is yielded exactly once, also when the
	// reading was stopped and resumed behind the Cursor after; "" is the
	// beginning. It is strongly consistent: a join that was answered receives
	// every message that is accepted later. The loop's body may call the store.
	// After an error it yields nothing more.
	Members(ctx context.Context, channel, after string) iter.Seq2[Member, error]

	// CountMembers returns how many connections are in a channel: strongly
	// consistent.
	CountMembers(ctx context.Context, channel string) (int, error)

	// Channels yields the channels of a connection in ascending byte order:
	// strongly consistent.
	Channels(ctx context.Context, ref ConnectionRef) iter.Seq2[string, error]
}
