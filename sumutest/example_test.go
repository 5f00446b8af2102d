package sumutest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/authorizer"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/notify"
	"github.com/sumu-live/sumu/pusher"
	"github.com/sumu-live/sumu/sumutest"
)

// T stands for the *testing.T of a test in these examples, which have none.
type T struct {
	testing.TB
	ends []func()
}

func (t *T) Helper()                        {}
func (t *T) Cleanup(end func())             { t.ends = append(t.ends, end) }
func (t *T) Errorf(format string, a ...any) { fmt.Printf(format+"\n", a...) }
func (t *T) Fatalf(format string, a ...any) { panic(fmt.Sprintf(format, a...)) }

func (t *T) end() {
	for len(t.ends) > 0 {
		last := len(t.ends) - 1
		end := t.ends[last]
		t.ends = t.ends[:last]
		end()
	}
}

// RegisterOrders is what a program would have: what clients order is told to
// everyone.
func RegisterOrders(app *sumu.App, client sumu.NotifyClient) {
	app.Handle("publish", sumu.ToBackend("apigw.route.publish", func(ctx context.Context, m sumu.BackendMessage) error {
		n, err := notify.ToEveryone(map[string]any{"from": m.UserID, "order": m.Body})
		if err != nil {
			return err
		}
		_, err = notify.Send(ctx, client, n)
		return err
	}))
}

// A whole test, with real WebSockets and real tokens.
func Example() {
	t := new(T) // In your test: func TestOrders(t *testing.T) {
	defer t.end()

	env := sumutest.New(t)
	RegisterOrders(env.App, env.Client)
	ann, bob := env.Connect(t, "ann"), env.Connect(t, "bob")

	ann.Send(t, `{"action":"publish","message":7}`)
	bob.Expect(t, `{"from":"ann","order":7}`)
	bob.ExpectNothing(t) // Once, and nothing else.

	fmt.Println(bob.Received())
	fmt.Println("without a token:", env.Refused(t, ""))
	// Output:
	// [{"from":"ann","order":7}]
	// without a token: 401
}

// Code that only notifies needs neither sockets nor tokens to be tested.
func ExampleClient() {
	client := new(sumutest.Client)
	ship := func(ctx context.Context, user string) error { // the code under test
		n, err := notify.ToUsers("your order is on its way", user)
		if err != nil {
			return err
		}
		_, err = notify.Send(ctx, client, n)
		return err
	}
	fmt.Println(ship(context.Background(), "ann"), client.To("ann"))

	client.FailNext(sumu.ErrUnavailable)
	err := ship(context.Background(), "ann")
	fmt.Println(sumu.Retryable(err), len(client.Sent()))
	// Output:
	// <nil> ["your order is on its way"]
	// true 1
}

func ExampleRecorder() {
	ctx := context.Background()
	store := new(memstore.Store)
	_ = store.Put(ctx, sumu.Connection{UserID: "ann", ID: "laptop"})
	_ = store.Put(ctx, sumu.Connection{UserID: "ann", ID: "tablet"})
	rec := new(sumutest.Recorder)
	push, err := pusher.New(store, rec, func(o *pusher.Options) { o.Tries = 1 })
	if err != nil {
		fmt.Println(err)
		return
	}

	rec.On("tablet").FailNext(sumu.ErrThrottled)
	n, _ := notify.ToUsers("hello", "ann")
	results, _ := push.Push(ctx, n)
	r := results[0]
	fmt.Println(r.Delivered, "delivered,", r.Requeued, "requeued")
	fmt.Println(rec.Taken("laptop"), rec.Taken("tablet"))

	results, _ = push.Push(ctx, r.Remainder...)
	fmt.Println(results[0].Delivered, "delivered to", rec.Posts()[2].Connection.ID)
	// Output:
	// 1 delivered, 1 requeued
	// ["hello"] []
	// 1 delivered to tablet
}

func ExampleNewClock() {
	clock := sumutest.NewClock(time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC))
	store := &memstore.Store{Now: clock.Now}
	ctx := context.Background()
	_ = store.Put(ctx, sumu.Connection{UserID: "ann", ID: "laptop", DeleteAt: clock.Now().Add(2 * time.Hour)})

	for range 2 {
		live, err := store.HasLive(ctx, "ann")
		fmt.Println(live, err)
		clock.Advance(2 * time.Hour)
	}
	// Output:
	// true <nil>
	// false <nil>
}

func ExampleNewIssuer() {
	t := new(T)
	defer t.end()

	iss := sumutest.NewIssuer(t)
	keys, err := authorizer.Discover(iss.URL) // or authorizer.JWKS(iss.URL + sumutest.PathCertificates)
	if err != nil {
		t.Fatalf("%v", err)
	}
	auth, err := authorizer.New(keys, func(o *authorizer.Options) {
		o.Audiences = []string{iss.Audience()}
		o.Claims = []string{"org"}
	})
	if err != nil {
		t.Fatalf("%v", err)
	}

	claims := iss.Claims("ann")
	claims["org"] = "acme"
	id, err := auth.Verify(context.Background(), iss.Sign(t, claims))
	fmt.Println(id.UserID, id.Claims, err)

	for _, h := range iss.Hostile("ann")[:2] {
		_, err := auth.Verify(context.Background(), h.Token)
		fmt.Println(h.Name+":", errors.Is(err, h.Want))
	}
	// Output:
	// ann map[org:acme] <nil>
	// expired: true
	// without exp: true
}

func ExampleAuthorizer() {
	t := new(T)
	defer t.end()

	env := sumutest.New(t, func(o *sumutest.Options) {
		o.Authorizer = sumutest.Authorizer{Identity: func(user string) (sumu.Identity, error) {
			if user == "mallory" {
				return sumu.Identity{}, sumu.ErrForbidden
			}
			return sumu.Identity{UserID: user}, nil
		}}
	})
	fmt.Println(env.Connect(t, "ann").Connection.UserID)
	fmt.Println(env.Refused(t, sumutest.UserToken("mallory")))
	// Output:
	// ann
	// 403
}
