package events

import (
	"bytes"
	"context"
	"encoding/json"

	"github.com/sumu-live/sumu"
)

// Submit returns the handler of an action by which clients tell an event to
// its subscribers, themselves among them:
//
//	app.Handle("submitIotEvent", feed.Submit(client))
//
//	{"action":"submitIotEvent","event":{"MessageType":"NESClick","Message":{"color":"blue"}}}
//
// It is acknowledged once client has accepted it. The grants must allow
// [sumu.VerbPost] for the type.
func (e *Events) Submit(client sumu.NotifyClient) sumu.Handler {
	return func(ctx context.Context, m sumu.Message) ([]byte, error) {
		field := m.Field("event")
		if field == nil {
			return nil, invalid("event is missing")
		}
		event, err := readEvent(field)
		if err != nil {
			return nil, invalid("event: %s", reason(err))
		}
		if err := e.allow(ctx, m.Identity, sumu.VerbPost, event.Type); err != nil {
			return nil, err
		}
		n := sumu.Notification{ID: sumu.NewID(), From: m.Connection.UserID, Event: &event}
		if err := n.Validate(); err != nil {
			return nil, err
		}
		// What could be sent to nobody must not be acknowledged.
		if frameSize(&event) > sumu.MaxPayload {
			return nil, &sumu.Error{
				Op:   "event is too large: as the string that subscribers receive, it must fit into 128 KB",
				Kind: sumu.ErrTooLarge,
			}
		}
		if err := client.Send(ctx, n); err != nil {
			return nil, fault("submit", err)
		}
		return m.Ack(n.ID), nil
	}
}

// frameSize is how large the frame is that a subscriber to all fields receives.
func frameSize(e *sumu.Event) int {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(e.Type) // Strings always encode.
	_ = enc.Encode(string(e.Payload))
	return b.Len() - len("\n\n") + len(`{"message_type":,"payload":}`)
}
