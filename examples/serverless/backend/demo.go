package main

import (
	"context"
	"encoding/json"
	"maps"
	"slices"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/notify"
)

// maxListed is how many users an answer lists, so that it stays below
// sumu.MaxPayload.
const maxListed = 1000

// demo answers clients through the pusher's queue.
type demo struct {
	client sumu.NotifyClient
	store  sumu.Store
}

// request is what a client publishes or sends:
//
//	{"to":"me","text":"an echo, on this device alone"}
//	{"to":"others","text":"everyone but me"}
//	{"to":["ann","bob"],"text":"these users"}
//	{"type":"users"}
type request struct {
	Type string          `json:"type"`
	To   json.RawMessage `json:"to"`
	Text string          `json:"text"`
}

// message answers a message. What is wrong with it is an answer too, and no
// error: it would be as wrong the next time.
func (d demo) message(ctx context.Context, m sumu.BackendMessage) error {
	n, err := d.answer(ctx, m)
	if err != nil {
		return err
	}
	// The same each time that the message comes: clients get the answer once.
	n.ID = "answer-" + m.ID
	_, err = notify.Send(ctx, d.client, n)
	return err
}

func (d demo) answer(ctx context.Context, m sumu.BackendMessage) (sumu.Notification, error) {
	device := sumu.ConnectionRef{UserID: m.UserID, ConnectionID: m.ConnectionID}
	var r request
	if json.Unmarshal(m.Body, &r) != nil {
		return wrong(device, "send an object with to and text")
	}
	if r.Type == "users" {
		users, err := d.users(ctx)
		if err != nil {
			return sumu.Notification{}, err
		}
		return notify.ToConnections(map[string]any{"type": "users", "users": users}, device)
	}
	said := map[string]string{"type": "message", "from": m.UserID, "text": r.Text}
	var n sumu.Notification
	var err error
	var users []string
	switch to := string(r.To); {
	case to == `"me"`:
		n, err = notify.ToConnections(said, device)
	case to == `"others"`:
		n, err = notify.ToEveryone(said, m.UserID)
	case json.Unmarshal(r.To, &users) == nil:
		n, err = notify.ToUsers(said, users...)
	default:
		return wrong(device, `to is "me", "others" or a list of users`)
	}
	if err != nil {
		return wrong(device, "a list of users has names, and a text fits into 128 KB")
	}
	return n, nil
}

// wrong tells a client what is wrong with its message.
func wrong(device sumu.ConnectionRef, text string) (sumu.Notification, error) {
	return notify.ToConnections(map[string]string{"type": "error", "message": text}, device)
}

// users are those who are connected. It reads the whole table: an application
// with many users keeps what the presence events tell instead.
func (d demo) users(ctx context.Context) ([]string, error) {
	seen := make(map[string]bool)
	for c, err := range d.store.All(ctx, sumu.Segment{}) {
		if err != nil {
			return nil, err
		}
		if seen[c.UserID] = true; len(seen) == maxListed {
			break
		}
	}
	return slices.Sorted(maps.Keys(seen)), nil
}
