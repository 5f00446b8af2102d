package iot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/internal/logging"
)

// Inbox hands what clients publish for backends to these, as it comes by a topic
// rule:
//
//	SELECT encode(*, 'base64') AS data, clientid() AS client_id, topic() AS topic,
//	       timestamp() AS timestamp, traceid() AS id FROM 'sumu-backend/+/+/+'
//
// A client publishes the JSON of its message, of at most 128 KB, to
// "sumu-backend/{user}/{client id}/{action}"; what a [Vendor] gives it, with
// [VendorOptions.Backend], allows no other client's topic. So it is the broker
// who says whose message it is, and nothing in the message can. Nobody else in
// the account may be allowed to publish there.
//
// It is safe for concurrent use.
type Inbox struct {
	backends map[string]sumu.Backend
	opts     InboxOptions
}

// InboxOptions tune an [Inbox]. The zero value of a field is its default.
type InboxOptions struct {
	// Logger is told of messages that clients should not have sent, at level
	// Warn, without their text. Default: [slog.Default], warnings and errors;
	// slog.New(slog.DiscardHandler) for silence.
	Logger *slog.Logger
}

// Actions are those that an [Inbox] knows, and a client may publish.
const (
	ActionPublish = "publish"
	ActionSend    = "send"
)

// sources are the messages' attribute, as backends know them.
var sources = map[string]string{ActionPublish: "apigw.route.publish", ActionSend: "apigw.route.send"}

// NewInbox returns an Inbox that hands messages of each action to a backend, such
// as those of snsnotify.Backend and sqsnotify.Backend. ErrInvalid is returned
// when there is none, and with every action that is neither [ActionPublish] nor
// [ActionSend] or has no backend.
func NewInbox(backends map[string]sumu.Backend, optFns ...func(*InboxOptions)) (*Inbox, error) {
	var o InboxOptions
	for _, fn := range optFns {
		fn(&o)
	}
	o.Logger = logging.Or(o.Logger)
	var errs []error
	if len(backends) == 0 {
		errs = append(errs, invalid("an Inbox needs a backend"))
	}
	own := make(map[string]sumu.Backend, len(backends))
	for action, backend := range backends {
		if _, known := sources[action]; !known || backend == nil {
			errs = append(errs, invalid("action %q: it must be publish or send, with a backend", action))
		}
		own[action] = backend
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return &Inbox{backends: own, opts: o}, nil
}

// Handle hands on a message, as the rule has written it. Errors are those of the
// backend, and ErrInvalid for what no such rule has written: the message is then
// to come again. What a client should not have sent (no JSON, too large for the
// backend, an action without a backend) can never succeed: it is logged and left
// out, so that no client fills a dead-letter queue.
func (b *Inbox) Handle(ctx context.Context, body []byte) error {
	m, action, err := parseInbound(body)
	if err != nil {
		return err
	}
	backend := b.backends[action]
	switch {
	case m.UserID == "":
		err = invalid("client is none of ours, or has published to another's topic")
	case backend == nil:
		err = invalid("no backend for the action %.20q", action)
	case !json.Valid(m.Body):
		err = invalid("message is not JSON")
	default:
		err = backend(ctx, m)
		if !errors.Is(err, sumu.ErrInvalid) && !errors.Is(err, sumu.ErrTooLarge) {
			if err != nil {
				err = &sumu.Error{Op: "message of " + m.ConnectionID, Err: err}
			}
			return err
		}
	}
	b.opts.Logger.WarnContext(ctx, "a client's message is left out", "client_id", m.ConnectionID, "error", err.Error())
	return nil
}

// parseInbound reads what the rule has written. The message has a user only when
// its topic is that of its client.
func parseInbound(body []byte) (m sumu.BackendMessage, action string, err error) {
	const most = 256 << 10 // 128 KB in base64, and what is around it.
	var in struct {
		Data      *[]byte `json:"data"` // base64
		ClientID  string  `json:"client_id"`
		Topic     string  `json:"topic"`
		Timestamp int64   `json:"timestamp"`
		ID        string  `json:"id"`
	}
	if len(body) > most || json.Unmarshal(body, &in) != nil { // Its error may repeat a part of it.
		return m, "", invalid("message is not of the form that the rule for backends writes")
	}
	parts := strings.Split(in.Topic, "/")
	const farthest = 1 << 48 // ms: some thousand years
	if in.Data == nil || in.ID == "" || len(parts) != 4 || parts[0]+"/" != backendRoot || in.Timestamp <= 0 || in.Timestamp > farthest {
		return m, "", invalid("message lacks data, topic, timestamp or id, which the rule for backends selects")
	}
	m = sumu.BackendMessage{
		ID: in.ID, ConnectionID: parts[2], Source: sources[parts[3]], Timestamp: time.UnixMilli(in.Timestamp), Body: *in.Data,
	}
	if user, ok := UserOf(parts[2]); ok && in.ClientID == parts[2] && encodeUser(user) == parts[1] {
		m.UserID = user
	}
	return m, parts[3], nil
}

// backendTopics are those that a client may publish to, for what its grants allow.
func backendTopics(clientID string, grants sumu.Grants) (topics []string) {
	user, _ := userPart(clientID)
	for _, action := range slices.Sorted(maps.Keys(sources)) {
		if grants.Allow(sumu.VerbBackend, action) {
			topics = append(topics, fmt.Sprint(backendRoot, user, "/", clientID, "/", action))
		}
	}
	return topics
}
