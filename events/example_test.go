package events_test

import (
	"context"
	"fmt"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/events"
)

func ExampleNew() {
	// The token's grants; package authorizer reads them from its claims.
	auth := sumu.AuthorizerFunc(func(context.Context, *sumu.ConnectRequest) (sumu.Identity, error) {
		return sumu.Identity{UserID: "ann", Grants: sumu.Grants{
			{Pattern: "NESClick", Verbs: []sumu.Verb{sumu.VerbSubscribe}},
		}}, nil
	})
	var store sumu.Store = new(memstore.Store)
	app, err := sumu.NewApp(auth, store)
	if err != nil {
		fmt.Println(err)
		return
	}
	feed, err := events.New(store)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := feed.Attach(app); err != nil {
		fmt.Println(err)
		return
	}

	ctx := context.Background()
	s, err := app.Connect(ctx, &sumu.ConnectRequest{ConnectionID: "c1"})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, frame := range []string{
		`{"action":"subscribe","subscriptions":[{"event_type":"NESClick","filter_field":"color","filter_expr":"blue*"}]}`,
		`{"action":"subscribe","subscriptions":[{"event_type":"Payroll"}]}`,
	} {
		reply := app.Message(ctx, sumu.Message{Connection: s.Connection, Identity: s.Identity, RequestID: "r1", Body: []byte(frame)})
		fmt.Printf("%s\n", reply)
	}
	for sub, err := range feed.Of(ctx, s.Connection.Ref()) {
		fmt.Println(sub.EventType, sub.Field, sub.Filter, err)
	}
	// Output:
	// {"type":"ack","action":"subscribe","id":"r1"}
	// {"type":"error","action":"subscribe","code":"forbidden","message":"your token does not allow to subscribe to these events"}
	// NESClick color blue* <nil>
}

func ExampleRecords() {
	for _, record := range []string{
		`{"MessageType":"NESClick","Message":{"color":"blue"}}`,
		`{"data":"to everybody"}`,
	} {
		for request, err := range events.Records([]byte(record)) {
			fmt.Printf("%s %v\n", request, err)
		}
	}
	// Output:
	// {"event":{"type":"NESClick","payload":{"color":"blue"}}} <nil>
	// {"data":"to everybody"} event of a stream: MessageType is missing: invalid
}
