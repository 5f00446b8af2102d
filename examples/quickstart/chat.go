package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/notify"
)

const (
	maxText  = 2000 // characters of a chat message
	maxKey   = 64   // bytes of a message's key
	maxNamed = 100  // people that one message names
	maxWho   = 300  // people in one answer, so that it stays below sumu.MaxPayload
)

// chat is the backend: what your own server does with the messages that
// clients publish. It runs in this process here; elsewhere it reads a queue.
type chat struct {
	client   sumu.NotifyClient
	presence sumu.PresenceStore
}

// request is what the page publishes:
//
//	{"type":"chat","to":"everyone","text":"Hello","key":"5f1c"}
//	{"type":"chat","to":"others","text":"Hello","key":"5f1d"}
//	{"type":"chat","to":{"users":["bob"]},"text":"Hello","key":"5f1e"}
//	{"type":"who"}
//
// Anything else is what a client of your own may publish or send: an echo goes
// back to its device.
type request struct {
	Type string          `json:"type"`
	To   json.RawMessage `json:"to"`
	Text string          `json:"text"`
	// Key is the sender's own: a message that was sent twice, because an
	// acknowledgement was lost, has it twice and is shown once.
	Key string `json:"key"`
}

// receive is a [sumu.Backend]: what it returns is the sender's acknowledgement
// or error frame.
func (c *chat) receive(ctx context.Context, m sumu.BackendMessage) error {
	var r request
	err := json.Unmarshal(m.Body, &r)
	switch {
	case r.Type == "who":
		return c.who(ctx, m)
	case r.Type != "chat":
		return c.echo(ctx, m)
	case err != nil:
		return invalid("message is not an object with type, to, text and key")
	}
	return c.say(ctx, m, r)
}

// echo shows that a message has come to the backend and back.
func (c *chat) echo(ctx context.Context, m sumu.BackendMessage) error {
	n, err := notify.ToConnections(struct {
		Type    string          `json:"type"`
		Message json.RawMessage `json:"message"`
	}{"echo", m.Body}, device(m))
	if err != nil {
		return err
	}
	return c.send(ctx, m, n)
}

// device is where a message came from.
func device(m sumu.BackendMessage) sumu.ConnectionRef {
	return sumu.ConnectionRef{UserID: m.UserID, ConnectionID: m.ConnectionID}
}

// say passes a message on, to those whom the sender chose.
func (c *chat) say(ctx context.Context, m sumu.BackendMessage, r request) error {
	switch n := utf8.RuneCountInString(r.Text); {
	case n == 0:
		return invalid("message.text is empty")
	case n > maxText:
		return invalid("message.text has %d characters; at most %d are allowed", n, maxText)
	case r.Key == "" || len(r.Key) > maxKey:
		return invalid("message.key is not a string of 1 to %d bytes", maxKey)
	}
	said := message{
		Type: "chat", ID: m.ID, From: m.UserID, To: r.To, Text: r.Text,
		At: m.Timestamp.UnixMilli(), Key: r.Key,
	}
	n, err := said.address()
	if err != nil {
		return err
	}
	return c.send(ctx, m, n)
}

// message is what the pages receive.
type message struct {
	Type string          `json:"type"`
	ID   string          `json:"id"`
	From string          `json:"from"`
	To   json.RawMessage `json:"to"`
	Text string          `json:"text"`
	At   int64           `json:"at"` // ms since 1970
	Key  string          `json:"key"`
}

// address makes the notification for "everyone", "others", or the people named.
func (m message) address() (sumu.Notification, error) {
	switch string(m.To) {
	case `"everyone"`:
		return notify.ToEveryone(m)
	case `"others"`:
		return notify.ToEveryone(m, m.From)
	}
	var named struct {
		Users []string `json:"users"`
	}
	err := json.Unmarshal(m.To, &named)
	// No name here holds U+FFFD, as which half of a surrogate pair is read.
	nobody := func(name string) bool { return name == "" || strings.ContainsRune(name, utf8.RuneError) }
	if err != nil || len(named.Users) == 0 || len(named.Users) > maxNamed || slices.ContainsFunc(named.Users, nobody) {
		return sumu.Notification{}, invalid(`message.to is not "everyone", "others" or {"users":[1 to %d names]}`, maxNamed)
	}
	// The sender's own pages show what was said as well.
	return notify.ToUsers(m, append(named.Users, m.From)...)
}

// who tells one connection which users are online. The versions are those of
// the presence events, so that the page can tell which is newer.
func (c *chat) who(ctx context.Context, m sumu.BackendMessage) error {
	type user struct {
		UserID  string `json:"user_id"`
		Version int64  `json:"version"`
	}
	answer := struct {
		Type  string `json:"type"`
		Users []user `json:"users"`
		More  bool   `json:"more,omitempty"`
	}{Type: "who", Users: []user{}}
	for row, err := range c.presence.PresenceRows(ctx, sumu.Segment{}) {
		if err != nil {
			return err
		}
		if row.Status != sumu.Online {
			continue
		}
		if answer.More = len(answer.Users) == maxWho; answer.More {
			break
		}
		answer.Users = append(answer.Users, user{row.UserID, row.Version})
	}
	n, err := notify.ToConnections(answer, device(m))
	if err != nil {
		return err
	}
	return c.send(ctx, m, n)
}

// send is where a backend anywhere would begin: notify.Send.
func (c *chat) send(ctx context.Context, m sumu.BackendMessage, n sumu.Notification) error {
	n.ID = m.ID
	n.Deadline = m.Timestamp.Add(time.Minute) // Old talk is of no use to anyone.
	_, err := notify.Send(ctx, c.client, n)
	return err
}

func invalid(format string, args ...any) error {
	return &sumu.Error{Op: fmt.Sprintf(format, args...), Kind: sumu.ErrInvalid}
}
