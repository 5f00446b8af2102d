// Package sumu gives any Go application realtime WebSockets: who is connected,
// who is allowed in, push to users or to everyone, messages from clients to
// backends, and exact presence.
//
// This package is the domain: its types, the interfaces that drivers
// implement, the errors they return, and [App], which ties them together. It
// imports the standard library only. Everything else points at it:
//
//   - authorizer verifies the token of a connecting client,
//   - connstore/memstore and connstore/dynamostore keep the connections,
//   - connstore/sweep, dynamofeed and lead remove dead ones, follow the stream of
//     a table, and have one process of many do so,
//   - pusher turns a [Notification] into posts to connections,
//   - channels lets clients join rooms and send to those in them,
//   - events lets clients subscribe to events by type and field,
//   - presence turns changes of the store into exact ONLINE and OFFLINE events,
//   - notify is what backend code calls to send a notification,
//   - gateway terminates WebSockets on your own servers, with the semantics of
//     API Gateway,
//   - awslambda runs the same behind API Gateway, SQS, SNS, Kinesis and DynamoDB
//     Streams,
//   - iot takes AWS IoT Core in place of API Gateway,
//   - sumutest is for tests of programs that use all this.
//
// # The shape of a program
//
// A transport (gateway for sockets of your own, or Lambda behind API Gateway)
// calls an [App]. The App authorizes a connection, writes its row, routes its
// messages by their "action", and removes the row when it ends:
//
//	store := new(memstore.Store)
//	app, err := sumu.NewApp(auth, store)
//	gw, err := gateway.New(app)
//	push, err := pusher.New(store, gw)
//	client, err := notify.NewLocal(push)
//
//	app.Handle("publish", sumu.ToBackend("apigw.route.publish", backend))
//	http.Handle("/ws", gw)
//
// # Delivery
//
// A push is at least once per live connection for as long as a queue holds the
// request: every target ends as delivered, gone, failed with a reason, or named
// in the remainder that is to be sent again. See [Result].
//
// Presence events of a user alternate between ONLINE and OFFLINE and carry the
// versions 1, 2, 3, …; a duplicate carries the version of the event it repeats.
// See [PresenceEvent].
package sumu

import "time"

const (
	// MaxPayload is the largest message in either direction, in bytes: the
	// quota of an API Gateway WebSocket API (128 KB, read 2026-11), which
	// gateway enforces as well.
	MaxPayload = 128 * 1024

	// MaxUserID is the longest user id in bytes: DynamoDB's limit for a
	// partition key (read 2026-11).
	MaxUserID = 2048

	// MaxConnectionID is the longest connection id in bytes: DynamoDB's limit
	// for a sort key (read 2026-11).
	MaxConnectionID = 1024

	// MaxConnectionAge is how long API Gateway keeps a WebSocket open at most
	// (read 2026-11). A gateway of your own may keep one longer.
	MaxConnectionAge = 2 * time.Hour
)
