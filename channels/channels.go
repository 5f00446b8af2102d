// Package channels lets clients join channels and send to those in them:
//
//	rooms, err := channels.New(store, client)
//	if err != nil {
//		return err
//	}
//	if err := rooms.Attach(app); err != nil {
//		return err
//	}
//
// The App then handles these actions:
//
//	{"action":"joinchannel","channel":"room.42"}
//	{"action":"leavechannel","channel":"room.42"}
//	{"action":"sendmessage","channel":"room.42","message":{"text":"Hello"}}
//
// and "join" and "leave", which are the same as the first two. Both are
// answered with {"channel":"room.42","connectionId":"…"}, and a message with
// {"type":"ack","action":"sendmessage","id":"…"}; each with the "ref" of the
// request. Members receive what others send as
//
//	{"type":"message","channel":"room.42","from":"ann","id":"…","data":{"text":"Hello"}}
//
// Who may join and send is decided by the grants of the token, without any
// read: [sumu.VerbJoin] to receive, [sumu.VerbPost] to send. What no grant
// names is refused. To leave needs no grant, and to send no membership.
//
// # Delivery
//
// A join that was answered receives every message that is accepted later: at
// least once for as long as the connection lives, as the notify client and the
// pusher deliver it. Who joins or leaves while a message is on its way may get
// it or not. A membership ends with its connection.
package channels

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/ratelimit"
)

// DefaultChannel is where "sendmessage" goes without a "channel", unless
// [Options.Default] names another. Such a message may hold "action", "ref",
// "key" and "message" alone: a misspelt "channel" must not send it elsewhere.
const DefaultChannel = "default"

// Options tune [Channels]. The zero value of a field is its default.
type Options struct {
	// Default is a channel that every connection joins when it connects, by no
	// grant but by this option: a write more for each. Default "": none.
	Default string
	// Open lets every client join and send to every channel, for demos. Default:
	// as the grants of its token say.
	Open bool
	// Policy decides instead of the grants: nil allows. ErrForbidden refuses,
	// and its text is told to the client; any other error is a fault on our
	// side. The verb is VerbJoin or VerbPost. Default nil: the grants decide.
	Policy func(ctx context.Context, id sumu.Identity, verb sumu.Verb, channel string) error
	// MaxChannels is in how many channels a connection may be, the Default
	// among them. One more is refused with limit_exceeded. Default 100; a
	// negative value: no limit.
	MaxChannels int
	// MaxName is the longest name that clients may use, in bytes. Default 128;
	// 1 to [sumu.MaxChannel].
	MaxName int
	// Alphabet reports whether names of clients may hold a character; what
	// [sumu.ValidateChannel] refuses they never may. Default: letters and digits
	// of ASCII, and "-_.:/@".
	Alphabet func(r rune) bool
	// JoinRate is how many joins and leaves a connection may make per second,
	// after JoinBurst at once. One more is refused with rate_limited. It counts
	// within this process alone, which on Lambda is one of many: best effort
	// there. Default 10, and 120 at once; a negative JoinRate: no limit.
	JoinRate  float64
	JoinBurst int
	// Now is the clock. Default [time.Now].
	Now func() time.Time
}

// Channels answers clients, and backends through its methods. It is safe for
// concurrent use.
type Channels struct {
	rows   sumu.Store
	store  sumu.ChannelStore // the same
	client sumu.NotifyClient
	opts   Options
	joins  *ratelimit.Limiter
}

// New returns Channels whose memberships are kept in store, which must be that
// of the App and of the pusher, and whose messages go through client.
// ErrInvalid is returned with every option that cannot be, ErrUnsupported when
// store is not a [sumu.ChannelStore].
func New(store sumu.Store, client sumu.NotifyClient, optFns ...func(*Options)) (*Channels, error) {
	var o Options
	for _, fn := range optFns {
		fn(&o)
	}
	o.MaxChannels = cmp.Or(o.MaxChannels, 100)
	o.MaxName = cmp.Or(o.MaxName, 128)
	o.JoinRate = cmp.Or(o.JoinRate, 10)
	o.JoinBurst = cmp.Or(o.JoinBurst, 120)
	if o.Alphabet == nil {
		o.Alphabet = plain
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	var errs []error
	memberships, ok := store.(sumu.ChannelStore)
	switch {
	case store == nil:
		errs = append(errs, invalid("Channels need a Store"))
	case !ok:
		errs = append(errs, &sumu.Error{Op: "channels need a store that is a ChannelStore", Kind: sumu.ErrUnsupported})
	}
	if client == nil {
		errs = append(errs, invalid("Channels need a NotifyClient"))
	}
	if o.Default != "" {
		if err := sumu.ValidateChannel(o.Default); err != nil {
			errs = append(errs, &sumu.Error{Op: "Default", Err: err})
		}
	}
	if o.Open && o.Policy != nil {
		errs = append(errs, invalid("both Open and a Policy are given; a Policy alone decides everything"))
	}
	if o.MaxName < 1 || o.MaxName > sumu.MaxChannel {
		errs = append(errs, invalid("MaxName is %d; it must be 1 to %d", o.MaxName, sumu.MaxChannel))
	}
	if o.JoinBurst < 1 {
		errs = append(errs, invalid("JoinBurst is %d; it must be at least 1", o.JoinBurst))
	}
	if o.JoinRate != o.JoinRate {
		errs = append(errs, invalid("JoinRate is not a number"))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	c := &Channels{rows: store, store: memberships, client: client, opts: o}
	if o.JoinRate > 0 {
		c.joins = ratelimit.New(o.JoinRate, o.JoinBurst, o.Now)
	}
	return c, nil
}

// plain is the default alphabet: what needs no escaping anywhere, and no two
// names of which look the same.
func plain(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
		return true
	}
	switch r {
	case '-', '_', '.', ':', '/', '@':
		return true
	}
	return false
}

// Attach has app handle the actions joinchannel, join, leavechannel, leave and
// sendmessage, join new connections to the Default, and end memberships with
// their connections. Call it once, before the first connection.
// ErrUnsupported is returned when the App's store keeps no memberships.
func (c *Channels) Attach(app *sumu.App) error {
	if err := app.KeepAttachments(); err != nil {
		return err
	}
	if c.opts.Default != "" {
		app.OnConnect(func(ctx context.Context, s *sumu.Session) error {
			return c.join(ctx, s.Connection, c.opts.Default)
		})
	}
	for _, action := range []string{"joinchannel", "join"} {
		app.Handle(action, c.handleJoin)
	}
	for _, action := range []string{"leavechannel", "leave"} {
		app.Handle(action, c.handleLeave)
	}
	app.Handle("sendmessage", c.handleSend)
	return nil
}

// allow returns ErrForbidden, as the client may read it, unless an identity may
// do what the verb says with a channel.
func (c *Channels) allow(ctx context.Context, id sumu.Identity, verb sumu.Verb, channel string) error {
	switch {
	case c.opts.Open:
		return nil
	case c.opts.Policy != nil:
		return c.opts.Policy(ctx, id, verb, channel)
	case id.Grants.Allow(verb, channel):
		return nil
	}
	return &sumu.Error{Op: fmt.Sprintf("your token does not allow to %s this channel", phrase(verb)), Kind: sumu.ErrForbidden}
}

func phrase(verb sumu.Verb) string {
	if verb == sumu.VerbPost {
		return "send to"
	}
	return string(verb)
}

func invalid(format string, args ...any) error {
	return &sumu.Error{Op: fmt.Sprintf(format, args...), Kind: sumu.ErrInvalid}
}

// fault is an error of a driver as a client is told of it. Only that we are
// asked for too much is its concern: that a driver refuses us, or finds
// something of ours invalid, is not its bad request.
func fault(op string, err error) error {
	kind := sumu.ErrUnavailable
	if errors.Is(err, sumu.ErrThrottled) {
		kind = sumu.ErrThrottled
	}
	return &sumu.Error{Op: op, Kind: kind, Err: err}
}
