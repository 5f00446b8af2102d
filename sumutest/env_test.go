package sumutest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/authorizer"
	"github.com/sumu-live/sumu/gateway"
	"github.com/sumu-live/sumu/internal/leak"
	"github.com/sumu-live/sumu/notify"
	"github.com/sumu-live/sumu/presence"
	"github.com/sumu-live/sumu/pusher"
	"github.com/sumu-live/sumu/sumutest"
)

func TestEnvNotifiesWhomItShould(t *testing.T) {
	leak.Check(t)
	env := sumutest.New(t)
	phone, laptop, bob := env.Connect(t, "ann"), env.Connect(t, "ann"), env.Connect(t, "bob")
	if phone.ID() == laptop.ID() || phone.Connection.UserID != "ann" {
		t.Fatalf("connections are %v and %v", phone, laptop)
	}
	env.Notify(t, map[string]int{"order": 7}, "ann")
	env.NotifyEveryone(t, "closing soon", "ann")
	phone.Expect(t, `{ "order": 7 }`)
	laptop.Expect(t, `{"order":7}`)
	bob.Expect(t, `"closing soon"`)
	phone.ExpectNothing(t)
	bob.ExpectNothing(t)
	wantEqual(t, "posts to bob", env.Sender.Taken(bob.ID()), `"closing soon"`)
	wantEqual(t, "what bob has received", bob.Received(), `"closing soon"`)
}

// Whatever ends or breaks, nothing of an Env outlives its test.
func TestEnvLeavesNothingBehind(t *testing.T) {
	leak.Check(t)
	t.Run("env", func(t *testing.T) {
		env := sumutest.New(t, func(o *sumutest.Options) { o.Presence = func(*presence.Options) {} })
		ann := env.Connect(t, "ann")
		env.Connect(t, "bob").Cut(t)
		env.Sender.HangNext()
		env.Sender.On(ann.ID()).HangNext().Release()
		env.Sender.On(ann.ID()).HangNext() // Until the end of the test.
		env.Notify(t, 1, "ann")
		env.Notify(t, 2, "ann")
		if status := env.Refused(t, "no token"); status != http.StatusUnauthorized {
			t.Errorf("status is %d", status)
		}
	})
}

func TestParallelEnvsDoNotMeet(t *testing.T) {
	for i := range 4 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			env := sumutest.New(t)
			ann := env.Connect(t, "ann")
			env.Notify(t, i, "ann")
			ann.Expect(t, fmt.Sprint(i))
			ann.ExpectNothing(t)
		})
	}
}

func TestEnvOptionsReachTheParts(t *testing.T) {
	leak.Check(t)
	clock := sumutest.NewClock(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))
	var ended []string
	env := sumutest.New(t, func(o *sumutest.Options) {
		o.Clock = clock
		o.Issuer = func(i *sumutest.IssuerOptions) { i.Algorithm = "EdDSA" }
		o.Verify = func(a *authorizer.Options) { a.Claims = []string{"org"} }
		o.App = func(a *sumu.AppOptions) {
			a.Revocations = o.Store.(sumu.StateStore)
			a.MaxConnections = 1
			a.Observer.Disconnected = func(_ context.Context, c sumu.Connection, _ sumu.DisconnectReason, _ error) {
				ended = append(ended, c.UserID)
			}
		}
		o.Gateway = func(g *gateway.Options) { g.Endpoint = "https://node-1.example" }
		o.Pusher = func(p *pusher.Options) { p.Envelope = true }
		o.Local = func(l *notify.LocalOptions) { l.Queue = 1 }
	})
	env.App.Handle("org", func(_ context.Context, m sumu.Message) ([]byte, error) {
		return []byte(m.Identity.Claims["org"]), nil
	})
	claims := env.Issuer.Claims("ann")
	claims["org"] = "acme"
	ann := env.ConnectToken(t, env.Issuer.Sign(t, claims), func(r *http.Request) {
		r.Header.Set("Sec-WebSocket-Protocol", "sumu, other")
	})
	if ann.Subprotocol != "sumu" || ann.Connection.Endpoint != "https://node-1.example" {
		t.Errorf("sub-protocol %q, endpoint %q", ann.Subprotocol, ann.Connection.Endpoint)
	}
	if !ann.Connection.ConnectedAt.Equal(clock.Now()) {
		t.Errorf("connected at %v; want the time of the clock", ann.Connection.ConnectedAt)
	}
	ann.Send(t, `{"action":"org"}`)
	ann.Expect(t, "acme")
	env.Notify(t, 1, "ann")
	if got := ann.NextType(t, "notification"); !strings.Contains(got, `"data":1`) {
		t.Errorf("notified with %s", got)
	}
	if status := env.Refused(t, env.Issuer.Token("ann")); status != http.StatusTooManyRequests {
		t.Errorf("a second connection: status %d, want 429", status)
	}
	if err := sumu.Revoke(t.Context(), env.Store.(sumu.StateStore), "bob", clock.Advance(time.Second), time.Hour); err != nil {
		t.Fatal(err)
	}
	clock.Advance(-time.Second)
	if status := env.Refused(t, env.Issuer.Token("bob")); status != http.StatusUnauthorized {
		t.Errorf("a revoked token: status %d, want 401", status)
	}
	ann.Close(t)
	wantEqual(t, "who was seen to leave", ended, "ann")
}

func TestEnvPresence(t *testing.T) {
	leak.Check(t)
	env := sumutest.New(t, simple, func(o *sumutest.Options) {
		o.Presence = func(p *presence.Options) { p.Grace = time.Millisecond }
	})
	ann := env.Connect(t, "ann")
	bob := env.Connect(t, "bob")
	online := ann.NextType(t, "presence")
	bob.Close(t)
	offline := ann.NextType(t, "presence")
	for text, status := range map[string]string{online: `"ONLINE"`, offline: `"OFFLINE"`} {
		if !strings.Contains(text, `"user_id":"bob"`) || !strings.Contains(text, status) {
			t.Errorf("ann is told %s; want that bob is %s", text, status)
		}
	}
}

// A token's end is reached by moving the clock.
func TestEnvClockClosesExpiredConnections(t *testing.T) {
	leak.Check(t)
	env := sumutest.New(t)
	ann := env.Connect(t, "ann")
	env.Clock.Advance(2*time.Hour - time.Second)
	if code, reason := ann.Closed(t); code != 4003 {
		t.Errorf("closed with %d %q; want 4003", code, reason)
	}
	if live, err := env.Store.HasLive(t.Context(), "ann"); live || err != nil {
		t.Errorf("ann is live: %v, %v", live, err)
	}
	env.Connect(t, "ann") // With a new token.
}

func TestEnvReportsWhatCannotBe(t *testing.T) {
	wantFailure(t, func(tb testing.TB) {
		sumutest.New(tb, func(o *sumutest.Options) {
			o.Gateway = func(g *gateway.Options) { g.WriteBuffer = 1 }
		})
	}, "WriteBuffer")
	wantFailure(t, func(tb testing.TB) {
		sumutest.New(tb, func(o *sumutest.Options) {
			o.Issuer = func(i *sumutest.IssuerOptions) { i.Algorithm = "HS256" }
		})
	}, "HS256")
	env := sumutest.New(t, simple)
	wantFailure(t, func(tb testing.TB) { env.Notify(tb, 1) }, "list of users is empty")
	wantFailure(t, func(tb testing.TB) { env.NotifyEveryone(tb, func() {}) }, "encoded")
	wantFailure(t, func(tb testing.TB) { env.ConnectToken(tb, "") }, "401")
	wantFailure(t, func(tb testing.TB) { env.Refused(tb, sumutest.UserToken("ann")) }, "ann was let in")
}

// What a user's authorizer decides reaches the client as a status.
func TestEnvWithAnAuthorizerOfOnesOwn(t *testing.T) {
	env := sumutest.New(t, func(o *sumutest.Options) {
		o.Authorizer = sumutest.Authorizer{Identity: func(user string) (sumu.Identity, error) {
			switch user {
			case "mallory":
				return sumu.Identity{}, sumu.ErrForbidden
			case "nobody":
				return sumu.Identity{}, errors.New("the directory is down")
			}
			return sumu.Identity{UserID: user, ExpiresAt: o.Clock.Now().Add(time.Minute)}, nil
		}}
	})
	if env.Issuer != nil {
		t.Error("there is an issuer that nobody trusts")
	}
	if got := env.Connect(t, "ann").Connection.AuthExpiresAt.Sub(env.Clock.Now()); got != time.Minute {
		t.Errorf("the token expires in %v, want 1m", got)
	}
	for user, want := range map[string]int{"mallory": 403, "nobody": 500} {
		if got := env.Refused(t, sumutest.UserToken(user)); got != want {
			t.Errorf("%s: status %d, want %d", user, got, want)
		}
	}
}
