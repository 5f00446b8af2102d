package iot

import (
	"crypto/rand"
	"fmt"
	"strings"

	"github.com/sumu-live/sumu"
)

const (
	// MaxClientID is the longest client id that AWS IoT Core takes, in bytes
	// (read 2026-11).
	MaxClientID = 128

	// randomSize is that of crypto/rand.Text: at least 128 random bits, in
	// letters and digits.
	randomSize = 26

	// MaxUser is the longest user id that fits a client id, in bytes: every
	// byte but A-Z, a-z, 0-9, "-", "_" and "." counts for three.
	MaxUser = MaxClientID - randomSize - 1

	// root is where clients' own topics are: those that they receive on.
	root = "sumu/"
	// backendRoot is where they send to backends.
	backendRoot = "sumu-backend/"
)

const hexDigits = "0123456789ABCDEF"

// plain reports whether a byte of a user id stands for itself: it means nothing
// in a topic, in an ARN and in a policy.
func plain(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.'
}

// encodeUser writes a user id so that it can stand in a client id, a topic and
// an ARN: "auth0|7" becomes "auth0=7C7". No two users become one.
func encodeUser(userID string) string {
	var b strings.Builder
	for i := range len(userID) {
		if c := userID[i]; plain(c) {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'=', hexDigits[c>>4], hexDigits[c&15]})
		}
	}
	return b.String()
}

// decodeUser reads what encodeUser writes, and nothing else.
func decodeUser(s string) (userID string, ok bool) {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '=' {
			b = append(b, s[i])
			continue
		}
		if i+2 >= len(s) {
			return "", false
		}
		high, low := strings.IndexByte(hexDigits, s[i+1]), strings.IndexByte(hexDigits, s[i+2])
		if high < 0 || low < 0 {
			return "", false
		}
		b = append(b, byte(high<<4|low))
		i += 2
	}
	// One user must not have two names: "=41" is "A", but "A" is not "=41".
	return string(b), encodeUser(string(b)) == s
}

// NewClientID returns a client id that nobody has had: the user id, "-" and 26
// random letters and digits. A byte of the user id that is neither a letter, a
// digit, "-", "_" nor "." is written as "=" and two hexadecimal digits.
// ErrInvalid is returned for a user id that is not valid, ErrTooLarge for one
// that has more than [MaxUser] bytes so written.
func NewClientID(userID string) (string, error) { return clientID(userID, rand.Text()) }

func clientID(userID, random string) (string, error) {
	if err := sumu.ValidateUserID(userID); err != nil {
		return "", err
	}
	user := encodeUser(userID)
	if len(user) > MaxUser {
		return "", &sumu.Error{
			Op:   fmt.Sprintf("user id has %d bytes in a client id; at most %d fit", len(user), MaxUser),
			Kind: sumu.ErrTooLarge,
		}
	}
	return user + "-" + random, nil
}

// UserOf returns the user of a client id that [NewClientID] has made; false for
// any other.
func UserOf(clientID string) (userID string, ok bool) {
	user, ok := userPart(clientID)
	if !ok {
		return "", false
	}
	userID, ok = decodeUser(user)
	return userID, ok && sumu.ValidateUserID(userID) == nil
}

// userPart is the user as a client id has it.
func userPart(clientID string) (user string, ok bool) {
	at := len(clientID) - randomSize - 1
	if at < 1 || len(clientID) > MaxClientID || clientID[at] != '-' || !isRandom(clientID[at+1:]) {
		return "", false
	}
	return clientID[:at], true
}

func isRandom(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'A' || c > 'Z') && (c < '2' || c > '7') {
			return false
		}
	}
	return len(s) == randomSize
}

// Topic returns a client's own topic, "sumu/{user}/{client id}", on which it
// receives notifications. ErrInvalid is returned for a client id that
// [NewClientID] has not made.
func Topic(clientID string) (string, error) {
	user, ok := userPart(clientID)
	if _, known := UserOf(clientID); !ok || !known {
		return "", invalid("connection is none of IoT Core: its id is no client id of ours")
	}
	return root + user + "/" + clientID, nil
}

func invalid(format string, args ...any) error {
	return &sumu.Error{Op: fmt.Sprintf(format, args...), Kind: sumu.ErrInvalid}
}
