package notify_test

import (
	"context"
	"fmt"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
	"github.com/sumu-live/sumu/notify"
	"github.com/sumu-live/sumu/pusher"
	"github.com/sumu-live/sumu/sumutest"
)

func ExampleSend() {
	ctx := context.Background()
	store := new(memstore.Store)
	_ = store.Put(ctx, sumu.Connection{UserID: "ann", ID: "laptop"})
	sender := new(sumutest.Recorder) // It records; yours is a gateway.
	push, err := pusher.New(store, sender, func(o *pusher.Options) { o.Tries = 1 })
	if err != nil {
		fmt.Println(err)
		return
	}
	client, err := notify.NewLocal(push)
	if err != nil {
		fmt.Println(err)
		return
	}

	n, err := notify.ToUsers(map[string]any{"type": "order", "id": 7}, "ann")
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := notify.Send(ctx, client, n); err != nil {
		fmt.Println(err)
	}
	fmt.Println("closed:", client.Close(ctx)) // What was accepted is delivered first.
	fmt.Println(sender.Taken("laptop"))
	// Output:
	// closed: <nil>
	// [{"id":7,"type":"order"}]
}

func ExampleToUsers() {
	var users []string // computed, and empty today
	_, err := notify.ToUsers("hello", users...)
	fmt.Println(err)
	// Output:
	// the list of users is empty; to reach all, use ToEveryone: invalid
}

func ExampleToConnections() {
	n, err := notify.ToConnections("pong", sumu.ConnectionRef{UserID: "ann", ConnectionID: "laptop"})
	fmt.Println(string(n.Data), n.Connections, err)
	// Output:
	// "pong" [{ann laptop}] <nil>
}

func ExampleToChannels() {
	n, err := notify.ToChannels("Dinner is ready", "room.42")
	n.ExcludeChannels = []string{"away"} // Not for those who are in this one too.
	text, _ := n.MarshalJSON()
	fmt.Println(string(text), err)
	// Output:
	// {"channels":["room.42"],"exclude_channels":["away"],"data":"Dinner is ready"} <nil>
}

func ExampleToEvent() {
	n, err := notify.ToEvent("NESClick", map[string]any{"color": "blue", "x": 3})
	text, _ := n.MarshalJSON()
	fmt.Println(string(text), err)
	// Output:
	// {"event":{"type":"NESClick","payload":{"color":"blue","x":3}}} <nil>
}

func ExampleToEveryone() {
	n, err := notify.ToEveryone(map[string]string{"type": "news"}, "ann")
	text, _ := n.MarshalJSON()
	fmt.Println(string(text), err)
	// Output:
	// {"everyone":true,"exclude_users":["ann"],"data":{"type":"news"}} <nil>
}
