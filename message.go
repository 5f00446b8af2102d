package sumu

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"time"

	"github.com/sumu-live/sumu/internal/strictjson"
)

// Message is a frame that a client sent.
type Message struct {
	Connection Connection
	Identity   Identity
	// Action chose the handler: the frame's top-level string "action"; "" for
	// a frame without one, which only [AppOptions.Default] sees.
	Action string
	// Ref comes back in the reply: the frame's "ref", at most 64 characters; "": none.
	Ref string
	// Body is the whole frame. It must not be changed or kept after the
	// handler has returned.
	Body []byte
	// RequestID is unique to the message.
	RequestID  string
	ReceivedAt time.Time
	// LikeAPIGateway is set by a transport that stands in for API Gateway: the
	// answer to an action without a handler is then API Gateway's own, which
	// names neither the action nor the ref.
	LikeAPIGateway bool
	// SetIdentity replaces the connection's identity, and the time at which
	// its socket is closed, from the next message on. nil: the transport
	// cannot, as API Gateway, which asks its authorizer once.
	SetIdentity func(Identity)
}

// Handler handles the messages of one action. The reply, if not nil, is sent
// to the connection. An error is sent as an error frame: its code comes from
// its kind, its text from the outermost [Error.Op]; the cause stays inside.
type Handler func(ctx context.Context, m Message) (reply []byte, err error)

// Middleware wraps a handler.
type Middleware func(Handler) Handler

// Decode reads the frame into v, as encoding/json does. ErrInvalid is returned
// when it does not fit, or when a string in the frame holds half of a surrogate
// pair: no string of Go can hold it, and as U+FFFD it would be another name.
// For text that is passed on as it is there is Field.
func (m *Message) Decode(v any) error {
	if json.Valid(m.Body) && strictjson.HalfSurrogate(m.Body) {
		return invalid("the message holds half of a surrogate pair")
	}
	if err := json.Unmarshal(m.Body, v); err != nil {
		return &Error{Op: "the message does not have the shape that this action needs", Kind: ErrInvalid, Err: err}
	}
	return nil
}

// Field returns the JSON text of a top-level member of the frame, nil when
// there is none.
func (m *Message) Field(name string) json.RawMessage {
	members, err := object(m.Body)
	if err != nil {
		return nil
	}
	return bytes.Clone(members.Get(name)) // Body is not to be kept.
}

// Ack returns the acknowledgement of a message: id names what was accepted.
func (m *Message) Ack(id string) []byte {
	return mustJSON(struct {
		Type   string `json:"type"`
		Action string `json:"action"`
		Ref    string `json:"ref,omitempty"`
		ID     string `json:"id"`
	}{"ack", m.Action, m.Ref, id})
}

// BackendMessage is what a client sends to the backend.
type BackendMessage struct {
	ID           string // given here; the client sees it in the acknowledgement
	UserID       string
	ConnectionID string // so that the backend can answer one device
	Source       string // "apigw.route.publish" or "apigw.route.send"
	Timestamp    time.Time
	Body         json.RawMessage // the JSON text of "message"
}

// Backend takes what clients send. It returns nil once the message is
// accepted: from then on it is not lost.
type Backend func(ctx context.Context, m BackendMessage) error

// ToBackend returns the handler of an action that hands the frame's "message"
// (any JSON value) to the backend and acknowledges it, unless the sender's
// grants take [VerbBackend] away. source is
// "apigw.route.publish" or "apigw.route.send", as backends know them.
func ToBackend(source string, backend Backend) Handler {
	return func(ctx context.Context, m Message) ([]byte, error) {
		if !m.Identity.Grants.Allow(VerbBackend, m.Action) {
			return nil, &Error{Op: "your token does not allow this action", Kind: ErrForbidden}
		}
		body := m.Field("message")
		if body == nil {
			return nil, invalid("message is missing; give any JSON value")
		}
		bm := BackendMessage{
			ID:           NewID(),
			UserID:       m.Connection.UserID,
			ConnectionID: m.Connection.ID,
			Source:       source,
			Timestamp:    m.ReceivedAt,
			Body:         body,
		}
		if err := backend(ctx, bm); err != nil {
			return nil, err
		}
		return m.Ack(bm.ID), nil
	}
}

// NewID returns a random id of 26 characters, which nobody can guess.
func NewID() string { return rand.Text() }

// mustJSON is for structs of strings and numbers, which always marshal.
func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}
