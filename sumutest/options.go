package sumutest

import (
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/authorizer"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/gateway"
	"github.com/sumu-live/sumu/notify"
	"github.com/sumu-live/sumu/presence"
	"github.com/sumu-live/sumu/pusher"
)

// Options tune an [Env]. The fields hold their defaults when the funcs of [New]
// get them, so that one can refer to another:
//
//	env := sumutest.New(t, func(o *sumutest.Options) {
//		o.App = func(a *sumu.AppOptions) { a.Revocations = o.Store }
//	})
//
// The funcs of the parts are called after New has set what it needs; what they
// set counts.
type Options struct {
	// Clock is the time of everything but presence, which has timers. It
	// stands still. Default: the present second.
	Clock *Clock
	// Store keeps the connections. Default: an empty one on Clock.
	Store *memstore.Store
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
	// Gateway: there is no MessageRate, because Clock stands still.
	Gateway func(*gateway.Options)
	// Pusher: a post is tried once, and what may yet succeed goes back to the
	// client, which tries it again after a millisecond.
	Pusher func(*pusher.Options)
	Local  func(*notify.LocalOptions)

	// Presence, if set, turns presence on: everyone but the user in question
	// is told who comes and goes. A func that does nothing leaves the
	// defaults. Default nil: no such messages come between those that a test
	// is about.
	Presence func(*presence.Options)
}

// apply calls a func that may be nil.
func apply[T any](fn func(*T), o *T) {
	if fn != nil {
		fn(o)
	}
}
