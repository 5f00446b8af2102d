package gateway

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/sumu-live/sumu"
)

// Options tune a [Gateway]. A zero field is its default. Times are checked
// once a second, so each may be late by that much.
type Options struct {
	// Endpoint is the base URL at which other processes reach this gateway's
	// management API; it is written to every row. Default "": there are no
	// other processes.
	Endpoint string

	// ConnectTimeout bounds a connection's authorizer and the write of its
	// row. Default 29 s, as API Gateway's integrations have.
	ConnectTimeout time.Duration
	// IdleTimeout closes a socket (1001) that carried nothing for so long, in
	// either direction: any byte of the client counts, pings and pongs
	// included, and any frame written to it. Default 10 min, as API Gateway;
	// negative: none.
	IdleTimeout time.Duration
	// MaxAge closes a socket (1001) that is this old. Default 2 h, as API
	// Gateway; negative: none. Where a socket may outlive
	// [sumu.AppOptions.RowTTL] its row is renewed at about half of that, and
	// the store must be a [sumu.Toucher].
	MaxAge time.Duration

	// ReadTimeout closes a socket (1008) whose message has begun and not
	// ended for so long. Default 10 s.
	ReadTimeout time.Duration
	// WriteTimeout resets a socket (1006) that takes not one byte of what is
	// pending for so long. Default 10 s.
	WriteTimeout time.Duration
	// WriteBuffer is how many bytes may be pending for one socket, a few
	// bytes per frame included; a post over it gets ErrThrottled. Frames are
	// shared, so one payload pending for many sockets is held once. Default
	// 256 KiB; at least 129 KiB, so that the longest message fits.
	WriteBuffer int
	// MaxFrame is the longest data frame that a client may send, in bytes;
	// a longer one closes its socket (1009). API Gateway's quota is 32 KB.
	// Default 0: a frame may be as long as a message, [sumu.MaxPayload].
	MaxFrame int
	// MaxSockets is how many sockets may be open or opening; more are refused
	// with 429. Default 0: no limit but that of open files.
	MaxSockets int

	// CloseGrace is how long a socket that was told to close may take to
	// answer before it is reset. Default 5 s.
	CloseGrace time.Duration
	// DrainRate is how many sockets [Gateway.Shutdown] closes per second, so
	// that their clients do not all come back at once. Default 500, the rate
	// at which API Gateway takes new connections.
	DrainRate int

	// Observer is told of connections that this gateway itself refused: only
	// its Refused is called. Everything else reaches the App's observer.
	Observer sumu.Observer
	// Logger is told what went wrong on our side. Default: nothing is logged.
	Logger *slog.Logger
	// Now is the clock. Default [time.Now].
	Now func() time.Time

	// manual leaves the wheel to tests, which turn it by hand.
	manual bool
	// sleep waits between the waves of a shutdown.
	sleep func(d time.Duration) <-chan time.Time
}

func defaults() Options {
	return Options{
		ConnectTimeout: 29 * time.Second,
		IdleTimeout:    10 * time.Minute,
		MaxAge:         sumu.MaxConnectionAge,
		ReadTimeout:    10 * time.Second,
		WriteTimeout:   10 * time.Second,
		WriteBuffer:    256 << 10,
		CloseGrace:     5 * time.Second,
		DrainRate:      500,
		Logger:         slog.New(slog.DiscardHandler),
		Now:            time.Now,
		sleep:          time.After,
	}
}

// minWriteBuffer holds the longest message, its header, and a close frame.
const minWriteBuffer = sumu.MaxPayload + 1<<10

// complete gives zero fields their default and reports all that cannot be.
func (o *Options) complete() error {
	d := defaults()
	var errs []error
	orDefault(&errs, "ConnectTimeout", &o.ConnectTimeout, d.ConnectTimeout)
	orDefault(&errs, "ReadTimeout", &o.ReadTimeout, d.ReadTimeout)
	orDefault(&errs, "WriteTimeout", &o.WriteTimeout, d.WriteTimeout)
	orDefault(&errs, "CloseGrace", &o.CloseGrace, d.CloseGrace)
	orDefault(&errs, "DrainRate", &o.DrainRate, d.DrainRate)
	orDefault(&errs, "WriteBuffer", &o.WriteBuffer, d.WriteBuffer)
	if o.WriteBuffer >= 0 && o.WriteBuffer < minWriteBuffer {
		errs = append(errs, invalid("WriteBuffer is %d; it must be at least %d", o.WriteBuffer, minWriteBuffer))
	}
	if o.MaxFrame < 0 || o.MaxFrame > sumu.MaxPayload {
		errs = append(errs, invalid("MaxFrame is %d; it must be 0 to %d", o.MaxFrame, sumu.MaxPayload))
	}
	if o.MaxSockets < 0 {
		errs = append(errs, invalid("MaxSockets is %d; it must not be negative", o.MaxSockets))
	}
	if o.IdleTimeout == 0 {
		o.IdleTimeout = d.IdleTimeout
	}
	if o.MaxAge == 0 {
		o.MaxAge = d.MaxAge
	}
	if o.Logger == nil {
		o.Logger = d.Logger
	}
	if o.Now == nil {
		o.Now = d.Now
	}
	return errors.Join(errs...)
}

func orDefault[T int | time.Duration](errs *[]error, name string, v *T, d T) {
	switch {
	case *v == 0:
		*v = d
	case *v < 0:
		*errs = append(*errs, invalid("%s is %v; it must not be negative", name, *v))
	}
}

func invalid(format string, args ...any) error {
	return &sumu.Error{Op: "gateway: " + fmt.Sprintf(format, args...), Kind: sumu.ErrInvalid}
}
