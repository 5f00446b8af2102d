package sumutest

import (
	"bytes"
	"encoding/json"
	"io"
	"reflect"
	"strconv"
	"testing"
	"time"

	"github.com/sumu-live/sumu/internal/ws"
	"github.com/sumu-live/sumu/internal/ws/wstest"
)

// Next returns the next text message. The test fails when none comes within
// [Options.Wait] or the connection ends, and says what was read until then.
func (c *Conn) Next(tb testing.TB) string {
	tb.Helper()
	text, err := c.next(c.deadline())
	if err != nil {
		tb.Fatalf("%v: want a message, but %v%s", c, err, c.soFar())
	}
	return text
}

// NextType returns the next message that is a JSON object with this "type",
// such as "ack", "error", "pong" or "presence", and passes over the others. The
// test fails as with Next.
func (c *Conn) NextType(tb testing.TB, typ string) string {
	tb.Helper()
	for deadline := c.deadline(); ; {
		text, err := c.next(deadline)
		if err != nil {
			tb.Fatalf("%v: want a message of type %q, but %v%s", c, typ, err, c.soFar())
		}
		var m struct{ Type *string }
		if json.Unmarshal([]byte(text), &m) == nil && m.Type != nil && *m.Type == typ {
			return text
		}
	}
}

// Expect fails the test unless the next message is want: the same JSON, however
// it is spaced and ordered, or the same text when want is no JSON.
func (c *Conn) Expect(tb testing.TB, want string) {
	tb.Helper()
	text, err := c.next(c.deadline())
	if err != nil {
		tb.Fatalf("%v: want %s, but %v%s", c, want, err, c.soFar())
	}
	if !same(text, want) {
		tb.Fatalf("%v: got %s\nwant %s%s", c, text, want, c.soFar())
	}
}

// Await passes over messages until want comes, compared as by Expect: for what
// races with other messages, as a reply does with a notification. The test
// fails as with Next.
func (c *Conn) Await(tb testing.TB, want string) {
	tb.Helper()
	for deadline := c.deadline(); ; {
		text, err := c.next(deadline)
		if err != nil {
			tb.Fatalf("%v: want %s, but %v%s", c, want, err, c.soFar())
		}
		if same(text, want) {
			return
		}
	}
}

// ExpectNothing fails the test when there is a message that was not read yet.
// It needs no pause: first it waits for what was notified ([Env.Settle]) and
// for the replies to what this client has sent; then whatever was meant for the
// client has come. Only what a handler has left to a goroutine of its own, or
// presence to its evaluation, may still be under way.
func (c *Conn) ExpectNothing(tb testing.TB) {
	tb.Helper()
	c.env.Settle(tb)
	got, err := c.flush()
	if err != nil {
		tb.Fatalf("%v: want no message, but %v%s", c, err, c.soFar())
	}
	for _, text := range got {
		tb.Errorf("%v: want no message, got %s", c, text)
	}
}

// flush returns the messages that come before the answer to a ping: the server
// handles what a client sends one at a time, and sends in order.
func (c *Conn) flush() (texts []string, err error) {
	c.reading.Lock()
	defer c.reading.Unlock()
	c.pings++
	mark := strconv.Itoa(c.pings)
	if err := c.write(wstest.New(ws.Ping, mark)); err != nil && c.end == nil {
		return nil, err
	}
	for deadline := c.deadline(); ; {
		in, err := c.read(deadline)
		switch {
		case err != nil:
			return texts, err
		case !in.pong:
			texts = append(texts, in.text)
		case in.text == mark:
			return texts, nil
		}
	}
}

// Closed waits until the server closes the connection, and returns the close
// code and the reason: 1006 when there was no close frame. Messages that come
// before are passed over; see [Conn.Received]. The test fails when it is still
// open after [Options.Wait]. Times of the gateway are looked at once a second.
func (c *Conn) Closed(tb testing.TB) (code int, reason string) {
	tb.Helper()
	c.reading.Lock()
	deadline := c.deadline()
	var err error
	for err == nil {
		_, err = c.read(deadline)
	}
	end := c.end
	c.reading.Unlock()
	if end == nil {
		tb.Fatalf("%v: want it closed, but %v%s", c, err, c.soFar())
	}
	c.gone(tb)
	return end.code, end.reason
}

func (c *Conn) next(deadline time.Time) (string, error) {
	c.reading.Lock()
	defer c.reading.Unlock()
	for {
		in, err := c.read(deadline)
		if err != nil {
			return "", err
		}
		if !in.pong {
			return in.text, nil
		}
	}
}

func (c *Conn) deadline() time.Time { return time.Now().Add(c.env.opts.Wait) }

// same compares JSON by its meaning, numbers by their text: 1 and 1.0 differ,
// but no digit is lost.
func same(a, b string) bool {
	va, erra := decode(a)
	vb, errb := decode(b)
	if erra != nil || errb != nil {
		return a == b
	}
	return reflect.DeepEqual(va, vb)
}

func decode(text string) (v any, err error) {
	dec := json.NewDecoder(bytes.NewReader([]byte(text)))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); err != io.EOF { // Never wrapped.
		return nil, io.ErrUnexpectedEOF
	}
	return v, nil
}
