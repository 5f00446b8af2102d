// Package envelope unwraps what SNS wraps around a message when it delivers to
// a queue without raw delivery.
package envelope

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/sumu-live/sumu/internal/strictjson"
)

// Envelope is what SNS tells of a message.
type Envelope struct {
	Message   string // what was published
	MessageID string // given by the topic
	TopicARN  string
	Subject   string    // "" when there is none
	Timestamp time.Time // of the publication; zero when it has another format than SNS's
	// Attributes are the message attributes of type String, Number and
	// String.Array, as text. Binary ones are left out.
	Attributes map[string]string
}

// Unwrap reads a body as an envelope. It reports false unless the body is a
// JSON object in which Type is "Notification" and MessageId, TopicArn,
// Timestamp and Message are strings, none but Message empty, each there once
// and spelt exactly so, without half of a surrogate pair: anything else is a body of its own, which the caller
// passes on as it is. It unwraps once: a message that looks like an envelope
// stays one.
//
// An envelope is no proof: whoever may send to a queue can write one. SNS sets no
// message attributes beside an envelope, so do not unwrap a message that has
// some: sumu's backends send a client's message with attributes, and the client
// may have written an envelope that claims to be another user's. Signatures are
// not checked; let the queue's policy say who sends.
func Unwrap(body string) (Envelope, bool) {
	// Most bodies are none, and up to 1 MiB long: do not parse those twice.
	if !strings.Contains(body, `"TopicArn"`) {
		return Envelope{}, false
	}
	members, err := strictjson.Parse([]byte(body), 0)
	if err != nil {
		return Envelope{}, false
	}
	var e Envelope
	var kind, timestamp string
	for name, into := range map[string]*string{
		"Type": &kind, "MessageId": &e.MessageID, "TopicArn": &e.TopicARN,
		"Timestamp": &timestamp, "Message": &e.Message,
	} {
		if !text(members.Get(name), into) || *into == "" && name != "Message" {
			return Envelope{}, false
		}
	}
	if kind != "Notification" {
		return Envelope{}, false
	}
	_ = text(members.Get("Subject"), &e.Subject) // May be absent, or null.
	e.Timestamp, _ = time.Parse(time.RFC3339, timestamp)
	e.Attributes = attributes(members.Get("MessageAttributes"))
	return e, true
}

// text reads a JSON string, and nothing else: null would be read as "".
func text(raw json.RawMessage, into *string) (ok bool) {
	*into, ok = strictjson.String(raw)
	return ok
}

func attributes(raw json.RawMessage) map[string]string {
	var given map[string]struct {
		Type  string
		Value string
	}
	if len(raw) == 0 || json.Unmarshal(raw, &given) != nil {
		return nil
	}
	read := make(map[string]string, len(given))
	for name, a := range given {
		if !strings.HasPrefix(a.Type, "Binary") {
			read[name] = a.Value
		}
	}
	return read
}
