package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go/middleware"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/channels"
	"github.com/sumu-live/sumu/connstore/dynamostore"
	"github.com/sumu-live/sumu/notify"
	"github.com/sumu-live/sumu/presence"
	"github.com/sumu-live/sumu/pusher"
)

// dynamo is a store over the emulator, with a meter.
type dynamo struct {
	*dynamostore.StateStore
	meter meter
	close func()
}

// newDynamo creates tables of its own; calls is how many are made at a time.
func newDynamo(ctx context.Context, endpoint, name string, calls int) (*dynamo, error) {
	transport := &http.Transport{MaxIdleConns: calls, MaxIdleConnsPerHost: calls}
	d := &dynamo{close: transport.CloseIdleConnections}
	client := dynamodb.New(dynamodb.Options{
		Region: "us-east-1", BaseEndpoint: &endpoint, Credentials: emulatorCredentials,
		HTTPClient: &http.Client{Transport: transport},
		APIOptions: []func(*middleware.Stack) error{d.meter.install},
	})
	tables := func(o *dynamostore.Options) { o.Connections, o.State = name+"-connections", name+"-state" }
	err := dynamostore.CreateTables(ctx, client, tables)
	if err == nil {
		d.StateStore, err = dynamostore.NewWithState(client, tables)
	}
	if err != nil {
		d.close()
		return nil, err
	}
	return d, nil
}

const (
	dynamoRows = 1_000 // of the broadcast
	// Names and addresses are as long as those of AWS.
	dynamoUser     = "1f0c9a52-7c1e-4d63-9f2e-%012d"
	dynamoEndpoint = "https://a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com/prod"
)

// addDynamo counts what each action of a client or a backend consumes of
// DynamoDB, through the packages that they go through.
func addDynamo(ctx context.Context, _ *config, t *table) (err error) {
	db, err := startEmulator(ctx, emulatorDynamo)
	if err != nil {
		return skipped(t, "dynamodb", err)
	}
	defer db.stop()
	d, err := newDynamo(ctx, db.endpoint, "costs", 16)
	if err != nil {
		return err
	}
	defer d.close()
	a, err := newActions(ctx, d)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.local.Close(ctx)) }()
	for _, do := range []struct {
		what          string
		call          func() error
		reads, writes float64 // the goal; negative: none is set
	}{
		{"connect", a.connect(1), 0, 1},
		{"presence, a user comes", a.evaluate(1), 2, 2},
		{"presence, nothing changes", a.evaluate(1), 2, 1},
		{"join a channel", a.message(1, "joinchannel"), -1, 2},
		{"notify a channel of one", a.push(1, sumu.Notification{Channels: []string{room}}), -1, -1},
		{"leave a channel", a.message(1, "leavechannel"), -1, 2},
		{"notify one user", a.push(1, sumu.Notification{Users: []string{fmt.Sprintf(dynamoUser, 1)}}), 1, 0},
		{"notify a user who is away", a.push(0, sumu.Notification{Users: []string{"nobody"}}), 1, 0},
		{"disconnect", a.disconnect(1), 0, 1},
		{"presence, a user goes", a.evaluate(1), 2, 2},
		{"", a.fill(1, dynamoRows), 0, 0},
		{"broadcast, for each 1,000 rows", a.push(dynamoRows, sumu.Notification{Everyone: true}), 19, 0},
		{"", a.subscribe(), 0, 0},
		{"event that nobody wants", a.push(0, eventOf(0)), -1, -1},
		{"event with 10 subscribers of 1,110", a.push(10, eventOf(10)), -1, -1},
		{"event with 100 subscribers of 1,110", a.push(100, eventOf(100)), -1, -1},
		{"event with 1,000 subscribers of 1,110", a.push(1_000, eventOf(1_000)), -1, -1},
		{"", a.keepChannels, 0, 0},
		{"disconnect, with 1 channel and 3 subscriptions", a.disconnect(2), -1, -1},
	} {
		took, err := d.meter.of(do.call)
		if err != nil {
			return fmt.Errorf("%s: %w", do.what, err)
		}
		if do.what != "" {
			t.costs = append(t.costs, actionCost{do.what, took, do.reads, do.writes})
		}
	}
	return nil
}

// actions are what clients and backends do.
type actions struct {
	ctx     context.Context
	now     time.Time // stands still: a gateway knows the row's expiry to the second
	store   *dynamo
	app     *sumu.App
	rooms   *sumu.App // of another node, with channels
	pusher  *pusher.Pusher
	watcher *presence.Watcher
	local   *notify.Local // is sent nothing
}

func newActions(ctx context.Context, d *dynamo) (*actions, error) {
	auth := sumu.AuthorizerFunc(func(_ context.Context, r *sumu.ConnectRequest) (sumu.Identity, error) {
		return sumu.Identity{UserID: r.Query["user"][0]}, nil
	})
	a := &actions{ctx: ctx, now: time.Now().Truncate(time.Second), store: d}
	clock := func(o *sumu.AppOptions) { o.Now = func() time.Time { return a.now } }
	var errs [4]error
	a.app, errs[0] = sumu.NewApp(auth, d, clock)
	a.rooms, errs[1] = sumu.NewApp(auth, d, clock)
	a.pusher, errs[2] = pusher.New(d, discard{})
	accept := sumu.PresencePublisherFunc(func(context.Context, sumu.PresenceEvent) error { return nil })
	a.watcher, errs[3] = presence.New(d, accept)
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	var err error
	if a.local, err = notify.NewLocal(a.pusher); err != nil {
		return nil, err
	}
	rooms, err := channels.New(d, a.local, func(o *channels.Options) { o.Open = true })
	if err != nil {
		return nil, err
	}
	return a, rooms.Attach(a.rooms)
}

func (a *actions) connection(user int) sumu.Connection {
	return sumu.Connection{
		UserID: fmt.Sprintf(dynamoUser, user), ID: fmt.Sprintf("L0SM9cOF%07d=", user), Endpoint: dynamoEndpoint,
		ConnectedAt: a.now, DeleteAt: a.now.Add(a.app.RowTTL()),
	}
}

func (a *actions) connect(user int) func() error {
	return func() error {
		c := a.connection(user)
		_, err := a.app.Connect(a.ctx, &sumu.ConnectRequest{
			ConnectionID: c.ID, Endpoint: c.Endpoint, Query: map[string][]string{"user": {c.UserID}},
		})
		return err
	}
}

func (a *actions) disconnect(user int) func() error {
	return func() error { return a.app.Disconnect(a.ctx, a.connection(user), sumu.DisconnectReason{}) }
}

// keepChannels lets connections end as where channels are used.
func (a *actions) keepChannels() error {
	a.app = a.rooms
	return a.message(2, "joinchannel")()
}

func (a *actions) message(user int, action string) func() error {
	return func() error {
		c := a.connection(user)
		reply := a.rooms.Message(a.ctx, sumu.Message{
			Connection: c, Identity: sumu.Identity{UserID: c.UserID}, ReceivedAt: time.Now(),
			Body: fmt.Appendf(nil, `{"action":%q,"channel":%q}`, action, room),
		})
		if !bytes.HasPrefix(reply, []byte(`{"channel":`)) {
			return fmt.Errorf("answered with %s", reply)
		}
		return nil
	}
}

// push sends a notification that must reach so many connections.
func (a *actions) push(want int, n sumu.Notification) func() error {
	return func() error {
		n.ID = "n"
		if n.Event == nil {
			n.Data = message(0)
		}
		results, err := a.pusher.Push(a.ctx, n)
		if err == nil && results[0].Delivered != want {
			err = fmt.Errorf("%d delivered, want %d: %w", results[0].Delivered, want, results[0].Err)
		}
		return err
	}
}

func (a *actions) evaluate(user int) func() error {
	return func() error {
		c := a.connection(user)
		_, err := a.watcher.Observe(a.ctx, sumu.Change{UserID: c.UserID, ConnectionID: c.ID})
		return err
	}
}

// fill connects users from one to another.
func (a *actions) fill(from, to int) func() error {
	return func() error {
		for i := from; i <= to; i++ {
			if err := a.store.Put(a.ctx, a.connection(i)); err != nil {
				return err
			}
		}
		return nil
	}
}

// subscribe makes 10, 100 and 1,000 connections want as many events.
func (a *actions) subscribe() func() error {
	return func() error {
		for _, n := range []int{10, 100, 1_000} {
			for i := 1; i <= n; i++ {
				sub := sumu.Subscription{EventType: eventType, Field: "n", Filter: fmt.Sprint(n), Fields: projections[1]}
				if err := a.store.Subscribe(a.ctx, a.connection(i), 0, sub); err != nil {
					return err
				}
			}
		}
		return nil
	}
}

func eventOf(n int) sumu.Notification {
	return sumu.Notification{Event: &sumu.Event{Type: eventType, Payload: json.RawMessage(fmt.Sprintf(`{"n":%d,"x":1}`, n))}}
}
