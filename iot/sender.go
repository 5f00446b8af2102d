package iot

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iotdataplane"

	"github.com/sumu-live/sumu"
)

// DataPlane is what a [Sender] needs of a client of IoT's data plane: an
// [*iotdataplane.Client], or one's own. It needs the permissions
// iot:SendDirectMessage (or, with [SenderOptions.Publish], iot:Publish on
// topic/sumu/*), iot:Publish on topic/channels/*, and iot:DeleteConnection on
// client/*.
type DataPlane interface {
	SendDirectMessage(ctx context.Context, in *iotdataplane.SendDirectMessageInput, optFns ...func(*iotdataplane.Options)) (*iotdataplane.SendDirectMessageOutput, error)
	Publish(ctx context.Context, in *iotdataplane.PublishInput, optFns ...func(*iotdataplane.Options)) (*iotdataplane.PublishOutput, error)
	DeleteConnection(ctx context.Context, in *iotdataplane.DeleteConnectionInput, optFns ...func(*iotdataplane.Options)) (*iotdataplane.DeleteConnectionOutput, error)
}

// SenderOptions tune a [Sender]. The zero value of a field is its default.
type SenderOptions struct {
	// AckTimeout is how long a client has to acknowledge a message. Default 5 s;
	// 1 s to 15 s, in whole seconds. A pusher's PostTimeout must be longer.
	AckTimeout time.Duration
	// Unconfirmed sends with QoS 0 and waits for nobody: a post succeeds when
	// the message was dispatched. A client that is not connected is still
	// ErrGone. Default: QoS 1, and a post succeeds when the client has
	// acknowledged it.
	Unconfirmed bool
	// Publish publishes to the client's own topic with QoS 1 in place of a
	// direct message, where those are not offered. The client must subscribe to
	// it. A post to a client that is not connected then succeeds, and is lost:
	// rows are removed by lifecycle events and by expiry alone.
	Publish bool
	// ChannelPrefix comes before a channel's name in its topic; it must be that
	// of the Vendor. Default "channels/".
	ChannelPrefix string
}

// Sender posts to clients of AWS IoT Core and to channels, and closes clients'
// connections. It is a [sumu.ChannelSender] and a [sumu.Disconnecter], and safe
// for concurrent use.
type Sender struct {
	api  DataPlane
	opts SenderOptions
}

var (
	_ sumu.ChannelSender = (*Sender)(nil)
	_ sumu.Disconnecter  = (*Sender)(nil)
)

// NewSender returns a Sender. ErrInvalid is returned with every argument and
// option that cannot be.
func NewSender(api DataPlane, optFns ...func(*SenderOptions)) (*Sender, error) {
	var o SenderOptions
	for _, fn := range optFns {
		fn(&o)
	}
	o.AckTimeout = cmp.Or(o.AckTimeout, 5*time.Second)
	o.ChannelPrefix = cmp.Or(o.ChannelPrefix, defaultChannelPrefix)
	var errs []error
	if api == nil {
		errs = append(errs, invalid("a client of the data plane is missing"))
	}
	if o.AckTimeout < time.Second || o.AckTimeout > 15*time.Second || o.AckTimeout%time.Second != 0 {
		errs = append(errs, invalid("AckTimeout is %v; it must be 1s to 15s, in whole seconds", o.AckTimeout))
	}
	if o.Publish && o.Unconfirmed {
		errs = append(errs, invalid("Publish and Unconfirmed exclude each other: what is published is never confirmed"))
	}
	if err := errors.Join(append(errs, checkPrefix(o.ChannelPrefix))...); err != nil {
		return nil, err
	}
	return &Sender{api: api, opts: o}, nil
}

// Post sends the payload to the connection, once, on its own topic. The
// package's documentation lists its errors.
func (s *Sender) Post(ctx context.Context, c sumu.Connection, p *sumu.Payload) error {
	if err := s.post(ctx, c, p); err != nil {
		return &sumu.Error{Op: "post " + c.ID, Err: err}
	}
	return nil
}

func (s *Sender) post(ctx context.Context, c sumu.Connection, p *sumu.Payload) error {
	if p == nil {
		return invalid("there is no payload")
	}
	topic, err := topicOf(c)
	if err != nil {
		return err
	}
	if s.opts.Publish {
		_, err = s.api.Publish(ctx, &iotdataplane.PublishInput{Topic: &topic, Payload: p.Bytes(), Qos: 1}, once)
		return classify(err, publishing)
	}
	_, err = s.api.SendDirectMessage(ctx, &iotdataplane.SendDirectMessageInput{
		ClientId:     &c.ID,
		Topic:        &topic,
		Payload:      p.Bytes(),
		Confirmation: !s.opts.Unconfirmed,
		Timeout:      int32(s.opts.AckTimeout / time.Second),
	}, once)
	return classify(err, messaging)
}

// PostChannel publishes the payload to the channel's topic, once, with QoS 1: it
// returns nil when IoT has it, however many clients have subscribed. A client
// receives it at least once, if it has subscribed with QoS 1; none confirms it.
// ErrInvalid is returned for a channel whose name cannot stand in a topic, and
// ErrTooLarge for one that is too long, as for a grant; other errors are those of
// [Sender.Post], without ErrGone.
func (s *Sender) PostChannel(ctx context.Context, channel string, p *sumu.Payload) error {
	topic, err := channelTopic("channel", s.opts.ChannelPrefix, channel)
	switch {
	case err != nil:
	case p == nil:
		err = invalid("there is no payload")
	default:
		_, err = s.api.Publish(ctx, &iotdataplane.PublishInput{Topic: &topic, Payload: p.Bytes(), Qos: 1}, once)
		err = classify(err, publishing)
	}
	if err != nil {
		return &sumu.Error{Op: "post to channel " + channel, Err: err}
	}
	return nil
}

// Disconnect closes the connection. ErrGone is returned when it is no more.
// Other errors are those of [Sender.Post]. The row is removed by the lifecycle
// event that follows. A client that still has keys, or a URL that it has not
// used, may connect again: see [sumu.Revoke], and the package's documentation.
func (s *Sender) Disconnect(ctx context.Context, c sumu.Connection) error {
	_, err := topicOf(c)
	if err == nil {
		_, err = s.api.DeleteConnection(ctx, &iotdataplane.DeleteConnectionInput{ClientId: &c.ID, CleanSession: true}, once)
		err = classify(err, closing)
	}
	if err != nil {
		return &sumu.Error{Op: "disconnect " + c.ID, Err: err}
	}
	return nil
}

// topicOf is the own topic of a connection, which must be its user's.
func topicOf(c sumu.Connection) (string, error) {
	topic, err := Topic(c.ID)
	if err != nil {
		return "", err
	}
	if user, _ := UserOf(c.ID); user != c.UserID {
		return "", invalid("connection's id is another user's")
	}
	return topic, nil
}

// once makes the client try once: when to try again is the pusher's to decide,
// and a client that does not acknowledge would hold it up three times as long.
func once(o *iotdataplane.Options) { o.Retryer = aws.NopRetryer{} }
