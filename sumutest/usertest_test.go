package sumutest_test

// The tests that a user of the library writes: a program, and all that can go
// wrong around it.

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/internal/leak"
	"github.com/sumu-live/sumu/notify"
	"github.com/sumu-live/sumu/sumutest"
)

// auction is the program under test: clients bid, the highest bid is told to
// everyone, and whoever is outbid is told so.
type auction struct {
	client sumu.NotifyClient

	mu      sync.Mutex
	highest int
	leader  string
}

func newAuction(app *sumu.App, client sumu.NotifyClient) *auction {
	a := &auction{client: client}
	app.Handle("bid", a.bid)
	return a
}

func (a *auction) bid(ctx context.Context, m sumu.Message) ([]byte, error) {
	var bid struct{ Amount int }
	if err := m.Decode(&bid); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if bid.Amount <= a.highest {
		return nil, &sumu.Error{Op: fmt.Sprintf("bid over %d", a.highest), Kind: sumu.ErrInvalid}
	}
	outbid := a.leader
	a.highest, a.leader = bid.Amount, m.Identity.UserID
	n, err := notify.ToEveryone(map[string]int{"highest": a.highest})
	if err == nil {
		_, err = notify.Send(ctx, a.client, n)
	}
	if err == nil && outbid != "" && outbid != a.leader {
		if n, err = notify.ToUsers("you were outbid", outbid); err == nil {
			_, err = notify.Send(ctx, a.client, n)
		}
	}
	if err != nil {
		return nil, err
	}
	return m.Ack(m.RequestID), nil
}

// The ten lines.
func TestAuction(t *testing.T) {
	env := sumutest.New(t)
	newAuction(env.App, env.Client)
	ann, bob := env.Connect(t, "ann"), env.Connect(t, "bob")
	ann.Send(t, `{"action":"bid","amount":10}`)
	bob.Expect(t, `{"highest":10}`)
	bob.Send(t, `{"action":"bid","amount":20}`)
	ann.Await(t, `{"highest":20}`)
	ann.Expect(t, `"you were outbid"`)
}

// Of a program that only notifies, without a socket.
func TestAuctionTellsWhoIsOutbid(t *testing.T) {
	app, err := sumu.NewApp(sumutest.Authorizer{}, new(memstore.Store))
	if err != nil {
		t.Fatal(err)
	}
	client := new(sumutest.Client)
	newAuction(app, client)
	for i, user := range []string{"ann", "bob", "bob"} {
		app.Message(t.Context(), sumu.Message{
			Identity: sumu.Identity{UserID: user},
			Body:     fmt.Appendf(nil, `{"action":"bid","amount":%d}`, i+1),
		})
	}
	wantEqual(t, "to ann", client.To("ann"), `"you were outbid"`)
	wantEqual(t, "to bob", client.To("bob"))
}

func TestAuctionTellsNobodyOfABidThatIsTooLow(t *testing.T) {
	env := sumutest.New(t)
	newAuction(env.App, env.Client)
	ann, bob := env.Connect(t, "ann"), env.Connect(t, "bob")
	ann.Send(t, `{"action":"bid","ref":"7","amount":0}`)
	ann.Expect(t, `{"type":"error","action":"bid","ref":"7","code":"bad_request","message":"bid over 0"}`)
	ann.ExpectNothing(t)
	bob.ExpectNothing(t)
}

// While the service throttles, nothing is lost and nobody is told twice.
func TestAuctionUnderThrottling(t *testing.T) {
	env := sumutest.New(t)
	newAuction(env.App, env.Client)
	ann, bob := env.Connect(t, "ann"), env.Connect(t, "bob")
	env.Sender.FailNext(sumu.ErrThrottled, sumu.ErrThrottled, sumu.ErrThrottled)
	ann.Send(t, `{"action":"bid","amount":10}`)
	bob.Expect(t, `{"highest":10}`)
	bob.ExpectNothing(t)
	if n := len(env.Sender.Taken(ann.ID())); n != 1 {
		t.Errorf("ann was told %d times", n)
	}
}

// One client that does not answer holds up nobody else.
func TestAuctionWithAClientThatHangs(t *testing.T) {
	leak.Check(t)
	env := sumutest.New(t)
	newAuction(env.App, env.Client)
	ann, bob := env.Connect(t, "ann"), env.Connect(t, "bob")
	hang := env.Sender.On(ann.ID()).HangNext()
	bob.Send(t, `{"action":"bid","amount":10}`)
	hang.Wait(t)
	bob.Await(t, `{"highest":10}`)
	hang.Release()
	ann.Expect(t, `{"highest":10}`)
}

func TestAuctionLetsNobodyElseIn(t *testing.T) {
	env := sumutest.New(t)
	newAuction(env.App, env.Client)
	for _, h := range env.Issuer.Hostile("ann") {
		want := http.StatusUnauthorized
		if h.Want == sumu.ErrForbidden {
			want = http.StatusForbidden
		}
		if got := env.Refused(t, h.Token); got != want {
			t.Errorf("%s: status %d, want %d", h.Name, got, want)
		}
	}
	ann := env.Connect(t, "ann")
	env.Clock.Advance(time.Hour + time.Minute) // Her token has expired.
	if code, _ := ann.Closed(t); code != 4003 {
		t.Errorf("closed with %d", code)
	}
}

// What is typed in a test is what goes over the wire.
func TestAuctionSpeaksJSON(t *testing.T) {
	env := sumutest.New(t)
	newAuction(env.App, env.Client)
	ann := env.Connect(t, "ann")
	ann.Send(t, `bid 10!`)
	var refused struct{ Message, ConnectionID string }
	if err := json.Unmarshal([]byte(ann.Next(t)), &refused); err != nil || refused.ConnectionID != ann.ID() {
		t.Errorf("answered with %q (%v)", ann.Received(), err)
	}
}
