package sumu

import (
	"bytes"
	"context"
	"encoding/json"
	"iter"
	"math"
	"strconv"
	"time"
)

// Status is what presence knows of a user.
type Status string

// The two states. A user of whom nothing is known is OFFLINE.
const (
	Online  Status = "ONLINE"
	Offline Status = "OFFLINE"
)

// PresenceEvent says that a user came or went. The events of one user
// alternate and have the versions 1, 2, 3, …. An event can arrive twice, and a
// late duplicate can follow a newer event: drop one whose version is not above
// the last you saw.
type PresenceEvent struct {
	UserID  string
	Status  Status
	At      time.Time // of the change, kept to the millisecond
	Version int64
}

// ID is "user:version": the same for every duplicate of an event.
func (e PresenceEvent) ID() string {
	return e.UserID + ":" + strconv.FormatInt(e.Version, 10)
}

type presenceJSON struct {
	Type    string              `json:"type"`
	Message presenceMessageJSON `json:"message"`
}

type presenceMessageJSON struct {
	UserID    string      `json:"user_id"`
	Status    Status      `json:"status"`
	Timestamp json.Number `json:"timestamp"` // seconds since the epoch, with a fraction
	Version   int64       `json:"version"`
	ID        string      `json:"id"`
}

// MarshalJSON returns the wire format: type "presence", and a message with
// user_id, status, timestamp (epoch seconds with a fraction), version and id.
func (e PresenceEvent) MarshalJSON() ([]byte, error) {
	ms := e.At.UnixMilli()
	return json.Marshal(presenceJSON{Type: "presence", Message: presenceMessageJSON{
		UserID:    e.UserID,
		Status:    e.Status,
		Timestamp: json.Number(strconv.FormatFloat(float64(ms)/1000, 'f', 3, 64)),
		Version:   e.Version,
		ID:        e.ID(),
	}})
}

// UnmarshalJSON reads the wire format. ErrInvalid is returned for anything else.
func (e *PresenceEvent) UnmarshalJSON(data []byte) error {
	const what = "presence event"
	var w presenceJSON
	message := json.RawMessage("{}")
	if _, err := object(data); err != nil {
		return &Error{Op: what, Err: err}
	}
	err := readNested(what, bytes.TrimSpace(data), "an object", map[string]wireField{
		"type": {&w.Type, "a string"}, "message": {&message, "an object"},
	})
	if err == nil {
		err = readNested(what+": message", message, "an object", map[string]wireField{
			"user_id":   {&w.Message.UserID, "a string"},
			"status":    {&w.Message.Status, "a string"},
			"timestamp": {&w.Message.Timestamp, "a number"},
			"version":   {&w.Message.Version, "a number"},
		})
	}
	if err != nil {
		return err
	}
	seconds, err := w.Message.Timestamp.Float64()
	switch {
	case w.Type != "presence":
		return invalid("presence event: type is not \"presence\"")
	case w.Message.Status != Online && w.Message.Status != Offline:
		return invalid("presence event: status is neither ONLINE nor OFFLINE")
	case err != nil || math.Abs(seconds) > maxUnixSeconds:
		return invalid("presence event: timestamp is not a number of seconds since 1970")
	case w.Message.Version < 1:
		return invalid("presence event: version is not above 0")
	}
	if err := checkUserID("presence event: user_id", w.Message.UserID); err != nil {
		return err
	}
	*e = PresenceEvent{
		UserID:  w.Message.UserID,
		Status:  w.Message.Status,
		At:      time.UnixMilli(int64(math.Round(seconds * 1000))),
		Version: w.Message.Version,
	}
	return nil
}

// PresencePublisher is where presence events go.
type PresencePublisher interface {
	// PublishPresence returns nil once the destination has accepted the event.
	// It is called again with the same event after an error or a crash.
	PublishPresence(ctx context.Context, e PresenceEvent) error
}

// PresencePublisherFunc is a function as a [PresencePublisher].
type PresencePublisherFunc func(ctx context.Context, e PresenceEvent) error

// PublishPresence calls f.
func (f PresencePublisherFunc) PublishPresence(ctx context.Context, e PresenceEvent) error {
	return f(ctx, e)
}

// PresenceWatcher turns changes of a store into presence events.
type PresenceWatcher interface {
	// Observe evaluates the users of the changes. The first result has one
	// outcome per change, so that a stream's adapter can name the record that
	// failed: nil means that the evaluation has ended and its event, if any,
	// was accepted. The second joins them; it is nil when all are.
	Observe(ctx context.Context, changes ...Change) ([]error, error)
}

// PresenceRow is what a store keeps of a user's presence. Rows do not expire:
// a version that starts again would use its ids twice.
type PresenceRow struct {
	UserID      string
	Status      Status
	Version     int64     // of the last event; 0: none yet
	At          time.Time // of the last event, kept to the millisecond
	Announced   int64     // the last version that every destination has accepted
	Seq         int64     // grows by one with every evaluation; 0: there is no row
	AbsentSince time.Time // when the grace before OFFLINE began, to the millisecond; zero: it has not
}

// Event is the last event of the row.
func (r PresenceRow) Event() PresenceEvent {
	return PresenceEvent{UserID: r.UserID, Status: r.Status, At: r.At, Version: r.Version}
}

// PresenceStore keeps presence rows. Its reads are strongly consistent, and
// the connstore/storetest suite enforces its contract.
type PresenceStore interface {
	// Presence returns a user's row: the zero row with UserID and status
	// Offline when there is none.
	Presence(ctx context.Context, userID string) (PresenceRow, error)

	// SavePresence writes a row on the condition that the stored Seq (0 when
	// there is no row) is row.Seq-1. ErrConflict is returned when it is not.
	SavePresence(ctx context.Context, row PresenceRow) error

	// MarkAnnounced sets Announced to version on the condition that the stored
	// Version is version; it leaves Seq alone. ErrConflict is returned when it
	// is not, or there is no row.
	MarkAnnounced(ctx context.Context, userID string, version int64) error

	// PresenceRows yields the rows of a segment, streamed. Segment.After names
	// a row by its UserID alone. The loop's body may call the store. After an
	// error it yields nothing more.
	PresenceRows(ctx context.Context, seg Segment) iter.Seq2[PresenceRow, error]
}
