package sumu_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/memstore"
)

// anyone stands for an Authorizer of package authorizer, which verifies tokens.
func anyone(_ context.Context, r *sumu.ConnectRequest) (sumu.Identity, error) {
	token := r.Query["authorization"]
	if len(token) == 0 {
		return sumu.Identity{}, sumu.ErrUnauthorized
	}
	return sumu.Identity{UserID: token[0]}, nil
}

// What a transport calls, in the order of a connection's life. Package gateway
// does it for sockets of your own, package awslambda for API Gateway.
func ExampleNewApp() {
	store := new(memstore.Store)
	app, err := sumu.NewApp(sumu.AuthorizerFunc(anyone), store)
	if err != nil {
		fmt.Println(err)
		return
	}
	app.Handle("whoami", func(_ context.Context, m sumu.Message) ([]byte, error) {
		return json.Marshal(m.Connection.UserID)
	})

	ctx := context.Background()
	_, err = app.Connect(ctx, &sumu.ConnectRequest{ConnectionID: "c1"})
	fmt.Println("without a token:", err)

	session, err := app.Connect(ctx, &sumu.ConnectRequest{
		ConnectionID: "c2",
		Query:        map[string][]string{"authorization": {"ann"}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	reply := app.Message(ctx, sumu.Message{
		Connection: session.Connection,
		Identity:   session.Identity,
		Body:       []byte(`{"action":"whoami"}`),
	})
	fmt.Printf("reply: %s\n", reply)

	online, err := store.HasLive(ctx, "ann")
	fmt.Println("online:", online, err)
	err = app.Disconnect(ctx, session.Connection, sumu.DisconnectReason{Code: 1000})
	fmt.Println("disconnected:", err)
	online, err = store.HasLive(ctx, "ann")
	fmt.Println("online:", online, err)
	// Output:
	// without a token: connect c1: unauthorized
	// reply: "ann"
	// online: true <nil>
	// disconnected: <nil>
	// online: false <nil>
}

// A handler's error becomes an error frame: its code from the kind, its text
// from the operation, nothing from the cause.
func ExampleApp_Handle() {
	app, err := sumu.NewApp(sumu.AuthorizerFunc(anyone), new(memstore.Store))
	if err != nil {
		fmt.Println(err)
		return
	}
	app.Handle("rename", func(_ context.Context, m sumu.Message) ([]byte, error) {
		var req struct{ Name string }
		if err := m.Decode(&req); err != nil {
			return nil, err
		}
		if req.Name == "" {
			return nil, &sumu.Error{Op: "name is missing", Kind: sumu.ErrInvalid}
		}
		return m.Ack(req.Name), nil
	})
	for _, frame := range []string{
		`{"action":"rename","ref":"1","name":"Ann"}`,
		`{"action":"rename","ref":"2"}`,
		`{"action":"ping"}`,
	} {
		fmt.Printf("%s\n", app.Message(context.Background(), sumu.Message{
			Connection: sumu.Connection{UserID: "ann", ID: "c1"},
			Body:       []byte(frame),
		}))
	}
	// Output:
	// {"type":"ack","action":"rename","ref":"1","id":"Ann"}
	// {"type":"error","action":"rename","ref":"2","code":"bad_request","message":"name is missing"}
	// {"type":"pong","statusCode":200,"connectionId":"c1"}
}

func ExampleToBackend() {
	app, err := sumu.NewApp(sumu.AuthorizerFunc(anyone), new(memstore.Store))
	if err != nil {
		fmt.Println(err)
		return
	}
	backend := func(_ context.Context, m sumu.BackendMessage) error {
		fmt.Printf("%s of %s, by %s: %s\n", m.ConnectionID, m.UserID, m.Source, m.Body)
		return nil
	}
	app.Handle("publish", sumu.ToBackend("apigw.route.publish", backend))

	var reply struct{ Type, Ref, ID string }
	err = json.Unmarshal(app.Message(context.Background(), sumu.Message{
		Connection: sumu.Connection{UserID: "ann", ID: "c1"},
		Body:       []byte(`{"action":"publish","ref":"7","message":{"temperature":21}}`),
	}), &reply)
	fmt.Println(reply.Type, reply.Ref, reply.ID != "", err)
	// Output:
	// c1 of ann, by apigw.route.publish: {"temperature":21}
	// ack 7 true <nil>
}

func ExampleParseNotification() {
	for _, text := range []string{
		`{"users":["ann","bob"],"data":{"unread":3}}`,
		`{"data":"maintenance at noon"}`,
		`{"channels":[],"data":1}`,
		`{"users":"ann","data":1}`,
	} {
		n, err := sumu.ParseNotification([]byte(text))
		fmt.Println(n.Users, n.Everyone, string(n.Data), err)
	}
	// Output:
	// [ann bob] false {"unread":3} <nil>
	// [] true "maintenance at noon" <nil>
	// [] false  notification: channels is empty; leave it out, or name at least one: invalid
	// [] false  notification: users is a string; it must be a list of strings: invalid
}

func ExampleNotification_MarshalJSON() {
	n := sumu.Notification{ID: "n1", Users: []string{"ann"}, Data: json.RawMessage(`{"html": "<b>3</b>"}`)}
	text, err := n.MarshalJSON()
	fmt.Println(string(text), err)

	n.Users = nil // A list that was computed, and came out empty.
	_, err = n.MarshalJSON()
	fmt.Println(err)
	// Output:
	// {"id":"n1","users":["ann"],"data":{"html": "<b>3</b>"}} <nil>
	// no targets: name users, channels or connections, an event, or everyone: invalid
}

func ExampleNewPayload() {
	p, err := sumu.NewPayload([]byte(`{"unread":3}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	type sizeKey struct{}
	for range 3 { // For three targets it is computed once.
		fmt.Println(p.Derived(sizeKey{}, func(data []byte) any {
			fmt.Println("computed")
			return len(data)
		}))
	}
	// Output:
	// computed
	// 12
	// 12
	// 12
}

func ExampleError() {
	err := error(&sumu.Error{
		Op:  "push n1",
		Err: &sumu.Error{Op: "post c1", Kind: sumu.ErrUnavailable, Err: io.ErrUnexpectedEOF},
	})
	fmt.Println(err)
	fmt.Println(errors.Is(err, sumu.ErrUnavailable), errors.Is(err, io.ErrUnexpectedEOF))
	// Output:
	// push n1: post c1: unavailable: unexpected EOF
	// true true
}

func ExampleRetryable() {
	gone := &sumu.Error{Op: "post c1", Kind: sumu.ErrGone}
	throttled := &sumu.Error{Op: "post c2", Kind: sumu.ErrThrottled}
	fmt.Println(sumu.Retryable(gone))
	fmt.Println(sumu.Retryable(throttled))
	fmt.Println(sumu.Retryable(errors.Join(gone, throttled)))
	fmt.Println(sumu.Retryable(io.ErrUnexpectedEOF))
	// Output:
	// false
	// true
	// true
	// true
}
