package interop

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// patience bounds what a test waits for; no test that succeeds waits for it.
const patience = 20 * time.Second

// client is somebody's WebSocket library.
type client struct {
	name string
	dial func(ctx context.Context, a address) (conn, error)
	// cannot are the cases that the library has no means to try, and why.
	cannot map[string]string
	// whole reports that it sends 64 KB in one frame unless it is told
	// otherwise, and the gateway's default refuses that.
	whole bool
	// hasty reports that it closes without waiting for the server's answer.
	hasty bool
}

// address is what a client connects to, and how.
type address struct {
	url       string
	protocols []string
	compress  bool // offer permessage-deflate
	frame     int  // longest frame to send, where it is chosen for the connection
	ca        *x509.CertPool
	caFile    string // the same, for those that read files
}

func (a address) tls() *tls.Config { return &tls.Config{RootCAs: a.ca} }

// message is what is sent.
type message struct {
	text   string
	binary bool
	frame  int  // longest frame; 0: what the library does by itself
	ping   bool // a ping "between" behind the first frame, whose pong is awaited
}

// conn is an open connection. Its calls come one after the other.
type conn interface {
	// Protocol is the sub-protocol that was agreed on.
	Protocol() string
	Send(m message) error
	// SendRaw sends bytes as a text message, unchecked.
	SendRaw(b []byte) error
	// Receive returns the next text message, or *closed at the end.
	Receive() (string, error)
	// Ping sends a ping and waits for the pong that answers it.
	Ping(payload string) error
	// Pong sends a pong that nobody asked for.
	Pong(payload string) error
	// Close closes the connection; code 0 sends none. It returns the code of
	// the server's close frame.
	Close(code int, reason string) (int, error)
	// Drop ends the TCP connection.
	Drop() error
}

// refused is a handshake that was answered with another status than 101.
type refused struct{ status int }

func (r *refused) Error() string { return fmt.Sprintf("refused with %d", r.status) }

// closed is the end that the server's close frame announced.
type closed struct {
	code   int
	reason string
}

func (c *closed) Error() string { return fmt.Sprintf("closed with %d %q", c.code, c.reason) }

var errLate = errors.New("nothing came")

// inbox is what the reading goroutine of a client hands on.
type inbox struct {
	messages chan string
	pongs    chan string
	done     chan struct{}
	err      error // *closed where a close frame came; read behind done
}

func newInbox() *inbox {
	return &inbox{messages: make(chan string, 100), pongs: make(chan string, 100), done: make(chan struct{})}
}

func (b *inbox) end(err error) {
	b.err = err
	close(b.done)
}

// Receive is that of conn.
func (b *inbox) Receive() (string, error) {
	select {
	case m := <-b.messages:
		return m, nil
	default:
	}
	select {
	case m := <-b.messages:
		return m, nil
	case <-b.done:
		select {
		case m := <-b.messages:
			return m, nil
		default:
			return "", b.err
		}
	case <-time.After(patience):
		return "", errLate
	}
}

func (b *inbox) pong(want string) error {
	select {
	case got := <-b.pongs:
		if got != want {
			return fmt.Errorf("pong holds %q, want %q", got, want)
		}
		return nil
	case <-b.done:
		return b.err
	case <-time.After(patience):
		return errLate
	}
}

// closeCode waits for the end, and returns the code of the close frame.
func (b *inbox) closeCode() (int, error) {
	select {
	case <-b.done:
	case <-time.After(patience):
		return 0, errLate
	}
	var end *closed
	if !errors.As(b.err, &end) {
		return 0, b.err
	}
	return end.code, nil
}

// frames cuts a text.
func frames(text string, size int) []string {
	var parts []string
	for len(text) > size {
		parts = append(parts, text[:size])
		text = text[size:]
	}
	return append(parts, text)
}
