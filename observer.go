package sumu

import (
	"context"
	"time"
)

// Observer is told what happens, for metrics and logs. Any of its funcs may be
// nil. They are called on the path of the work, from many goroutines: they
// must be quick and safe for concurrent use. None is ever given a token or a
// payload.
type Observer struct {
	// Connected: a connection was authorized and its row written.
	Connected func(ctx context.Context, c Connection)
	// Refused: a connection was not accepted.
	Refused func(ctx context.Context, connectionID, sourceIP string, err error)
	// Disconnected: a connection ended; err is that of removing its row. With
	// an err it comes again when the removal is tried again.
	Disconnected func(ctx context.Context, c Connection, reason DisconnectReason, err error)
	// Message: a client's message was handled; err is what its handler
	// returned. route is its action, or "$default" for one without a handler of
	// its own: there are as many routes as handlers, whatever clients send.
	Message func(ctx context.Context, c Connection, route string, took time.Duration, err error)

	// Posted: one try of a post ended.
	Posted func(ctx context.Context, target ConnectionRef, notificationID string, err error)
	// Pruned: the row of a connection that is gone was removed, or not, with err.
	Pruned func(ctx context.Context, target ConnectionRef, err error)
	// Pushed: a notification was pushed.
	Pushed func(ctx context.Context, r Result)
	// DeadLetter: a notification, or what remained of it, was given up.
	DeadLetter func(ctx context.Context, n Notification, err error)

	// Presence: a presence event was accepted by its destination.
	Presence func(ctx context.Context, e PresenceEvent)
}

// DisconnectReason is why a socket ended.
type DisconnectReason struct {
	Code int    // the close code of RFC 6455; 1006 when there was none
	Text string // the close frame's text, or the transport's own words
}
