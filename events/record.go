package events

import (
	"bytes"
	"iter"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/strictjson"
)

// Records yields the notification request of each event in a record of a
// stream, ready for a worker; awslambda.PusherOptions.Decode is the place for
// it. A record holds one event,
//
//	{"MessageType": "NESClick", "Message": {"color": "blue"}}
//
// or a notification with an "event", or, as the Kinesis Producer Library writes
// them, an aggregate of several such. With ErrInvalid it yields the part of the
// record that is none of these; the others of an aggregate are not touched by
// that. A notification for anybody but the subscribers of an event is refused.
func Records(data []byte) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		if !bytes.HasPrefix(data, aggregateMagic) {
			yield(request(data))
			return
		}
		parts, err := disaggregate(data)
		if err != nil {
			yield(data, err)
			return
		}
		for _, part := range parts {
			if !yield(request(part)) {
				return
			}
		}
	}
}

// request returns the notification request of an event, or the data and what is
// wrong with it.
func request(data []byte) ([]byte, error) {
	n, err := readRecord(data)
	if err != nil {
		return data, &sumu.Error{Op: "event of a stream", Err: err}
	}
	text, err := n.MarshalJSON()
	if err != nil {
		return data, &sumu.Error{Op: "event of a stream", Err: err}
	}
	return text, nil
}

func readRecord(data []byte) (sumu.Notification, error) {
	members, err := parse(data)
	if err != nil {
		return sumu.Notification{}, err
	}
	if members.Get("event") == nil {
		event, err := fromMembers(members)
		return sumu.Notification{Event: &event}, err
	}
	// Its targets are checked by being read: an event takes no others.
	return sumu.ParseNotification(data)
}

// readEvent reads {"MessageType": …, "Message": …}, the text of a member.
func readEvent(data []byte) (sumu.Event, error) {
	if data[0] != '{' {
		return sumu.Event{}, invalid("it is not an object")
	}
	members, err := parse(data)
	if err != nil {
		return sumu.Event{}, err
	}
	return fromMembers(members)
}

func parse(data []byte) (strictjson.Object, error) {
	members, err := strictjson.Parse(data, 0)
	if err != nil {
		return nil, invalid("%v", err)
	}
	return members, nil
}

func fromMembers(m strictjson.Object) (sumu.Event, error) {
	raw := m.Get("MessageType")
	if raw == nil {
		return sumu.Event{}, invalid("MessageType is missing")
	}
	switch eventType, ok := strictjson.String(raw); {
	case !ok:
		return sumu.Event{}, invalid("MessageType is not a string")
	case eventType == "":
		return sumu.Event{}, invalid("MessageType is empty")
	case len(eventType) > sumu.MaxEventType:
		return sumu.Event{}, invalid("MessageType has %d bytes; at most %d are allowed", len(eventType), sumu.MaxEventType)
	default:
		payload := m.Get("Message")
		if payload == nil {
			return sumu.Event{}, invalid("Message is missing")
		}
		return sumu.Event{Type: eventType, Payload: payload}, nil
	}
}
