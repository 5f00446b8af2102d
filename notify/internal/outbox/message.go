// Package outbox is what the transports below notify have in common: it makes
// messages of notifications, splits what is too large, sends in batches by
// count and by bytes, and tries again what failed.
package outbox

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/sumu-live/sumu"
)

// Message is one message of a transport.
type Message struct {
	Body       string
	Attributes []Attribute
	Group      string // what keeps its order: a FIFO's group, a stream's partition key
	Dedup      string // the key of the message, for a FIFO
}

// Attribute is a message attribute. Its type is String or Number.
type Attribute struct {
	Name, Type, Value string
}

// Size is what SQS and SNS count: the body and the attributes, with their
// names and types.
func (m *Message) Size() int {
	n := len(m.Body)
	for _, a := range m.Attributes {
		n += len(a.Name) + len(a.Type) + len(a.Value)
	}
	return n
}

// FromBackend returns the message that hands a client's message to the backend.
func FromBackend(m sumu.BackendMessage) (Message, error) {
	if len(m.Body) == 0 {
		return Message{}, Invalid("the message is empty")
	}
	if m.ID == "" {
		m.ID = sumu.NewID()
	}
	return attributed(m.Body, m.UserID, m.Timestamp, m.ID,
		Attribute{"connection_id", "String", m.ConnectionID},
		Attribute{"source", "String", m.Source},
	)
}

// PresenceSource is the source attribute of presence events, as the original
// stack named it: consumers filter by it.
const PresenceSource = "lambda.presence.watchdog"

// FromPresence returns the message that tells of a presence event.
func FromPresence(e sumu.PresenceEvent) (Message, error) {
	body, err := json.Marshal(e)
	if err != nil {
		return Message{}, &sumu.Error{Op: "presence event", Kind: sumu.ErrInvalid, Err: err}
	}
	return attributed(body, e.UserID, e.At, e.ID(), Attribute{"source", "String", PresenceSource})
}

func attributed(body []byte, userID string, at time.Time, key string, more ...Attribute) (Message, error) {
	if at.IsZero() {
		at = time.Now()
	}
	m := Message{Body: string(escape(body)), Group: Token(userID), Dedup: Token(key)}
	for _, a := range append([]Attribute{
		{"user_id", "String", userID},
		{"timestamp", "Number", strconv.FormatInt(at.UnixMilli(), 10)},
	}, more...) {
		if a.Value == "" {
			continue // The platform refuses an empty one.
		}
		if !allowed(a.Value) {
			return Message{}, Invalid("%s holds a character that a message attribute cannot carry", a.Name)
		}
		m.Attributes = append(m.Attributes, a)
	}
	return m, nil
}

// Token returns s if it can be a group or a deduplication id of a FIFO: 1 to
// 128 printable ASCII characters without spaces. Of anything else it returns a
// hash, "all" for "".
func Token(s string) string {
	if s == "" {
		return "all"
	}
	fits := len(s) <= 128
	for i := 0; fits && i < len(s); i++ {
		fits = s[i] > ' ' && s[i] <= '~'
	}
	if fits {
		return s
	}
	return Hash(s)
}

// Hash stands for what is too long, or holds what a platform refuses.
func Hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "sha256." + hex.EncodeToString(sum[:])
}

// OnlyUser returns the user of a notification for one user or connections of
// one, and of an event the user who sent it, if one did; "" when there are several,
// channels or everyone.
func OnlyUser(n *sumu.Notification) string {
	if n.Event != nil {
		return n.From
	}
	if len(n.Channels) > 0 || len(n.Users)+len(n.Connections) == 0 {
		return ""
	}
	var user string
	for i := range len(n.Users) + len(n.Connections) {
		var u string
		if i < len(n.Users) {
			u = n.Users[i]
		} else {
			u = n.Connections[i-len(n.Users)].UserID
		}
		if i > 0 && u != user {
			return ""
		}
		user = u
	}
	return user
}

// The two characters that JSON text may hold as they are and a queue refuses.
// A queue takes #x9 #xA #xD #x20-#xD7FF #xE000-#xFFFD #x10000-#x10FFFF; the other
// control characters and lone surrogates are no JSON text, or no UTF-8.
const (
	fffe = "\uFFFE"
	ffff = "\uFFFF"
)

// escape makes JSON text that a queue takes, and that means the same. Both
// characters occur inside strings only.
func escape(text []byte) []byte {
	if bytes.Contains(text, []byte(fffe)) { // ReplaceAll copies in any case.
		text = bytes.ReplaceAll(text, []byte(fffe), []byte(`\ufffe`))
	}
	if bytes.Contains(text, []byte(ffff)) {
		text = bytes.ReplaceAll(text, []byte(ffff), []byte(`\uffff`))
	}
	return text
}

// allowed reports whether a queue takes the text as it is.
func allowed(s string) bool {
	for _, r := range s {
		switch {
		case r == '\t' || r == '\n' || r == '\r':
		case r < ' ', r == 0xFFFE, r == 0xFFFF:
			return false
		}
	}
	return utf8.ValidString(s)
}
