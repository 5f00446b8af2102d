// Package iot runs sumu on AWS IoT Core: clients connect to its broker by MQTT
// over WebSocket, and everything else stays as it is.
//
//	cfg, err := config.LoadDefaultConfig(ctx)
//
//	// A client asks for its way in, by POST with its token.
//	vendor, err := iot.NewVendor(auth, sts.NewFromConfig(cfg),
//		"arn:aws:iam::123456789012:role/sumu-client", "a1b2c3-ats.iot.eu-west-1.amazonaws.com")
//	http.Handle("/connect", vendor)
//
//	// IoT tells who has connected: a rule hands its lifecycle events on.
//	seen, err := iot.NewLifecycle(store, store)
//	err = seen.Handle(ctx, event)
//
//	// Notifications go out as direct messages, and to channels' topics.
//	sender, err := iot.NewSender(iotdataplane.NewFromConfig(cfg))
//	push, err := pusher.New(store, sender)
//	client, err := notify.NewLocal(push)
//	n, err := notify.ToUsers(json.RawMessage(`{"hello":"ann"}`), "ann")
//	id, err := notify.Send(ctx, client, n)
//
// On Lambda, awslambda.NewHTTP serves a [Vendor] and awslambda.NewLifecycle
// a [Lifecycle] and an [Inbox]; examples/iot is all of it.
//
// # Clients
//
// A client id is "{user}-{random}", and the client's own topic
// "sumu/{user}/{client id}"; see [NewClientID] for how a user id is written.
// What a client is given allows it to connect with this one client id, to
// receive and subscribe on its own topic and the channels that it may join
// (channels/{name}, for grants with the verb join), and to publish to those that
// it may post to. With [VendorOptions.Backend] it may also publish to its topics
// for backends; see [Inbox]. Grants of other verbs name no topic. Values that would widen
// the policy are refused, never escaped: a grant with "*", "?", "$", "+", "#", a
// quote or a brace gives no credentials at all.
//
// A presigned URL opens a connection for minutes, so a client asks for a new one
// whenever it connects, and gets a new client id with it. It must not filter
// messages by its subscriptions (a direct message needs none), and must
// acknowledge QoS 1; the usual libraries do both.
//
// # Channels, events, backends
//
// A channel is a topic, "channels/{name}", and its members are the clients that
// have subscribed to it: there is no "joinchannel". A notification to channels is
// one publish for each, of the frame that members get elsewhere,
//
//	{"type":"message","channel":"room.42","id":"…","data":…}
//
// and counts as one target, delivered when IoT has it. Nobody tells how many have
// received it. A client in several of the channels, or whose user is named beside
// them, receives it several times, with one id. What a topic cannot do is
// ErrUnsupported at once, and nothing is sent: to leave out users or connections,
// or, of whatever it is that is sent, those who are in a channel. So are events (notify.ToEvent), to which nobody can subscribe here.
//
// Clients that may post to a channel publish to the same topic, whatever they
// like, a frame that looks like the above included: believe "from" and "data" only
// where clients may not post.
//
// What clients publish for backends comes by a rule and a queue to an [Inbox],
// which takes user and connection from what the broker says, never from the
// message. There is no acknowledgement but the broker's own (QoS 1): what no
// backend can take is logged, and the client is not told.
//
// # Delivery
//
// At least once, as with any [sumu.Sender], and better: a post succeeds when the
// client has acknowledged the message, not when it was handed to a socket. The
// status of an answer decides first:
//
//   - 404 of IoT itself: ErrGone. The client is not connected.
//   - 429, and 504 when the client has not acknowledged in time: ErrThrottled.
//     In the latter case it may have the message: it gets it again.
//   - 413: ErrTooLarge. A payload has 128 KB at most.
//   - 401, 403: ErrForbidden, a fault of configuration that stops a batch; but
//     ErrInvalid, for this target alone, when it is the receiver's policy that
//     lacks iot:Receive.
//   - 400 and other 4xx: ErrInvalid. 5xx, another's 404, no answer:
//     ErrUnavailable.
//
// A row is written when the lifecycle event arrives, moments after the
// connection. What is sent in between is not for this client: let it fetch what
// it has missed once it is connected, as after any reconnect. A connection
// outlives its token and its session (aws-crt-nodejs issue 423, read 2026-11); it
// ends after 24 hours, by [Sender.Disconnect], or by the client.
//
// # Cost
//
// About, in us-east-1 (2026-11; the price list of your Region decides): $0.08 for a
// million minutes of connection and $1 for a million messages of up to 5 KB, in
// and out; direct messages are the cheaper ones. An event costs a rule and its
// action, $0.15 a million each, and the function. Keeping a connection alive costs
// nothing. A connection costs two writes and two reads when it begins, and again
// when it ends.
//
// # Or API Gateway
//
// API Gateway's WebSocket API speaks plain WebSocket, runs your code for each
// message and each connect, and ends every connection after two hours. IoT Core
// needs an MQTT client and vended credentials, but its connection minutes cost a
// third, keepalives nothing, clients reach each other without your code, and the
// client itself confirms what was posted. Take API Gateway when clients talk to
// your backend, IoT Core when they mostly listen, and for long.
package iot
