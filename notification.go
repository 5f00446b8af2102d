package sumu

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Notification is a request to send Data to connections. Its targets are the
// union of Users, Channels and Connections, or Everyone, less the excluded; or
// the subscribers of Event. One without any target is invalid: a list that a
// program computed and that came out empty never reaches everybody.
//
// Its wire format, which its JSON methods speak, differs there because other
// programs rely on it: beside one that says "everyone": true, as those written
// here do, a request with none of users, channels, connections and event is for
// everyone, and so is one with an empty list of users; see [Notification.CheckExplicit].
type Notification struct {
	// ID is 1 to 100 printable ASCII characters without spaces. notify.Send
	// makes one when it is "". Clients see it in envelopes, and a connection
	// gets one notification of an ID only once within a batch.
	ID string

	Users       []string
	Channels    []string
	Connections []ConnectionRef
	Everyone    bool
	Event       *Event

	ExcludeUsers       []string
	ExcludeConnections []string // ids
	ExcludeChannels    []string // whoever is in one of them

	// From is the user who sent it, as the members of its Channels are told;
	// "": it was not sent by a user.
	From string

	// Data is any JSON value, null included; clients receive exactly this
	// text. It is required unless there is an Event. At most [MaxPayload] bytes.
	Data json.RawMessage

	// Deadline: not delivered after it. Kept to the millisecond; zero: none.
	Deadline time.Time

	// The fields below are set by whoever splits or repeats a notification.

	// Part tells the parts of one notification apart: "" at the root, then a
	// letter, and maybe a number, for each time that it was split: by notify
	// into messages ("p"), by a worker into segments ("s"), or by a push into
	// what it did not reach ("c") and what is to be tried again ("r"). At most
	// 27 lower-case letters and digits. ID and Part together are the key of a
	// message.
	Part string
	// Attempt counts how often the targets were tried before, but for the times
	// that failed by a fault which is not theirs.
	Attempt int
	// Since is when such faults (of the store, of the sender, of the way to it)
	// began to keep the notification from its targets. Kept to the millisecond;
	// zero: none do.
	Since time.Time
	// Segment is the part of all connections that is meant by Everyone, and
	// where in it to go on.
	Segment Segment
	// After is where to go on: behind this connection of Users[0]; or, when
	// there are Channels or an Event, behind this cursor of Channels[0]'s
	// members or of the event's subscribers.
	After string
	// Framed: Data is the whole of what clients receive, as it was made for
	// them when it was first tried: nothing is put around it.
	Framed bool

	implicit bool // for everyone because it was read from a request that names nobody
}

// CheckExplicit returns ErrInvalid for a notification that is for everyone only
// because it was read from a request that names nobody: it does not say
// "everyone": true, and a program may have computed its list of users. See
// RequireEveryone of the pusher's options.
func (n *Notification) CheckExplicit() error {
	if n.Everyone && n.implicit {
		return invalid("nobody is named; name users, channels or connections, or say \"everyone\": true")
	}
	return nil
}

// Event is something that happened, sent to the connections that subscribed to it.
type Event struct {
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload"`
}

const (
	maxNotificationID = 100 // with Part within SQS's limit of 128 for a deduplication id
	maxPart           = 27
	partAlphabet      = "abcdefghijklmnopqrstuvwxyz0123456789" // no "/", so that a key has one reading
)

// Key is the id, "/" and the part: what tells one message from every other.
func (n *Notification) Key() string { return n.ID + "/" + n.Part }

// Validate returns ErrInvalid, with what is wrong and where, unless the
// notification can be sent; ErrTooLarge when its data is over [MaxPayload].
func (n *Notification) Validate() error {
	if err := n.validateTargets(); err != nil {
		return err
	}
	if err := n.validateExcluded(); err != nil {
		return err
	}
	switch {
	case n.Data == nil && n.Event == nil:
		return invalid("data is missing; give any JSON value, null included")
	case n.Data != nil && !json.Valid(n.Data):
		return invalid("data is not valid JSON")
	case !utf8.Valid(n.Data):
		return invalid("data is not valid UTF-8")
	case len(n.Data) > MaxPayload:
		return tooLarge("data has %d bytes; at most %d are allowed", len(n.Data), MaxPayload)
	case len(n.ID) > maxNotificationID || !isToken(n.ID):
		return invalid("id is not made of at most %d printable ASCII characters without spaces", maxNotificationID)
	case len(n.Part) > maxPart || strings.Trim(n.Part, partAlphabet) != "":
		return invalid("part is not made of at most %d lower-case letters and digits", maxPart)
	case n.Attempt < 0:
		return invalid("attempt is negative")
	case n.Deadline.Unix() > maxUnixSeconds || n.Deadline.Unix() < -maxUnixSeconds:
		return invalid("deadline is out of range")
	case n.Since.Unix() > maxUnixSeconds || n.Since.Unix() < -maxUnixSeconds:
		return invalid("since is out of range")
	}
	return n.Segment.Validate()
}

func (n *Notification) validateTargets() error {
	listed := len(n.Users) + len(n.Channels) + len(n.Connections)
	switch {
	case n.Everyone && (listed > 0 || n.Event != nil):
		return invalid("both everyone and particular targets are named; give one or the other")
	case n.Event != nil && listed > 0:
		return invalid("an event goes to its subscribers; it takes no other targets")
	case n.Event != nil:
		return n.Event.validate()
	case !n.Everyone && listed == 0:
		return invalid("no targets: name users, channels or connections, an event, or everyone")
	}
	for i, u := range n.Users {
		if err := checkUserID("users["+itoa(i)+"]", u); err != nil {
			return err
		}
	}
	for i, c := range n.Channels {
		if err := checkChannel("channels["+itoa(i)+"]", c); err != nil {
			return err
		}
	}
	for i, ref := range n.Connections {
		if err := ref.Validate(); err != nil {
			return &Error{Op: "connections[" + itoa(i) + "]", Err: err}
		}
	}
	return nil
}

func (n *Notification) validateExcluded() error {
	for _, list := range []struct {
		name string
		ids  []string
	}{{"exclude_users", n.ExcludeUsers}, {"exclude_connections", n.ExcludeConnections}} {
		for i, id := range list.ids {
			if !utf8.ValidString(id) { // JSON would exclude another one.
				return invalid("%s[%d] is not valid UTF-8", list.name, i)
			}
		}
	}
	for i, c := range n.ExcludeChannels {
		if err := checkChannel("exclude_channels["+itoa(i)+"]", c); err != nil {
			return err
		}
	}
	if n.From == "" {
		return nil
	}
	return checkUserID("from", n.From)
}

func (e *Event) validate() error {
	switch {
	case e.Type == "":
		return invalid("event: type is missing")
	case !utf8.ValidString(e.Type):
		return invalid("event: type is not valid UTF-8")
	case e.Payload != nil && (!json.Valid(e.Payload) || !utf8.Valid(e.Payload)):
		return invalid("event: payload is not valid JSON")
	case len(e.Payload) > MaxPayload:
		return tooLarge("event: payload has %d bytes; at most %d are allowed", len(e.Payload), MaxPayload)
	}
	return nil
}

// Clone returns a copy that shares nothing with n but the bytes of Data and of
// the event's payload.
func (n *Notification) Clone() Notification {
	c := *n
	if n.Event != nil {
		c.Event = &Event{Type: n.Event.Type, Payload: n.Event.Payload}
	}
	c.Users = slices.Clone(n.Users)
	c.Channels = slices.Clone(n.Channels)
	c.Connections = slices.Clone(n.Connections)
	c.ExcludeUsers = slices.Clone(n.ExcludeUsers)
	c.ExcludeConnections = slices.Clone(n.ExcludeConnections)
	c.ExcludeChannels = slices.Clone(n.ExcludeChannels)
	return c
}

func isToken(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
