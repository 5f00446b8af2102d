// Package notify is what backend code calls to notify clients:
//
//	n, err := notify.ToUsers(map[string]any{"type": "order", "id": 7}, "ann", "bob")
//	if err != nil {
//		return err
//	}
//	id, err := notify.Send(ctx, client, n)
//
// The client is a [sumu.NotifyClient]: [Local] delivers in the same process;
// the packages below this one send to a queue, a topic or a stream.
//
// # Delivery
//
// Once Send has returned nil the notification is not lost: it is delivered to
// every live connection it names at least once, or it is reported to the
// Observer's DeadLetter, whole or what remained of it.
package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/sumu-live/sumu"
)

// Send hands a notification to the client and returns its id, which it makes
// when n has none. ErrInvalid and ErrTooLarge are returned for a notification
// that does not validate; other errors are the client's.
func Send(ctx context.Context, client sumu.NotifyClient, n sumu.Notification) (id string, err error) {
	if n.ID == "" {
		n.ID = sumu.NewID()
	}
	if err := n.Validate(); err != nil {
		return "", &sumu.Error{Op: "notify", Err: err}
	}
	if err := client.Send(ctx, n); err != nil {
		return "", &sumu.Error{Op: "notify " + n.ID, Err: err}
	}
	return n.ID, nil
}

// ToUsers returns a notification of data, which is encoded as JSON, for all
// connections of the users. ErrInvalid is returned for an empty list, which
// would otherwise be for everyone, and for data that cannot be encoded.
func ToUsers(data any, users ...string) (sumu.Notification, error) {
	if len(users) == 0 {
		return sumu.Notification{}, empty("users")
	}
	return build(data, sumu.Notification{Users: slices.Clone(users)})
}

// ToConnections returns a notification of data for particular connections, for
// instance to answer the one device that sent a message. ErrInvalid is
// returned as by [ToUsers].
func ToConnections(data any, refs ...sumu.ConnectionRef) (sumu.Notification, error) {
	if len(refs) == 0 {
		return sumu.Notification{}, empty("connections")
	}
	return build(data, sumu.Notification{Connections: slices.Clone(refs)})
}

// ToChannels returns a notification of data for all members of the channels,
// who are told which one it comes from. ErrInvalid is returned as by [ToUsers].
func ToChannels(data any, channels ...string) (sumu.Notification, error) {
	if len(channels) == 0 {
		return sumu.Notification{}, empty("channels")
	}
	return build(data, sumu.Notification{Channels: slices.Clone(channels)})
}

// ToEvent returns a notification of something that happened, for those who
// have subscribed to it. ErrInvalid is returned for an empty type and for a
// payload that cannot be encoded, ErrTooLarge for one over [sumu.MaxPayload].
func ToEvent(eventType string, payload any) (sumu.Notification, error) {
	text, err := encode(payload)
	if err != nil {
		return sumu.Notification{}, &sumu.Error{Op: "payload cannot be encoded as JSON", Kind: sumu.ErrInvalid, Err: err}
	}
	n := sumu.Notification{Event: &sumu.Event{Type: eventType, Payload: text}}
	if err := n.Validate(); err != nil {
		return sumu.Notification{}, err
	}
	return n, nil
}

// ToEveryone returns a notification of data for all connections, except those
// of the excluded users. ErrInvalid is returned for data that cannot be encoded.
func ToEveryone(data any, excludeUsers ...string) (sumu.Notification, error) {
	return build(data, sumu.Notification{Everyone: true, ExcludeUsers: slices.Clone(excludeUsers)})
}

func empty(what string) error {
	return &sumu.Error{Op: "the list of " + what + " is empty; to reach all, use ToEveryone", Kind: sumu.ErrInvalid}
}

func build(data any, n sumu.Notification) (sumu.Notification, error) {
	var err error
	if n.Data, err = encode(data); err != nil {
		return sumu.Notification{}, &sumu.Error{Op: "data cannot be encoded as JSON", Kind: sumu.ErrInvalid, Err: err}
	}
	if err := n.Validate(); err != nil {
		return sumu.Notification{}, err
	}
	return n, nil
}

var errNotJSON = errors.New("not valid JSON")

// encode leaves JSON text as it is, and "<" as "<": what clients receive is not
// HTML.
func encode(data any) (json.RawMessage, error) {
	if raw, ok := data.(json.RawMessage); ok {
		if !json.Valid(raw) {
			return nil, errNotJSON
		}
		return raw, nil
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(data); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
