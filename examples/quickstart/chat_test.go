package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
)

// rows is a PresenceStore that has rows to read.
type rows struct {
	sumu.PresenceStore
	rows []sumu.PresenceRow
	err  error
}

func (r rows) PresenceRows(context.Context, sumu.Segment) iter.Seq2[sumu.PresenceRow, error] {
	return func(yield func(sumu.PresenceRow, error) bool) {
		for _, row := range r.rows {
			if !yield(row, nil) {
				return
			}
		}
		if r.err != nil {
			yield(sumu.PresenceRow{}, r.err)
		}
	}
}

func published(body string) sumu.BackendMessage {
	return sumu.BackendMessage{
		ID: "m1", UserID: "ann", ConnectionID: "c1", Timestamp: time.UnixMilli(1795000000123), Body: json.RawMessage(body),
	}
}

func TestWho(t *testing.T) {
	store := rows{}
	// Names as long as they can be, of characters that are longest in JSON.
	for i := range 2 * maxWho {
		store.rows = append(store.rows,
			sumu.PresenceRow{UserID: strings.Repeat(`"`, maxName-4) + fmt.Sprintf("%04d", i), Status: sumu.Online, Version: 1<<62 + int64(i)},
			sumu.PresenceRow{UserID: fmt.Sprint("away", i), Status: sumu.Offline, Version: 2})
	}
	for n, more := range map[int]bool{0: false, 1: false, maxWho: false, maxWho + 1: true, 2 * maxWho: true} {
		var sent sumu.Notification
		c := &chat{
			client:   clientFunc(func(_ context.Context, n sumu.Notification) error { sent = n; return nil }),
			presence: rows{rows: store.rows[:2*n]},
		}
		if err := c.receive(t.Context(), published(`{"type":"who"}`)); err != nil {
			t.Fatal(err)
		}
		var answer struct {
			Type  string
			Users []struct {
				UserID  string `json:"user_id"`
				Version int64
			}
			More bool
		}
		if err := json.Unmarshal(sent.Data, &answer); err != nil {
			t.Fatal(err)
		}
		if answer.Type != "who" || answer.Users == nil || len(answer.Users) != min(n, maxWho) || answer.More != more {
			t.Errorf("%d online: answered with %d users, more %v", n, len(answer.Users), answer.More)
		}
		for i, u := range answer.Users {
			if u.UserID != store.rows[2*i].UserID || u.Version != store.rows[2*i].Version {
				t.Errorf("user %d is %+v", i, u)
			}
		}
		if len(sent.Connections) != 1 || sent.Connections[0] != (sumu.ConnectionRef{UserID: "ann", ConnectionID: "c1"}) || sent.Everyone {
			t.Errorf("the answer goes to %+v", sent)
		}
	}
	c := &chat{presence: rows{err: errors.New("disk on fire")}}
	if err := c.receive(t.Context(), published(`{"type":"who"}`)); err == nil {
		t.Error("a store that fails is answered as if nobody were online")
	}
}

func TestSay(t *testing.T) {
	var sent sumu.Notification
	c := &chat{client: clientFunc(func(_ context.Context, n sumu.Notification) error { sent = n; return nil })}
	text := strings.Repeat(`<&"`, maxText/3)
	body, err := json.Marshal(map[string]any{"type": "chat", "to": "everyone", "text": text, "key": "k1"})
	if err != nil {
		t.Fatal(err)
	}
	m := published(string(body))
	if err := c.receive(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	var got message
	if err := json.Unmarshal(sent.Data, &got); err != nil {
		t.Fatal(err)
	}
	if string(got.To) != `"everyone"` || got.Text != text || got.From != "ann" || got.At != 1795000000123 || got.Key != "k1" || got.ID != "m1" {
		t.Errorf("the pages receive %+v", got)
	}
	if sent.ID != "m1" || !sent.Deadline.After(m.Timestamp) {
		t.Errorf("id %q, deadline %v: want those of the message", sent.ID, sent.Deadline)
	}

	closed := &sumu.Error{Op: "send", Kind: sumu.ErrClosed}
	c.client = clientFunc(func(context.Context, sumu.Notification) error { return closed })
	if err := c.receive(t.Context(), m); !errors.Is(err, sumu.ErrClosed) {
		t.Errorf("a queue that is closed: %v; want no acknowledgement", err)
	}
}

// FuzzReceive: what clients publish is refused as invalid or sent, and what is
// sent can be delivered.
func FuzzReceive(f *testing.F) {
	for _, seed := range []string{
		`{"type":"who"}`,
		`{"type":"chat","to":"everyone","text":"a","key":"k"}`,
		`{"type":"chat","to":"others","text":"a","key":"k"}`,
		`{"type":"chat","to":{"users":["bob"]},"text":"a","key":"k"}`,
		`{"type":"chat","to":{"users":[null]},"text":"a","key":"k"}`,
		`{"type":"chat","to":null,"text":"a","key":"k"}`,
		`{"type":"chat"}`, `{}`, `null`, `[]`, `7`, `"chat"`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		if !json.Valid([]byte(body)) {
			return // A frame that is not JSON does not get this far.
		}
		var sent []sumu.Notification
		c := &chat{presence: rows{}, client: clientFunc(func(_ context.Context, n sumu.Notification) error {
			sent = append(sent, n)
			return n.Validate()
		})}
		err := c.receive(t.Context(), published(body))
		if err != nil && (!errors.Is(err, sumu.ErrInvalid) && !errors.Is(err, sumu.ErrTooLarge) || len(sent) > 0) {
			t.Errorf("%v, after %d were sent", err, len(sent))
		}
		if err == nil && len(sent) != 1 {
			t.Errorf("accepted, and %d sent", len(sent))
		}
	})
}
