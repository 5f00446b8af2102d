package outbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sumu-live/sumu"
)

// Client sends notifications through one transport.
type Client struct {
	Op         string // names the transport in errors
	MaxMessage int    // bytes of one message
	Limits     Limits
	Group      func(n *sumu.Notification) string
	Size       func(m *Message) int // as the transport counts
	Call       Call[Message]
}

// Notifications sends them in their order and returns one error for each: that
// of its parts, joined, when it was split.
func (c *Client) Notifications(ctx context.Context, ns []sumu.Notification) []error {
	errs := make([]error, len(ns))
	var messages []Message
	var of []int // whose part a message is
	for i := range ns {
		pieces, err := Split(ns[i], c.MaxMessage)
		if err != nil {
			errs[i] = &sumu.Error{Op: c.Op, Err: err}
			continue
		}
		for k := range pieces {
			p := &pieces[k]
			messages = append(messages, Message{
				Body:  string(p.Body),
				Group: c.Group(&p.Notification),
				Dedup: p.Key(),
			})
			of = append(of, i)
		}
	}
	failed := make([][]error, len(ns))
	for k, err := range c.deliver(ctx, messages) {
		if err != nil {
			failed[of[k]] = append(failed[of[k]], err)
		}
	}
	for i, f := range failed {
		if len(f) == 1 {
			errs[i] = &sumu.Error{Op: c.Op, Err: f[0]}
		} else if len(f) > 1 {
			errs[i] = &sumu.Error{Op: c.Op, Err: errors.Join(f...)}
		}
	}
	return errs
}

// Message sends one.
func (c *Client) Message(ctx context.Context, m Message) error {
	if n := c.Size(&m); n > c.MaxMessage {
		return &sumu.Error{Op: c.Op, Err: tooLarge("the message has %d bytes; at most %d are allowed", n, c.MaxMessage)}
	}
	if err := c.deliver(ctx, []Message{m})[0]; err != nil {
		return &sumu.Error{Op: c.Op, Err: err}
	}
	return nil
}

func (c *Client) deliver(ctx context.Context, messages []Message) []error {
	return Deliver(ctx, messages, c.Size, c.Limits, c.Call)
}

// Backend hands a client's message on. The client is told the outermost
// operation and kind of an error: a refusal by AWS is a fault of configuration,
// not of its own.
func (c *Client) Backend(ctx context.Context, bm sumu.BackendMessage) error {
	m, err := FromBackend(bm)
	if err != nil {
		return err
	}
	err = c.Message(ctx, m)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sumu.ErrTooLarge):
		return &sumu.Error{Op: "the message is too large", Err: err}
	case errors.Is(err, sumu.ErrThrottled):
		return &sumu.Error{Op: "too many messages; try again later", Err: err}
	}
	return &sumu.Error{Op: "backend", Kind: sumu.ErrUnavailable, Err: err}
}

// PublishPresence sends a presence event.
func (c *Client) PublishPresence(ctx context.Context, e sumu.PresenceEvent) error {
	m, err := FromPresence(e)
	if err != nil {
		return err
	}
	return c.Message(ctx, m)
}

// InRange returns ErrInvalid unless v is.
func InRange[T int | time.Duration](name string, v, low, high T) error {
	if v < low || v > high {
		return Invalid("%s is %v; it must be %v to %v", name, v, low, high)
	}
	return nil
}

// Invalid is an ErrInvalid with a text.
func Invalid(format string, args ...any) error {
	return &sumu.Error{Op: fmt.Sprintf(format, args...), Kind: sumu.ErrInvalid}
}

// Tuning are the options that all transports have.
type Tuning struct {
	MaxBytes int
	Tries    int
	Backoff  time.Duration
}

// Complete sets the defaults and returns what is wrong with the rest, joined.
func (t *Tuning) Complete(defaultBytes, low, high int) error {
	t.MaxBytes = cmp.Or(t.MaxBytes, defaultBytes)
	t.Tries = cmp.Or(t.Tries, 3)
	t.Backoff = cmp.Or(t.Backoff, 100*time.Millisecond)
	return errors.Join(
		InRange("MaxBytes", t.MaxBytes, low, high),
		InRange("Tries", t.Tries, 1, 10),
		InRange("Backoff", t.Backoff, time.Millisecond, maxBackoff),
	)
}
