package awslambda

import (
	"bytes"
	"context"
	"encoding/json"

	"github.com/aws/aws-lambda-go/events"

	"github.com/sumu-live/sumu"
)

// checkJSON is a delayed check as it waits in a queue.
type checkJSON struct {
	Type   string `json:"type"`
	UserID string `json:"user_id"`
}

const checkType = "presence.check"

// CheckMessage returns the body of an SQS message that makes a [Presence] check
// a user: {"type":"presence.check","user_id":"u1"}. presence's Options.Delay
// sends it with the delay that it is given, to a queue that nothing else uses.
func CheckMessage(userID string) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(checkJSON{checkType, userID}) // Strings always encode.
	return string(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}

func readCheck(body []byte) (userID string, err error) {
	var c checkJSON
	if err := json.Unmarshal(body, &c); err != nil || c.Type != checkType {
		return "", invalid("message is no delayed check")
	}
	return c.UserID, sumu.ValidateUserID(c.UserID)
}

// SQS serves the queue of delayed checks. The answer names those that failed
// or are none. ErrInvalid is returned for an event with a message that has no id.
//
// In an outage that outlasts the receives of that queue, checks end in its
// dead-letter queue. They need not be redriven where a presence.Watcher reconciles on
// a [Schedule]: that evaluates the same users once the tables answer again.
func (p *Presence) SQS(ctx context.Context, in events.SQSEvent) (events.SQSEventResponse, error) {
	recs, err := fromSQSEvent(&in)
	if err != nil {
		return events.SQSEventResponse{}, err
	}
	return p.checks(ctx, recs), nil
}

func (p *Presence) checks(ctx context.Context, recs []record) events.SQSEventResponse {
	failed := make([]error, len(recs))
	users := make([]string, 0, len(recs))
	place := make([]int, 0, len(recs)) // in recs, of a user
	for i := range recs {
		user := ""
		if failed[i] = recs[i].err; failed[i] == nil {
			user, failed[i] = readCheck(recs[i].Body)
		}
		if failed[i] == nil {
			users = append(users, user)
			place = append(place, i)
		}
	}
	for j, err := range outcomes(len(users), func() ([]error, error) { return p.watcher.Check(ctx, users...) }) {
		failed[place[j]] = err
	}
	for i, err := range failed {
		if err != nil {
			logError(ctx, p.opts.Logger, "delayed check failed", err, "record", recs[i].id)
		}
	}
	return sqsResponse(recs, failed)
}
