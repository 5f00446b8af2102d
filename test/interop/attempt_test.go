package interop

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/sumu-live/sumu"
)

// open connects; change makes the handshake another one.
func (a *attempt) open(change func(*address)) conn {
	a.Helper()
	c, err := a.dial(change)
	if err != nil {
		a.Fatal(err)
	}
	return c
}

func (a *attempt) dial(change func(*address)) (conn, error) {
	a.Helper()
	at := a.s.address(a.T, a.user)
	if change != nil {
		change(&at)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := a.client.dial(ctx, at)
	return c, err
}

// refused expects a handshake to be answered with a status.
func (a *attempt) refused(status int, change func(*address)) {
	a.Helper()
	_, err := a.dial(change)
	var r *refused
	if !errors.As(err, &r) || r.status != status {
		a.Errorf("the handshake ended with %v, want %d", err, status)
	}
}

func (a *attempt) send(c conn, m message) {
	a.Helper()
	if err := c.Send(m); err != nil {
		a.Fatalf("send %d bytes: %v", len(m.text), err)
	}
}

// sendBad sends what the gateway does not take: it may close the connection
// before all of it is written.
func (a *attempt) sendBad(c conn, m message) {
	if err := c.Send(m); err != nil {
		a.Logf("send %d bytes: %v", len(m.text), err)
	}
}

func (a *attempt) receive(c conn, want string) {
	a.Helper()
	got, err := c.Receive()
	if err != nil {
		a.Fatalf("receive %d bytes: %v", len(want), err)
	}
	if got != want {
		a.Fatalf("received %d bytes %.60q, want %d bytes %.60q", len(got), got, len(want), want)
	}
}

func (a *attempt) echo(c conn, m message) {
	a.Helper()
	a.send(c, m)
	a.receive(c, m.text)
}

// echoes sends texts of these lengths, and expects each to come back.
func (a *attempt) echoes(c conn, frame int, lengths ...int) {
	a.Helper()
	for _, n := range lengths {
		a.echo(c, message{text: text(n), frame: frame})
	}
}

// bye closes a connection, which is found to be in order by that.
func (a *attempt) bye(c conn) {
	a.Helper()
	a.closes(c, 1000, "")
	a.cell = ""
}

// closes expects the code that the client closes with to come back, and to be
// what the gateway takes note of.
func (a *attempt) closes(c conn, code int, reason string) {
	a.Helper()
	got, err := c.Close(code, reason)
	if code == 0 {
		code = 1005
	}
	if err != nil || got != code {
		a.Errorf("closing with %d is answered with %d (%v)", code, got, err)
	}
	a.s.expectEnd(a.T, a.user, sumu.DisconnectReason{Code: code, Text: reason})
	if a.client.hasty {
		a.cell = "one way"
	}
}

// isClosed expects the gateway to close the connection, with the same words on
// both sides.
func (a *attempt) isClosed(c conn, code int) {
	a.Helper()
	m, err := c.Receive()
	var end *closed
	if !errors.As(err, &end) {
		a.Fatalf("received %d bytes %.60q (%v), want to be closed with %d", len(m), m, err, code)
	}
	if end.code != code || end.reason == "" {
		a.Errorf("%v, want %d with a reason", err, code)
	}
	a.s.expectEnd(a.T, a.user, sumu.DisconnectReason{Code: code, Text: end.reason})
}

// post has the gateway send a message by itself.
func (a *attempt) post(to sumu.Connection, text string) {
	a.Helper()
	p, err := sumu.NewPayload([]byte(text))
	if err != nil {
		a.Fatal(err)
	}
	// The client reads all the time; what is pending for it soon has room.
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		err = a.s.gw.Post(context.Background(), to, p)
		if !errors.Is(err, sumu.ErrThrottled) || time.Now().After(deadline) {
			break
		}
	}
	if err != nil {
		a.Fatalf("post: %v", err)
	}
}

// text is n bytes, of characters of one to four, none of which stands where
// the same one stood a few KB before.
func text(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n-4; i++ {
		b.WriteRune([]rune("aé€𝄞")[i*i%7%4])
		b.WriteByte(byte('0' + i/97%10))
	}
	b.WriteString("....."[:max(0, n-b.Len())])
	return b.String()[:n]
}
