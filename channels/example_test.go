package channels_test

import (
	"bytes"
	"context"
	"fmt"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/channels"
	"github.com/sumu-live/sumu/connstore/memstore"
)

// client stands for package notify's: a queue, or a pusher in this process.
type client struct{}

func (client) Send(_ context.Context, n sumu.Notification) error {
	fmt.Printf("to %s, but not to %s: %s\n", n.Channels, n.ExcludeConnections, n.Data)
	return nil
}

func ExampleNew() {
	// The token's grants; package authorizer reads them from its claims.
	auth := sumu.AuthorizerFunc(func(context.Context, *sumu.ConnectRequest) (sumu.Identity, error) {
		return sumu.Identity{UserID: "ann", Grants: sumu.Grants{
			{Pattern: "room.*", Verbs: []sumu.Verb{sumu.VerbJoin, sumu.VerbPost}},
		}}, nil
	})
	var store sumu.Store = new(memstore.Store)
	app, err := sumu.NewApp(auth, store)
	if err != nil {
		fmt.Println(err)
		return
	}
	rooms, err := channels.New(store, client{})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := rooms.Attach(app); err != nil {
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
		`{"action":"joinchannel","channel":"room.42"}`,
		`{"action":"joinchannel","channel":"office","ref":"2"}`,
		`{"action":"sendmessage","channel":"room.42","message":{"text":"Hello"}}`,
	} {
		reply := app.Message(ctx, sumu.Message{Connection: s.Connection, Identity: s.Identity, Body: []byte(frame)})
		if !bytes.Contains(reply, []byte(`"ack"`)) { // That has a random id.
			fmt.Printf("%s\n", reply)
		}
	}
	n, err := rooms.Count(ctx, "room.42")
	fmt.Println("members:", n, err)
	// Output:
	// {"channel":"room.42","connectionId":"c1"}
	// {"type":"error","action":"joinchannel","ref":"2","code":"forbidden","message":"your token does not allow to join this channel"}
	// to [room.42], but not to [c1]: {"text":"Hello"}
	// members: 1 <nil>
}
