package sumutest

import (
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/authorizer"
	"github.com/sumu-live/sumu/gateway"
	"github.com/sumu-live/sumu/notify"
	"github.com/sumu-live/sumu/presence"
	"github.com/sumu-live/sumu/pusher"
)

// Options tune an [Env]. The fields hold their defaults when the funcs of [New]
// get them, so that one can refer to another:
//
//	env := sumutest.New(t, func(o *sumutest.Options) {
//		o.App = func(a *sumu.AppOptions) { a.Revocations = o.Store.(sumu.StateStore) }
//	})
//
// The funcs of the parts are called after New has set what it needs; what they
// set counts.
type Options struct {
	// Clock is the time of everything but presence, which has timers. It
	// stands still. Default: the present second.
	Clock *Clock
	// Store keeps the connections: any [sumu.Store], on Clock if it has a
	// clock. What a part needs beside that it asks for: the test fails when a
	// capability is missing. Default: an empty [memstore.Store] on Clock, which
	// has all of them.
	Store sumu.Store
	// Wait is how long anything is waited for before the test fails. Default
	// 10 s.
	Wait time.Duration

	// Authorizer, if set, decides who may connect, such as an [Authorizer].
	// Default: one that verifies the tokens of [Env.Issuer].
	Authorizer sumu.Authorizer
	// Token is what [Env.Connect] presents for a user. Default: a good token
	// of Env.Issuer or, with an Authorizer, [UserToken].
	Token func(user string) string

	Issuer func(*IssuerOptions)
	// Verify tunes the default Authorizer.
	Verify func(*authorizer.Options)
	App    func(*sumu.AppOptions)
	// Gateway: [gateway.LikeAPIGateway], so that what passes here passes there,
	// and no MessageRate, because Clock stands still. A field set to 0 has its
	// default for servers of one's own again.
	Gateway func(*gateway.Options)
	// Pusher: a post is tried once, and what may yet succeed goes back to the
	// client, which tries it again after a millisecond.
	Pusher func(*pusher.Options)
	// Local tries again what may yet succeed for a fifth of Wait, then gives up.
	Local func(*notify.LocalOptions)

	// Presence, if set, turns presence on: everyone but the user in question
	// is told who comes and goes. A func that does nothing leaves the
	// defaults. Default nil: no such messages come between those that a test
	// is about. Store must be a [presence.Store] then.
	Presence func(*presence.Options)
	// Changes is where Presence learns of the changes of Store, such as
	// dynamofeed. Default: Store itself, which must be a [sumu.ChangeFeed].
	Changes sumu.ChangeFeed
}

// check fails the test at once for what would not work later.
func (o *Options) check(tb testing.TB) {
	tb.Helper()
	if o.Store == nil || o.Clock == nil {
		tb.Fatalf("sumutest: Store and Clock must not be nil")
	}
	if o.Presence == nil {
		return
	}
	if _, ok := o.Store.(presence.Store); !ok {
		tb.Fatalf("sumutest: Presence needs a Store that is a sumu.PresenceStore; %T is not", o.Store)
	}
	if o.feed() == nil {
		tb.Fatalf("sumutest: Presence needs Changes, or a Store that is a sumu.ChangeFeed; %T is not", o.Store)
	}
}

// feed is where presence learns of changes; nil: nowhere.
func (o *Options) feed() sumu.ChangeFeed {
	if o.Changes != nil {
		return o.Changes
	}
	feed, _ := o.Store.(sumu.ChangeFeed)
	return feed
}

// apply calls a func that may be nil.
func apply[T any](fn func(*T), o *T) {
	if fn != nil {
		fn(o)
	}
}
