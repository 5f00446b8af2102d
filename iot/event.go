package iot

import (
	"encoding/json"
	"time"

	"github.com/sumu-live/sumu"
)

// Event is a lifecycle event of AWS IoT Core: a client has connected, or has
// disconnected. Events come in any order, and some of them twice.
type Event struct {
	ClientID  string
	Connected bool // else: disconnected
	// Version grows with each connection of a client; both events of a
	// connection have the same. It begins at 0 again after about an hour
	// without a connection.
	Version int64
	// At is when it happened, to the millisecond, give or take two minutes.
	At time.Time
	// Principal is who connected: of a session of a role, the role's id, ":"
	// and the session's name, alone or among other parts.
	Principal string
	// Reason is why it disconnected, such as "CONNECTION_LOST"; "" when it
	// connected.
	Reason string
}

const (
	typeConnected    = "connected"
	typeDisconnected = "disconnected"
)

const maxEvent = 64 << 10 // Those of AWS have less than 1 KB.

// ParseEvent reads an event as the topics $aws/events/presence/connected/# and
// $aws/events/presence/disconnected/# have it, or a rule that selects all (*)
// from them. Members that it does not know are ignored. ErrUnsupported is
// returned for an event of another type, such as connect_failed, subscribed and
// unsubscribed (read 2026-12), ErrInvalid for anything else.
func ParseEvent(body []byte) (Event, error) {
	if len(body) > maxEvent {
		return Event{}, invalid("lifecycle event has %d bytes", len(body))
	}
	var head struct {
		EventType string `json:"eventType"`
	}
	// First: what else those of other types hold is not for us to judge.
	if json.Unmarshal(body, &head) == nil && head.EventType != "" && head.EventType != typeConnected && head.EventType != typeDisconnected {
		return Event{}, &sumu.Error{Op: "lifecycle event is of another eventType than connected and disconnected", Kind: sumu.ErrUnsupported}
	}
	var e struct {
		ClientID  *string `json:"clientId"`
		Timestamp *int64  `json:"timestamp"`
		Version   *int64  `json:"versionNumber"`
		Principal string  `json:"principalIdentifier"`
		Reason    string  `json:"disconnectReason"`
	}
	if err := json.Unmarshal(body, &e); err != nil { // err may repeat a part of it.
		return Event{}, invalid("lifecycle event is not valid JSON of its form")
	}
	const farthest = 1 << 48 // ms: some thousand years
	switch {
	case e.ClientID == nil || *e.ClientID == "" || len(*e.ClientID) > MaxClientID:
		return Event{}, invalid("lifecycle event has no clientId")
	case head.EventType == "":
		return Event{}, invalid("lifecycle event has no eventType")
	case e.Version == nil || *e.Version < 0:
		return Event{}, invalid("lifecycle event has no versionNumber")
	case e.Timestamp == nil || *e.Timestamp <= 0 || *e.Timestamp > farthest:
		return Event{}, invalid("lifecycle event has no timestamp")
	}
	return Event{
		ClientID: *e.ClientID, Connected: head.EventType == typeConnected, Version: *e.Version,
		At: time.UnixMilli(*e.Timestamp), Principal: e.Principal, Reason: e.Reason,
	}, nil
}

// state is what is known of a client: its latest event. It is kept as a record.
type state struct {
	Version   int64 `json:"version"`
	Connected bool  `json:"connected"`
	At        int64 `json:"at"` // epoch ms
}

func (e *Event) state() state { return state{e.Version, e.Connected, e.At.UnixMilli()} }

func (s state) at() time.Time { return time.UnixMilli(s.At) }

// epoch is more than the clocks of two events can be apart, and less than the
// time without a connection after which versions begin anew.
const epoch = 30 * time.Minute

// after reports whether s is later than other. Events that are far apart in time
// are in the order of their times, which holds across a restart of the versions.
// Others are in the order of their versions; a connection's end comes after its
// beginning.
func (s state) after(other state) bool {
	switch apart := s.at().Sub(other.at()); {
	case apart > epoch:
		return true
	case apart < -epoch:
		return false
	case s.Version != other.Version:
		return s.Version > other.Version
	}
	return other.Connected && !s.Connected
}
